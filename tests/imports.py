"""Which modules of this repository a module imports, found in the source: no import hides in a function."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("pipeline", "stages")
PAGE_SUFFIXES = (".html", ".css", ".js")


def closure(module: str) -> set[str]:
    """Files of all modules that importing ``module`` can reach, as paths from the repository's root; empty files left out."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        path = _file(waiting.pop())
        if path is None or str(path) in found:
            continue
        found.add(str(path))
        waiting += _imports(ROOT / path)
        waiting += [".".join(path.parts[:depth]) for depth in range(1, len(path.parts))]
    return {path for path in found if (ROOT / path).stat().st_size}


def page_files(files: set[str]) -> set[str]:
    """Templates, styles and scripts that stand beside such modules: what a module reads like a part of itself."""
    folders = {ROOT / Path(file).parent for file in files}
    return {
        str(path.relative_to(ROOT)) for folder in folders for path in folder.iterdir() if path.suffix in PAGE_SUFFIXES
    }


def _file(module: str) -> Path | None:
    path = Path(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if (ROOT / candidate).is_file():
            return candidate
    return None


def _imports(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in names if name.split(".")[0] in PACKAGES]
