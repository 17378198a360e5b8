"""Unrolled matrices before their adder graphs are searched: what they will take, told from the matrix alone.

A search takes seconds a matrix, which is too long where thousands of designs are compared. How much adders are shared
depends mostly on a few figures of a matrix; the fit says how, see `benchmarks.estimator_predicted`.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from fpgaq.cmvm.csd import digit_counts
from fpgaq.errors import ConfigError
from fpgaq.estimate.coefficients import FILE
from fpgaq.ir.node import Bounds, Operand, frozen_array
from fpgaq.ir.ops import MatMul
from fpgaq.ir.ops.gated import reach
from fpgaq.rtl.dataflow import Block
from fpgaq.rtl.hardware import Hardware
from fpgaq.rtl.unroll import rounding_half
from fpgaq.rtl.unrolled_layer import UnrolledLayer
from fpgaq.rtl.verilog import Module

Real = NDArray[np.float64]

#: Digits of signed weights below which a search takes no time.
_LEAST_DIGITS = 40


@dataclass(frozen=True)
class Prediction:
    """How LUTs, flip-flops and latency follow from figures of a matrix.

    Parameters
    ----------
    low, high : sequence of float
        Range of every figure in the fit; what is outside counts as its end.
    lut, ff, stages : sequence of float
        Coefficients of the terms: logarithms of LUTs and flip-flops over the adders without sharing, and cycles.
    lut_error, ff_error : float
        As the error of a `Fit`.
    """

    low: Sequence[float]
    high: Sequence[float]
    lut: Sequence[float]
    ff: Sequence[float]
    stages: Sequence[float]
    lut_error: float
    ff_error: float

    def terms(self, figures: Real) -> Real:
        """Return one, the figures as shares of their ranges, and the products of any two of these."""
        low, high = np.array(self.low), np.array(self.high)
        shares = np.clip((figures - low) / (high - low), 0, 1)
        products = [a * b for a, b in itertools.combinations_with_replacement(shares.tolist(), 2)]
        return np.array([1.0, *shares.tolist(), *products])


@lru_cache
def prediction(family: str) -> Prediction:
    """Return what was fitted for a family.

    Raises
    ------
    ConfigError
        If nothing was.
    """
    families = json.loads(FILE.read_text())["families"]
    known = [name for name, found in families.items() if "predicted" in found]
    if family not in known:
        raise ConfigError(f"there is no fast estimate for FPGA family {family!r}; there is for {', '.join(known)}")
    return Prediction(**families[family]["predicted"])


@dataclass(frozen=True)
class PredictedLayer:
    """Stands for an unrolled layer whose adder graph is not known.

    Parameters
    ----------
    layer : UnrolledLayer
    rest : UnrolledLayer or None
        What follows the matrix.
    fitted : Prediction
    """

    layer: UnrolledLayer
    rest: UnrolledLayer | None
    fitted: Prediction

    @property
    def name(self) -> str:
        """Of its module."""
        return self.layer.name

    @property
    def summary(self) -> str:
        """One line."""
        return "unrolled, predicted"

    @property
    def ii(self) -> int:
        """Cycles between vectors."""
        return 1

    @property
    def latency(self) -> int:
        """Predicted cycles."""
        after = self.rest.latency if self.rest is not None else 0
        return max(round(float(self._terms @ self.fitted.stages) + after), 1)

    @property
    def lut(self) -> float:
        """LUTs of the matrix."""
        return self._unshared * math.exp(float(self._terms @ self.fitted.lut))

    @property
    def ff(self) -> float:
        """Registers of the whole layer."""
        return self._unshared * math.exp(float(self._terms @ self.fitted.ff))

    @cached_property
    def _figures(self) -> Real:
        return figures(self.layer)

    @cached_property
    def _terms(self) -> Real:
        return self.fitted.terms(self._figures)

    @property
    def _unshared(self) -> float:
        return math.exp(self._figures[0])

    def modules(self) -> list[Module]:
        """It has none."""
        raise NotImplementedError(f"{self.name}: an estimate writes no hardware")


@dataclass(frozen=True)
class PredictedHardware(Hardware):
    """A design whose unrolled matrices are predicted; it can be estimated, not written."""

    @cached_property
    def blocks(self) -> list[Block]:
        """The modules, in topological order."""
        found = Hardware(self.graph, self.clock_period, self.family).blocks
        fitted = prediction(self.family)
        return [
            dataclasses.replace(block, hardware=_predicted(block.hardware, fitted))
            if isinstance(block.hardware, UnrolledLayer) and is_predicted(block.hardware)
            else block
            for block in found
        ]


def is_predicted(layer: UnrolledLayer) -> bool:
    """Whether a layer begins with a matrix whose search takes time."""
    first = layer.nodes[0]
    return isinstance(first, MatMul) and int(digit_counts(first.weight).sum()) >= _LEAST_DIGITS


def _predicted(layer: UnrolledLayer, fitted: Prediction) -> PredictedLayer:
    return PredictedLayer(layer, rest_of(layer), fitted)


def rest_of(layer: UnrolledLayer) -> UnrolledLayer | None:
    """Return what follows the matrix as a layer of its own; None if nothing does."""
    if len(layer.nodes) == 1:
        return None
    matrix, half = layer.nodes[0], rounding_half(layer.nodes, 0)
    assert isinstance(matrix, MatMul)
    # More may be known of the result than follows from the bounds of the pixels.
    reached = reach(matrix.weight, Bounds(*(end.reshape(-1) for end in layer.sources[0].bounds)))
    ends = (np.clip(end + matrix.bias, matrix.type.min, matrix.type.max) + half for end in reached)
    sums = Operand(matrix.type, Bounds(*map(frozen_array, ends)))
    return dataclasses.replace(layer, nodes=layer.nodes[1:], sources=[sums], half=half)


def figures(layer: UnrolledLayer) -> Real:
    """Return logarithms of what tells matrices apart.

    Bits of adders without sharing, different columns, rows in use, signed digits a weight, bits of an input, absolute
    values of weights.
    """
    matrix = layer.nodes[0]
    assert isinstance(matrix, MatMul)
    lo, hi = (end.reshape(-1) for end in layer.sources[0].bounds)
    weight = matrix.weight * (hi > lo)[:, None]
    digits, reach = digit_counts(weight), np.maximum(np.abs(lo), np.abs(hi)).astype(np.float64)
    operands = digits.sum(axis=0) + (matrix.bias != 0)
    widths = np.ceil(np.log2(np.abs(weight).T @ reach + np.abs(matrix.bias) + 1)) + 1
    adders = np.maximum(np.ceil((operands - 1) / (layer.adder_inputs - 1)), 0)
    used = np.any(weight != 0, axis=1)
    counts = (
        float(adders @ widths),
        len(np.unique(weight, axis=1).T),
        int(used.sum()),
        digits.sum() / max(np.count_nonzero(weight), 1),
        np.mean(np.log2(hi - lo + 1.0)[used]) if used.any() else 1,
        len(np.unique(np.abs(weight[weight != 0]))),
    )
    return np.log(np.maximum(np.array(counts, np.float64), 1))
