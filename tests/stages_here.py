"""Let the stages of a command such as `dvc repro` run in the tests' own process, which spares the seconds that each takes to start.

DVC decides, starts `./stage` and waits as ever. What `./stage` finds as `python` is a stand-in that hands its command line over to
the tests and gives what they answer: output and exit code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Client, Listener
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from tests.in_process import run_module

Answer = TypeVar("Answer")
# Asked by `-c` whether it has the project's packages, it says yes: the tests have them.
STAND_IN = """#!{python} -IS
import os, sys
from multiprocessing.connection import Client
if sys.argv[1] == "-m":
    with Client({address!r}) as tests:
        tests.send((os.getcwd(), *sys.argv[2:]))
        code, out, err = tests.recv()
    sys.stdout.buffer.write(out.encode())
    sys.stderr.buffer.write(err.encode())
    sys.exit(code)
"""


def with_stages_here(command: Callable[[Path], Answer]) -> Answer:
    """What a command returns that runs while this process waits for stages.

    Args:
        command: takes the folder that is to come first on the path of what it starts; runs in a thread of its own.
    """
    with (
        TemporaryDirectory() as folder,
        Listener(str(Path(folder) / "tests")) as listener,
        ThreadPoolExecutor(1) as pool,
    ):
        python = Path(folder) / "python"
        python.write_text(STAND_IN.format(python=sys.executable, address=listener.address))
        python.chmod(0o755)
        running = pool.submit(command, Path(folder))
        # Who says nothing tells that the command has ended.
        running.add_done_callback(lambda _: Client(listener.address).close())
        while True:
            with listener.accept() as asked:
                try:
                    where, module, *arguments = asked.recv()
                except EOFError:
                    return running.result()
                asked.send(tuple(run_module(module, *arguments, folder=Path(where))))
