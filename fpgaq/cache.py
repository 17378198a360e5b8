"""Results that can be reused between builds, keyed by content."""

from __future__ import annotations

import os
from pathlib import Path


def folder(name: str) -> Path:
    """Return (and make) a folder of the cache: below ``$FPGAQ_CACHE``, by default ``~/.cache/fpgaq``."""
    base = os.environ.get("FPGAQ_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "fpgaq")
    path = Path(base).expanduser() / name
    path.mkdir(parents=True, exist_ok=True)
    return path
