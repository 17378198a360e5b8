"""Operations on images and series: padding, windows, the maximum of a window.

Tensors have one or two spatial axes and the channels last. A convolution is a padding, windows and a matrix, which is a
Keras kernel of shape (height, width, channels, filters) reshaped to (-1, filters).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from fpgaq.ir.node import Bounds, Node, Operand, checked_bounds
from fpgaq.ir.types import IntArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Pad(Node):
    """The same tensor with a margin on its spatial axes.

    Parameters
    ----------
    before, after : tuple of int
        Elements added at the two ends of every spatial axis.
    value : int
        Code of the margin.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    value: int = 0
    op = "pad"

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        axes = len(x.shape) - 1
        if axes < 1 or len(self.before) != axes or len(self.after) != axes or min(*self.before, *self.after) < 0:
            raise self.fail(f"margins {self.before} and {self.after} for a tensor of shape {list(x.shape)}")
        if x.type.frac != self.type.frac:
            raise self.fail(f"result with {self.type.frac} fraction bits, its input has {x.type.frac}")
        return checked_bounds(self, *(self.evaluate([bound[None]])[0] for bound in x.bounds))

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        margins = [(0, 0), *zip(self.before, self.after, strict=True), (0, 0)]
        return np.pad(values[0], margins, constant_values=self.value)

    def describe(self) -> str:
        return f"before={list(self.before)} after={list(self.after)} value={self.value}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Windows(Node):
    """All elements of a window as one vector, at every position of the window: (..., positions * channels).

    Within the vector the positions of the window come row by row, each with its channels.

    Parameters
    ----------
    size, stride, dilation : tuple of int
        One for every spatial axis.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    op = "windows"

    @property
    def positions(self) -> int:
        """Positions in a window."""
        return math.prod(self.size)

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        axes = len(x.shape) - 1
        if axes < 1 or any(len(p) != axes or min(p) < 1 for p in (self.size, self.stride, self.dilation)):
            raise self.fail(f"{self.describe()} for a tensor of shape {list(x.shape)}")
        if any(n < reach for n, reach in zip(x.shape[:-1], self._reach, strict=True)):
            raise self.fail(f"a window that reaches over {list(self._reach)} is larger than its input {list(x.shape)}")
        if x.type != self.type:
            raise self.fail(f"result of {self.type}, its input is {x.type}")
        return Bounds(*(self.evaluate([bound[None]])[0] for bound in x.bounds))

    @property
    def _reach(self) -> tuple[int, ...]:
        return tuple((n - 1) * d + 1 for n, d in zip(self.size, self.dilation, strict=True))

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        (x,) = values
        axes = len(self.size)
        spatial = tuple(range(1, axes + 1))
        views = sliding_window_view(x, self._reach, axis=spatial)  # (batch, *spatial, channels, *reach)
        steps = tuple(slice(None, None, s) for s in self.stride)
        taps = tuple(slice(None, None, d) for d in self.dilation)
        chosen = (slice(None), *steps, slice(None), *taps)
        views = np.moveaxis(views[chosen], axes + 1, -1)
        return views.reshape(*views.shape[: axes + 1], self.positions * x.shape[-1])

    def describe(self) -> str:
        return f"size={list(self.size)} stride={list(self.stride)} dilation={list(self.dilation)}"


def by_position(x: IntArray, positions: int) -> IntArray:
    """Return windows with the channels of every position on an axis of their own; also of no samples."""
    return x.reshape(*x.shape[:-1], positions, x.shape[-1] // positions)


@dataclass(frozen=True, eq=False, kw_only=True)
class WindowMax(Node):
    """Maximum of every channel over the positions of a window, as `Windows` lays them out.

    Parameters
    ----------
    positions : int
    """

    positions: int
    op = "window_max"

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        if not x.shape or self.positions < 1 or x.shape[-1] % self.positions:
            raise self.fail(f"windows of {self.positions} positions in a tensor of shape {list(x.shape)}")
        if x.type.frac != self.type.frac:
            raise self.fail(f"result with {self.type.frac} fraction bits, its input has {x.type.frac}")
        return checked_bounds(self, *(self.evaluate([bound[None]])[0] for bound in x.bounds))

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        (x,) = values
        return np.asarray(by_position(x, self.positions).max(axis=-2))

    def describe(self) -> str:
        return f"positions={self.positions}"
