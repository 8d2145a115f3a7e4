"""All areas, each with what `make test` tries of it."""

from __future__ import annotations

from functools import partial

from tests.faults import cached, checkpoints, damaged, hostile, inputs, parameters, stopped
from tests.faults.campaign import Area
from tests.stages.workspace import ALL_RUNS

ALL = tuple(ALL_RUNS)
AREAS = (
    Area("damaged artifacts, by their readers", damaged.read_damaged, 80),
    Area("artifacts of another data set, variant or structure", damaged.read_foreign, 20),
    Area("artifacts of another version, by the stages", damaged.of_another_version, 5),
    Area("artifacts that are not those of dvc.lock", damaged.not_as_noted, 8),
    Area("damaged artifacts, by the stages", damaged.stage_meets_damage, 8),
    Area("damaged artifacts, by `crmman`", damaged.verb_meets_damage, 8),
    Area("damaged objects of DVC's cache", cached.damaged_object, 1),
    Area("damaged checkpoints, by their reader", checkpoints.read_damaged, 40),
    Area("damaged checkpoints, by the training", checkpoints.damaged_checkpoint, 3),
    Area("bad inputs, every reader", inputs.read_by_reader, 150),
    Area("bad inputs, `data check` and the stages", inputs.checked_and_staged, 6),
    Area("`params.yaml`, lines changed", parameters.lines_changed, 12),
    Area("`params.yaml`, values changed", parameters.values_changed, 12),
    Area("`params.yaml`, repeated keys", parameters.repeated_key, 10),
    Area("full disk, at a step of writing", stopped.disk_is_full, 4, partial(stopped.disk_is_full, runs=ALL)),
    Area("full disk, at a size of a file", stopped.file_too_large, 4, partial(stopped.file_too_large, runs=ALL)),
    Area("kills at each step of a writer", stopped.killed_in_a_writer, 8),
    Area(
        "kills of a stage while it writes",
        stopped.killed_while_writing,
        4,
        partial(stopped.killed_while_writing, runs=ALL),
    ),
    Area("kills of a stage at any moment", stopped.killed_at_any_moment, 2),
    Area(
        "Ctrl-C while a stage writes",
        stopped.stopped_by_the_keyboard,
        4,
        partial(stopped.stopped_by_the_keyboard, runs=ALL),
    ),
    Area("two trainings of one variant at once", stopped.one_while_another_writes, 1, stopped.two_at_once),
    Area("hostile text in the report, in Chromium", hostile.in_a_page, 2),
    Area("hostile text in a terminal and in CSV", hostile.in_a_terminal, 15),
    Area("command lines of `crmman`", hostile.command_line, 25),
    Area("`--output` to what is no regular file", hostile.output_anywhere, 9),
)
