"""Compiled simulations, kept between builds: the same sources and tools make the same program."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from fpgaq import cache

#: Bytes of every kind that are kept; what was not used for the longest time goes first.
_MOST = 1 << 30


def compiled(kind: str, key: str, target: Path, build: Callable[[], None]) -> None:
    """Provide a compiled file: from the cache, or from a build, whose result is then kept.

    Parameters
    ----------
    kind : str
        Folder of the cache.
    key : str
        Digest of everything that decides about the file.
    target : Path
        Where the file is wanted, and where `build` puts it.
    build : callable
        Makes it.
    """
    entry = cache.folder(kind) / key
    partial = target.with_name(f"{target.name}.part")
    try:
        shutil.copy(entry, partial)
    except FileNotFoundError:
        build()
        _keep(target, entry)
        return
    partial.rename(target)
    with contextlib.suppress(FileNotFoundError):  # another process may have removed it
        os.utime(entry)


def _keep(source: Path, entry: Path) -> None:
    """Copy a file into the cache, under a temporary name first; a full disk is no reason to fail."""
    partial = entry.with_name(f"{entry.name}.{os.getpid()}.part")
    try:
        shutil.copy(source, partial)
        partial.rename(entry)
    except OSError:
        partial.unlink(missing_ok=True)
        return
    _forget_the_oldest(entry.parent)


def _forget_the_oldest(folder: Path) -> None:
    files = []
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            files.append((found.st_mtime, found.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= _MOST:
            return
        path.unlink(missing_ok=True)
        total -= size
