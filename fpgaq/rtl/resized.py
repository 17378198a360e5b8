"""An element of a word with the bits of another type, as an expression."""

from __future__ import annotations

from fpgaq.ir.types import FixedType


def resized(word: str, bits: int, low: int, source: FixedType, width: int, shift: int = 0) -> str:
    """Return an element, shifted left, in `width` bits: its value where that is wide enough, its low bits else.

    Parameters
    ----------
    word : str
        Signal that holds it.
    bits : int
        Of the signal.
    low : int
        Its first bit in there.
    source : FixedType
        Of the element.
    width, shift : int
        Bits of the result, and zeros below.
    """
    if width <= shift:  # as where every value is zero, and its type has bits nevertheless
        return f"{width}'d0"
    kept = min(width - shift, source.width)
    # A signal of one bit has no index.
    text, sign = (word, word) if bits == 1 else (f"{word}[{low}+:{kept}]", f"{word}[{low + source.width - 1}]")
    parts = [text]
    missing = width - shift - kept
    if missing:
        parts.insert(0, f"{{{missing}{{{sign}}}}}" if source.signed else f"{missing}'d0")
    if shift:
        parts.append(f"{shift}'d0")
    return f"{{{', '.join(parts)}}}" if len(parts) > 1 else text
