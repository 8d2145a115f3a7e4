"""What code a stage is made of: the modules that it can reach, each with a digest of what it does.

Comments, docstrings and blank lines do not count: a reworded comment must not run hours of training again.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from pathlib import Path

from pipeline.common.errors import InputError

PACKAGES = ("pipeline", "stages")
PAGE_SUFFIXES = (".html", ".css", ".js")


class SourceCode:
    """The packages' modules as they are now; each file is read once.

    Args:
        root: the folder of the packages.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._trees: dict[Path, ast.Module] = {}
        self._imports: dict[Path, list[str]] = {}
        self._digests: dict[str, str] = {}

    def digests(self, module: str) -> dict[str, str]:
        """Every file that importing ``module`` can reach or that stands beside as a part of a page, with its digest.

        Args:
            module: a dotted name, e.g. ``stages.train_users``.

        Raises:
            InputError: a module is not Python.
        """
        files = self.closure(module)
        return {path: self._digest(path) for path in sorted(files | self._page_files(files))}

    def closure(self, module: str) -> set[str]:
        """Files of all modules that importing ``module`` can reach, as paths from the root; empty files left out.

        Imports are found in the source, so that none hides in a function.
        """
        found: set[str] = set()
        waiting = [module]
        while waiting:
            path = self._file(waiting.pop())
            if path is None or path.as_posix() in found:
                continue
            found.add(path.as_posix())
            waiting += self._imports_of(path)
            waiting += [".".join(path.parts[:depth]) for depth in range(1, len(path.parts))]
        return {path for path in found if (self.root / path).stat().st_size}

    def _page_files(self, files: set[str]) -> set[str]:
        """Templates, styles and scripts that stand beside such modules: what a module reads like a part of itself."""
        return {
            path.relative_to(self.root).as_posix()
            for folder in {(self.root / file).parent for file in files}
            for path in folder.iterdir()
            if path.suffix in PAGE_SUFFIXES
        }

    def _file(self, module: str) -> Path | None:
        path = Path(*module.split("."))
        for candidate in (path.with_suffix(".py"), path / "__init__.py"):
            if (self.root / candidate).is_file():
                return candidate
        return None

    def _imports_of(self, path: Path) -> list[str]:
        if path not in self._imports:
            try:
                self._trees[path] = ast.parse((self.root / path).read_text(encoding="utf-8"))
            except SyntaxError as error:
                raise InputError(f"{path}: not a Python module: {error}") from None
            names = []
            for node in ast.walk(self._trees[path]):
                if isinstance(node, ast.Import):
                    names += [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names.append(node.module)
                    names += [f"{node.module}.{alias.name}" for alias in node.names]
            self._imports[path] = [name for name in names if name.split(".")[0] in PACKAGES]
        return self._imports[path]

    def _digest(self, path: str) -> str:
        if path not in self._digests:
            text = (self.root / path).read_text(encoding="utf-8")
            # A module has been parsed by now: it was reached by imports.
            kept = essence(text, self._trees[Path(path)]) if path.endswith(".py") else text
            self._digests[path] = hashlib.sha256(kept.encode()).hexdigest()
        return self._digests[path]


def essence(source: str, tree: ast.Module | None = None) -> str:
    """Python source without comments, docstrings and blank lines; what is left is as it was, to the letter.

    Args:
        tree: the source's, if it has been parsed.

    It is cut by lines and columns, and not written anew from the syntax tree, whose form differs between versions of Python.
    """
    lines = source.splitlines()
    dropped = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        row, column = token.start
        if token.type == tokenize.COMMENT:
            lines[row - 1] = lines[row - 1][:column].rstrip()
        # A blank line within a string belongs to the string's own token.
        if token.type == tokenize.NL and not lines[row - 1].strip():
            dropped.add(row)
    for first, last in _docstrings(source, tree or ast.parse(source)):
        dropped.update(range(first, last + 1))
    return "".join(f"{line}\n" for row, line in enumerate(lines, 1) if row not in dropped)


def _docstrings(source: str, tree: ast.Module) -> list[tuple[int, int]]:
    """First and last line of every docstring that has its lines to itself."""
    lines = source.splitlines()
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = node.body[0] if node.body else None
        if not (
            isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
        ):
            continue
        assert first.end_lineno is not None
        assert first.end_col_offset is not None
        before = lines[first.lineno - 1].encode()[: first.col_offset]
        after = lines[first.end_lineno - 1].encode()[first.end_col_offset :].strip()
        if not before.strip() and (not after or after.startswith(b"#")):
            found.append((first.lineno, first.end_lineno))
    return found
