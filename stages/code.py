"""Note of which code each stage is made of, so that DVC runs again what a change of the code concerns, and nothing else.

Every other stage depends on its own note alone. That keeps the lists of modules out of dvc.yaml, where they would have to be
kept by hand, and out of dvc.lock, whose size is most of what a run with nothing to do costs.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.artifacts.code import CODE_NOTES, STAGE_CODE
from pipeline.common.source_code import SourceCode
from stages.stage import run_tool

ROOT = Path(__file__).parent.parent
# What a module of stages/ has that is run, and a part of others has not.
MAIN = 'if __name__ == "__main__"'


def main() -> None:
    code = SourceCode(ROOT)
    modules = [path for path in sorted((ROOT / "stages").glob("*.py")) if MAIN in path.read_text(encoding="utf-8")]
    notes = {path.stem: STAGE_CODE.of(stage=path.stem) for path in modules}
    changed: dict[str, list[str]] = {}
    for stage, note in notes.items():
        new = [f"{digest} {path}" for path, digest in code.digests(f"stages.{stage}").items()]
        # The folder stays when the stage runs: what was there says what is new.
        old = note.read("") if note.at("").is_file() else new
        for path in {line.split(" ", 1)[1] for line in {*new} ^ {*old}}:
            changed.setdefault(path, []).append(stage)
        note.write(new, "")
    for left in {*Path(CODE_NOTES).iterdir()} - {note.at("") for note in notes.values()}:
        left.unlink()
    for path, stages in sorted(changed.items()):
        print(f"code: {path}: changed; a part of {', '.join(stages)}", flush=True)


if __name__ == "__main__":
    run_tool(main)
