"""What the blocks that pass pixels on have in common."""

from __future__ import annotations


class PixelBlock:
    """A block with one register between the beat that completes a result and the result."""

    @property
    def gives(self) -> tuple[bool, ...]:
        """Whether each beat of a frame that comes completes a result, over and over."""
        return (True,)

    @property
    def latency(self) -> int:
        """Cycles from the beat that completes a result accepted to the result."""
        return 1

    @property
    def ii(self) -> int:
        """Cycles between beats, of those that come or of those of the result, whichever are more."""
        return 1
