"""Which files a module needs, and a hash over everything that decides its synthesis result."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fpgaq.errors import ConfigError

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_MODULE = re.compile(r"^\s*module\s+(?:automatic\s+)?(\w+)", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class SourceFile:
    """One SystemVerilog file: the modules it defines and every word it mentions."""

    path: Path

    @cached_property
    def text(self) -> str:
        """The text, comments left out: they decide nothing."""
        return _COMMENT.sub("", self.path.read_text())

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """Names of the modules defined here."""
        return tuple(_MODULE.findall(self.text))

    @cached_property
    def words(self) -> frozenset[str]:
        """Every identifier that occurs, which includes the modules instantiated."""
        return frozenset(_WORD.findall(self.text))


class Sources:
    """A set of source files, looked up by the modules they define.

    Parameters
    ----------
    paths
        SystemVerilog files in any order.
    data_files
        Files that ``$readmemh`` reads, mentioned in the sources by their bare names.

    Raises
    ------
    ConfigError
        A file is missing, two files define the same module, or two data files have the same name.
    """

    def __init__(self, paths: Iterable[Path], data_files: Iterable[Path] = ()) -> None:
        self.files = [SourceFile(_existing(path)) for path in paths]
        self.data_files = {path.name: path for path in map(_existing, data_files)}
        self._definition: dict[str, SourceFile] = {}
        for file in self.files:
            for module in file.modules:
                if module in self._definition:
                    raise ConfigError(
                        f"Module '{module}' is defined in {self._definition[module].path} and in {file.path}; keep one."
                    )
                self._definition[module] = file

    def __contains__(self, module: str) -> bool:
        return module in self._definition

    def reachable(self, top: str) -> list[SourceFile]:
        """Return the files needed to elaborate `top`, in the order given to the constructor.

        A file counts as needed when the name of a module it defines occurs, so there may be a file too many.

        Raises
        ------
        ConfigError
            No file defines `top`.
        """
        if top not in self._definition:
            known = ", ".join(sorted(self._definition)) or "none"
            raise ConfigError(f"No source file defines module '{top}'. Modules found: {known}.")
        found: set[SourceFile] = set()
        todo = [self._definition[top]]
        while todo:
            file = todo.pop()
            if file not in found:
                found.add(file)
                todo.extend(self._definition[word] for word in file.words & self._definition.keys())
        return [file for file in self.files if file in found]

    def data_of(self, files: Sequence[SourceFile]) -> dict[str, Path]:
        """Return the data files whose names occur in `files`, by bare name."""
        return {name: path for name, path in self.data_files.items() if any(f'"{name}"' in file.text for file in files)}


def fingerprint(files: Iterable[Path], data: Iterable[Path], *facts: str) -> str:
    """Return a hash of file contents (with their order) and of the other facts that decide a result."""
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(f"{fact}\0".encode())
    for path in (*files, *data):
        content = path.read_bytes()
        digest.update(f"{path.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _existing(path: Path) -> Path:
    resolved = Path(path).resolve()
    if not resolved.is_file():
        raise ConfigError(f"Source file {path} does not exist.")
    return resolved
