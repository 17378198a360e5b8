"""Operations that are linear in their input: constant matrices and per-channel scales."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError
from fpgaq.ir.node import Bounds, Node, Operand, checked_bounds, frozen_array
from fpgaq.ir.types import INT64_LIMIT, IntArray
from fpgaq.quantize.formats.base import WeightFormat


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
    format : WeightFormat or None
        Number set that the weights were trained in, where that is known.
    unit : int array, shape (n_out,)
        ``weight = format.decode(codes) * unit * 2**-unit_frac``; without meaning where there is no format.
    unit_frac : int
        Fraction bits of a unit below those of the weights, when the smallest levels are not in use.
    present : int array, shape of the weights or empty
        0 where there is no weight but a zero between the channels of a depthwise convolution, which no format has to
        hold; empty where there are weights everywhere.
    """

    weight: IntArray
    weight_frac: int
    bias: IntArray
    reuse: int = 1
    format: WeightFormat | None = None
    unit: IntArray = field(default_factory=lambda: np.ones(0, np.int64))
    unit_frac: int = 0
    present: IntArray = field(default_factory=lambda: np.ones(0, np.int64))
    op = "matmul"

    def __post_init__(self) -> None:
        for name in ("weight", "bias", "unit", "present"):
            object.__setattr__(self, name, frozen_array(getattr(self, name)))
        if self.present.size and (self.present.shape != self.weight.shape or np.any(self.weight[~self.is_weight])):
            raise self.fail("it has weights where none are present")
        if self.format is not None:
            if self.unit.shape != (self.n_out,) or np.any(self.unit == 0):
                raise self.fail(f"{self.unit.size} units for {self.n_out} outputs of format {self.format}")
            _ = self.codes  # weights outside the format are refused here

    @property
    def is_weight(self) -> NDArray[np.bool_]:
        """Where there is a weight, shaped like the matrix."""
        return self.present != 0 if self.present.size else np.ones(self.weight.shape, bool)

    @property
    def levels(self) -> IntArray:
        """The weights as integers of their format; the weights themselves where there is none."""
        return self.weight if self.format is None else (self.weight << self.unit_frac) // self.unit

    @property
    def codes(self) -> IntArray:
        """The bits that are stored for each weight, shaped like the matrix; 0 where there is none.

        Raises
        ------
        ModelError
            If there is no format, or a weight is not in it.
        """
        if self.format is None:
            raise self.fail("its weights have no number format")
        if np.any(self.levels * self.unit != self.weight << self.unit_frac):
            raise self.fail(f"weights are not multiples of the unit of format {self.format}")
        codes = np.zeros_like(self.weight)
        try:
            codes[self.is_weight] = self.format.encode(self.levels[self.is_weight])
        except ConfigError as error:
            raise self.fail(str(error)) from None
        return codes

    def with_weights(self, weight: IntArray, unit: IntArray, **changes: Any) -> MatMul:
        """Return the node with other weights; it keeps its format only if they are all in it."""
        plain = dataclasses.replace(self, weight=weight, format=None, **changes)
        if self.format is None or not unit.all():
            return plain
        levels = (weight << self.unit_frac) // unit
        exact = np.all(levels * unit == weight << self.unit_frac)
        if not exact or not np.isin(levels[plain.is_weight], self.format.levels).all():
            return plain
        return dataclasses.replace(plain, format=self.format, unit=unit)

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
        # Python integers where a bound may not fit int64: it must then be reported. They are slow on images.
        kind = np.int64 if self.largest_partial_sum(x.bounds) <= INT64_LIMIT else object
        weight, lo, hi = (a.astype(kind) for a in (self.weight, x.bounds.lo, x.bounds.hi))
        up, down = np.maximum(weight, 0), np.minimum(weight, 0)
        return checked_bounds(self, lo @ up + hi @ down + self.bias, hi @ up + lo @ down + self.bias)

    def largest_partial_sum(self, x: Bounds) -> int:
        """Bound on any sum of a part of the terms, in units of the result."""
        reach = np.maximum(np.abs(x.lo), np.abs(x.hi)).reshape(-1, self.n_in).max(axis=0).astype(object)
        return int((reach @ np.abs(self.weight).astype(object) + np.abs(self.bias)).max())

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        """Multiply codes, or floats that are codes of a type in which every partial sum is exact."""
        rows = values[0].reshape(-1, self.n_in)  # one product of two matrices, where numpy would make many
        found = (rows @ self.weight.astype(rows.dtype)).astype(np.int64) + self.bias
        return np.asarray(found.reshape(*values[0].shape[:-1], self.n_out))

    def describe(self) -> str:
        text = f"{self.n_in}x{self.n_out} weight_frac={self.weight_frac} reuse={self.reuse}"
        return text if self.format is None else f"{text} format={self.format}"


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
