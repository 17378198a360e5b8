"""The parts that scripts are written for when the user names none."""

from __future__ import annotations

import re

from fpgaq.errors import ConfigError

#: By family: a part of a common board.
_PARTS = {"xc7": "xc7z020clg400-1", "xcup": "xczu7ev-ffvc1156-2-e"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


def part_of(family: str, given: str | None) -> str:
    """Return the part to build for.

    Raises
    ------
    ConfigError
        If the family is not AMD's, or the name cannot be one of a part.
    """
    if family not in _PARTS:
        known = " and ".join(_PARTS)
        raise ConfigError(f"Vivado and Vitis HLS do not build for {family}; build the design for {known}")
    if given is not None and not _NAME.fullmatch(given):
        raise ConfigError(f"{given!r} is no name of a part, such as {_PARTS[family]}")
    return given or _PARTS[family]
