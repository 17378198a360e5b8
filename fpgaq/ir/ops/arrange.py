"""Operations that drop, repeat or reorder elements: cropping, upsampling, permuting axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpgaq.ir.node import Bounds, Node, Operand
from fpgaq.ir.types import IntArray


class _Arranging(Node):
    """What moves values without changing them."""

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        self._require_shape(x.shape)
        if x.type != self.type:
            raise self.fail(f"result of {self.type}, its input is {x.type}")
        return Bounds(*(self.evaluate([bound[None]])[0] for bound in x.bounds))

    def _require_shape(self, shape: tuple[int, ...]) -> None:
        """Raise `ModelError` if the parameters do not fit a tensor."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False, kw_only=True)
class Crop(_Arranging):
    """The tensor without some elements at the ends of its spatial axes.

    Parameters
    ----------
    before, after : tuple of int
        Elements dropped at the two ends of every spatial axis.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    op = "crop"

    def _require_shape(self, shape: tuple[int, ...]) -> None:
        fits = len(self.before) == len(self.after) == len(shape) - 1 and min(*self.before, *self.after, 0) == 0
        if not fits or any(b + a >= n for n, b, a in zip(shape, self.before, self.after, strict=False)):
            raise self.fail(f"crops {self.before} and {self.after} of a tensor of shape {list(shape)}")

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        (x,) = values
        ends = zip(x.shape[1:-1], self.before, self.after, strict=True)
        kept = (slice(None), *(slice(b, n - a) for n, b, a in ends))
        return x[kept]

    def describe(self) -> str:
        return f"before={list(self.before)} after={list(self.after)}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Repeat(_Arranging):
    """Every element several times in a row along the spatial axes: upsampling to the nearest.

    Parameters
    ----------
    times : tuple of int
        One for every spatial axis.
    """

    times: tuple[int, ...]
    op = "repeat"

    def _require_shape(self, shape: tuple[int, ...]) -> None:
        if len(self.times) != len(shape) - 1 or min(self.times, default=0) < 1:
            raise self.fail(f"repeating {list(self.times)} times in a tensor of shape {list(shape)}")

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        (x,) = values
        for axis, times in enumerate(self.times, start=1):
            x = np.repeat(x, times, axis=axis)
        return x

    def describe(self) -> str:
        return f"times={list(self.times)}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Permute(_Arranging):
    """The tensor with its axes in another order.

    Parameters
    ----------
    axes : tuple of int
        Which axis of the input each one of the result is, from 0 on, without the batch.
    """

    axes: tuple[int, ...]
    op = "permute"

    def _require_shape(self, shape: tuple[int, ...]) -> None:
        if sorted(self.axes) != list(range(len(shape))):
            raise self.fail(f"axes {list(self.axes)} of a tensor of shape {list(shape)}")

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        return np.transpose(values[0], (0, *(axis + 1 for axis in self.axes)))

    def describe(self) -> str:
        return f"axes={list(self.axes)}"
