"""LUTs of a table: of every bit of its words the distinct parts that LUTs of six inputs hold."""

from __future__ import annotations

from collections.abc import Sequence

#: Inputs of a LUT.
_INPUTS = 6


def table_luts(words: Sequence[int], width: int) -> int:
    """Return the LUTs of a table.

    Parameters
    ----------
    words : sequence of int
        What is read at every address.
    width : int
        Bits of a word.
    """
    planes = {tuple(word >> bit & 1 for word in words) for bit in range(width)}
    return sum(_plane_luts(plane) for plane in planes)


def _plane_luts(plane: tuple[int, ...]) -> int:
    if len(set(plane)) == 1 or _is_wire(plane):
        return 0
    size = 1 << _INPUTS
    parts = {plane[k : k + size] for k in range(0, len(plane), size)}
    # A multiplexer beside two LUTs selects between them, LUTs select among more.
    return sum(len(set(part)) > 1 for part in parts) + max(len(plane) // (2 * size) - 1, 0)


def _is_wire(plane: tuple[int, ...]) -> bool:
    """Whether the table is one of its address bits."""
    return any(
        all(value == (k >> bit & 1) for k, value in enumerate(plane)) for bit in range((len(plane) - 1).bit_length())
    )
