"""Operations that are linear in their input: constant matrices and per-channel scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpgaq.ir.node import Bounds, Node, Operand, checked_bounds, frozen_array
from fpgaq.ir.types import IntArray


@dataclass(frozen=True, eq=False, kw_only=True)
class MatMul(Node):
    """``y = x @ weight + bias`` on the last axis.

    Parameters
    ----------
    weight : int array, shape (n_in, n_out)
        Codes with `weight_frac` fraction bits.
    bias : int array, shape (n_out,)
        In units of the result, whose fraction bits are those of the input plus `weight_frac`.
    reuse : int
        Reuse factor that the user asked for; 1 is fully unrolled.
    """

    weight: IntArray
    weight_frac: int
    bias: IntArray
    reuse: int = 1
    op = "matmul"

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", frozen_array(self.weight))
        object.__setattr__(self, "bias", frozen_array(self.bias))

    @property
    def n_in(self) -> int:
        """Length of the input vector."""
        return int(self.weight.shape[0])

    @property
    def n_out(self) -> int:
        """Length of the output vector."""
        return int(self.weight.shape[1])

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        if not x.shape or x.shape[-1] != self.n_in or self.bias.shape != (self.n_out,):
            raise self.fail(f"input of shape {list(x.shape)} does not fit a {self.n_in}x{self.n_out} matrix")
        if self.type.frac != x.type.frac + self.weight_frac:
            raise self.fail(f"result with {self.type.frac} fraction bits, {x.type.frac + self.weight_frac} are exact")
        # Python integers: the bound itself may not fit int64, and must then be reported.
        weight, lo, hi = (a.astype(object) for a in (self.weight, x.bounds.lo, x.bounds.hi))
        up, down = np.maximum(weight, 0), np.minimum(weight, 0)
        return checked_bounds(self, lo @ up + hi @ down + self.bias, hi @ up + lo @ down + self.bias)

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        return values[0] @ self.weight + self.bias

    def describe(self) -> str:
        return f"{self.n_in}x{self.n_out} weight_frac={self.weight_frac} reuse={self.reuse}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Affine(Node):
    """``y = x * scale + bias`` with one scale and bias per channel (last axis).

    Parameters
    ----------
    scale : int array, shape (channels,)
        Codes with `scale_frac` fraction bits.
    bias : int array, shape (channels,)
        In units of the result, whose fraction bits are those of the input plus `scale_frac`.
    """

    scale: IntArray
    scale_frac: int
    bias: IntArray
    op = "affine"

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", frozen_array(self.scale))
        object.__setattr__(self, "bias", frozen_array(self.bias))

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        (x,) = operands
        if not x.shape or self.scale.shape != (x.shape[-1],) or self.bias.shape != self.scale.shape:
            raise self.fail(f"{self.scale.size} scales for an input of shape {list(x.shape)}")
        if self.type.frac != x.type.frac + self.scale_frac:
            raise self.fail(f"result with {self.type.frac} fraction bits, {x.type.frac + self.scale_frac} are exact")
        scale = self.scale.astype(object)
        ends = x.bounds.lo * scale, x.bounds.hi * scale
        return checked_bounds(self, np.minimum(*ends) + self.bias, np.maximum(*ends) + self.bias)

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        return values[0] * self.scale + self.bias

    def describe(self) -> str:
        return f"channels={self.scale.size} scale_frac={self.scale_frac}"
