"""Output folders that are either complete or not there: work under a temporary name, rename at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from fpgaq.errors import ConfigError

#: What marks a folder as an output of a build, so that a new build may replace it.
MARKER = "report.json"


@contextlib.contextmanager
def building(output: Path, marker: str = MARKER) -> Iterator[Path]:
    """Provide a temporary folder that becomes `output` when the block ends without an exception.

    A folder that holds a file `marker` is one that this may replace.

    Raises
    ------
    ConfigError
        If `output` is a file, cannot be written, holds something else, or another build works on it.
    """
    output = output.absolute()
    _require_replaceable(output, marker)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(output.parent / f".{output.name}.lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(f"another build is writing {output}; wait for it or choose another output folder") from None
    except OSError as error:
        raise ConfigError(f"cannot write to {output.parent}: {error.strerror}; choose another output folder") from None
    try:
        partial = Path(tempfile.mkdtemp(prefix=f".{output.name}.partial-", dir=output.parent))
        try:
            yield partial
            _replace(partial, output)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(lock.lock_file)
        lock.release()


def _require_replaceable(output: Path, marker: str) -> None:
    if output.exists() and not output.is_dir():
        raise ConfigError(f"the output folder {output} is a file; choose another one")
    if output.is_dir() and any(output.iterdir()) and not (output / marker).is_file():
        raise ConfigError(
            f"the output folder {output} holds something else than a build; choose another one or empty it"
        )


def _replace(partial: Path, output: Path) -> None:
    os.chmod(partial, 0o755)
    if not output.exists():
        partial.rename(output)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{output.name}.old-", dir=output.parent))
    output.rename(old / output.name)
    partial.rename(output)
    shutil.rmtree(old, ignore_errors=True)
