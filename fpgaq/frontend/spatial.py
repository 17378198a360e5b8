"""The geometry of a window that moves over an image or a series, as Keras defines it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: What hls4ml calls the spatial axes, and the two ends of each.
AXES = ("height", "width")
ENDS = (("top", "bottom"), ("left", "right"))


@dataclass(frozen=True)
class Geometry:
    """A window on the spatial axes; every tuple has one number per axis.

    Parameters
    ----------
    size, stride, dilation : tuple of int
    before, after : tuple of int
        Margins.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def axes(self) -> int:
        """Number of spatial axes."""
        return len(self.size)

    @property
    def margins(self) -> dict[str, Any]:
        """Margins by the names of hls4ml's attributes."""
        ends = zip(ENDS[-self.axes :], self.before, self.after, strict=True)
        return {f"pad_{end}": n for names, *pads in ends for end, n in zip(names, pads, strict=True)}

    @property
    def padded(self) -> bool:
        """Whether there is a margin."""
        return any(self.before) or any(self.after)

    def attributes(self, prefix: str) -> dict[str, Any]:
        """Return the attributes of an hls4ml layer; `prefix` is "filt" or "pool"."""
        each = zip(AXES[-self.axes :], self.size, self.stride, self.dilation, strict=True)
        found = self.margins
        for axis, size, stride, dilation in each:
            found |= {f"{prefix}_{axis}": size, f"stride_{axis}": stride, f"dilation_{axis}": dilation}
        return found

    @classmethod
    def of_layer(cls, layer: Any, prefix: str, axes: int) -> Geometry:
        """Read the attributes of an hls4ml layer back."""

        def each(what: str, names: Sequence[str], default: int | None = None) -> tuple[int, ...]:
            return tuple(int(layer.get_attr(f"{what}_{name}", default)) for name in names)

        names, (first, last) = AXES[-axes:], zip(*ENDS[-axes:], strict=True)
        size, stride, dilation = each(prefix, names), each("stride", names), each("dilation", names, 1)
        return cls(size, stride, dilation, each("pad", first), each("pad", last))


def lengths(what: str, shape: Sequence[int]) -> dict[str, Any]:
    """Return the lengths of the spatial axes by hls4ml's names; `what` is "in" or "out"."""
    image = shape[:-1]
    return {f"{what}_{axis}": n for axis, n in zip(AXES[-len(image) :], image, strict=True)}


def keras_geometry(
    image: Sequence[int], size: Sequence[int], stride: Sequence[int], dilation: Sequence[int], padding: str
) -> Geometry:
    """Return the window of a Keras layer with the margins that its padding makes.

    Parameters
    ----------
    image : sequence of int
        Length of every spatial axis.
    size, stride, dilation : sequence of int
    padding : str
        "valid", "same" (as many windows as strides fit, the odd element of the margin at the end) or "causal".
    """
    reach = [(n - 1) * d + 1 for n, d in zip(size, dilation, strict=True)]
    if padding == "same":
        missing = [max((-(-n // s) - 1) * s + r - n, 0) for n, s, r in zip(image, stride, reach, strict=True)]
        before = [m // 2 for m in missing]
    elif padding == "causal":
        missing = before = [r - 1 for r in reach]
    else:
        missing = before = [0] * len(image)
    after = [m - b for m, b in zip(missing, before, strict=True)]
    return Geometry(tuple(size), tuple(stride), tuple(dilation), tuple(before), tuple(after))
