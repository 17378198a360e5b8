"""Where the files that are not Python lie: in the wheel beside the package's modules, in a checkout at the top."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def _folder(name: str) -> Path:
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def hls_templates() -> Path:
    """Folder of our HLS C++ headers."""
    return _folder("hls_templates")


def benches() -> Path:
    """Folder of the cocotb test benches."""
    return _folder("sim")


def rtl_library() -> Path:
    """Folder of the SystemVerilog library blocks."""
    return _PACKAGE / "rtl" / "lib"
