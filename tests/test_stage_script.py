"""`./stage`, by which dvc.yaml runs every stage, finds a Python that has the project's packages, or says that there is none."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.repository import ROOT

SAYS = '#!/bin/sh\n[ "$1" != -c ] || exit {code}\necho {name} "$@"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "stage", tmp_path)
    return tmp_path


def with_python(folder: Path, name: str, *, packages: bool) -> None:
    """A stand-in for Python that says its name and its arguments."""
    folder.mkdir(parents=True)
    python = folder / "python"
    python.write_text(SAYS.format(name=name, code=0 if packages else 1))
    python.chmod(0o755)


def run(project: Path) -> tuple[int, str, str]:
    command = ["/bin/sh", "./stage", "fetch", "--dataset", "my data"]
    environment = {"PATH": str(project / "bin")}
    result = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout, result.stderr


def test_the_python_on_the_path_comes_first(project: Path) -> None:
    with_python(project / "bin", "active", packages=True)
    with_python(project / ".venv/bin", "own", packages=True)
    assert run(project) == (0, "active -m stages.fetch --dataset my data\n", "")


@pytest.mark.parametrize("on_the_path", [True, False])
def test_without_an_active_environment_it_is_that_of_the_project(project: Path, on_the_path: bool) -> None:
    if on_the_path:
        with_python(project / "bin", "the system's", packages=False)
    with_python(project / ".venv/bin", "own", packages=True)
    assert run(project) == (0, "own -m stages.fetch --dataset my data\n", "")


@pytest.mark.parametrize("on_the_path", [True, False])
def test_without_any_environment_it_is_one_line(project: Path, on_the_path: bool) -> None:
    if on_the_path:
        with_python(project / "bin", "the system's", packages=False)
    code, out, err = run(project)
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "error: no Python with the project's packages on the path or in .venv; run `make setup`, or activate your environment"
    ]


def test_the_packages_that_it_looks_for_are_those_of_the_project(project: Path) -> None:
    result = subprocess.run(["./stage", "validate", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "Check the whole of params.yaml" in result.stdout
