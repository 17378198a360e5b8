"""LUTs of a table: of every bit of its words the distinct parts that LUTs hold."""

from __future__ import annotations

from collections.abc import Sequence


def table_luts(words: Sequence[int], width: int, inputs: int = 6) -> int:
    """Return the LUTs of a table.

    Parameters
    ----------
    words : sequence of int
        What is read at every address.
    width : int
        Bits of a word.
    inputs : int
        Inputs of a LUT.
    """
    planes = {tuple(word >> bit & 1 for word in words) for bit in range(width)}
    return sum(_plane_luts(plane, 1 << inputs) for plane in planes)


def _plane_luts(plane: tuple[int, ...], size: int) -> int:
    if len(set(plane)) == 1 or _is_wire(plane):
        return 0
    parts = {plane[k : k + size] for k in range(0, len(plane), size)}
    # A multiplexer beside two LUTs selects between them, LUTs select among more.
    return sum(len(set(part)) > 1 for part in parts) + max(len(plane) // (2 * size) - 1, 0)


def _is_wire(plane: tuple[int, ...]) -> bool:
    """Whether the table is one of its address bits."""
    return any(
        all(value == (k >> bit & 1) for k, value in enumerate(plane)) for bit in range((len(plane) - 1).bit_length())
    )
