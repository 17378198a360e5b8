"""Writing models: refused before any work where it cannot be, and never half a file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from fpgaq.errors import ConfigError

_SUFFIXES = (".keras", ".h5", ".hdf5")


def check_output(path: Path) -> None:
    """Refuse a path that no model can be written to.

    Raises
    ------
    ConfigError
        If the suffix is none of a model, the path is a folder, or its folder is missing or read-only.
    """
    if path.suffix not in _SUFFIXES:
        raise ConfigError(f"output {path}: suffix {path.suffix!r} is not one of {', '.join(_SUFFIXES)}")
    if not path.parent.is_dir():
        raise ConfigError(f"cannot write {path}: the folder {path.parent} does not exist; make it")
    if path.is_dir():
        raise ConfigError(f"cannot write {path}: it is a folder; name a file")
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(f"cannot write {path}: {why}; choose another folder than {path.parent}") from None


def save(model: Any, path: Path) -> None:
    """Write a model; a file that is there stays until the new one is whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}_", suffix=path.suffix)
    os.close(handle)
    part = Path(name)
    try:
        model.save(part)
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _umask() -> int:
    """Return which rights new files do not get; a temporary file has fewer."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
