"""The node of the integer graph: an immutable operation with a typed result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from fpgaq.errors import ModelError
from fpgaq.ir.types import INT64_LIMIT, FixedType, IntArray


class Bounds(NamedTuple):
    """Exact interval of every element of a tensor: integer codes, shaped like the tensor."""

    lo: IntArray
    hi: IntArray

    @property
    def hull(self) -> tuple[int, int]:
        """Interval that holds every element."""
        return int(self.lo.min()), int(self.hi.max())

    @property
    def channels(self) -> Bounds:
        """Interval of every channel (last axis) that holds it at all positions."""
        axes = tuple(range(self.lo.ndim - 1))
        return Bounds(self.lo.min(axis=axes), self.hi.max(axis=axes))


class Operand(NamedTuple):
    """What a node sees of one of its inputs."""

    type: FixedType
    bounds: Bounds

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor, without the batch."""
        return self.bounds.lo.shape


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """One operation on integer tensors.

    Parameters
    ----------
    name : str
        Unique in the graph.
    inputs : tuple of str
        Names of the nodes whose results it reads.
    type : FixedType
        Format of the result. Every operation but a cast is lossless: a type that does not hold the exact result is an
        error.
    layer : str
        Layer of the model that it came from.
    """

    name: str
    inputs: tuple[str, ...]
    type: FixedType
    layer: str

    op: ClassVar[str]

    def infer(self, operands: Sequence[Operand]) -> Bounds:
        """Return exact bounds of the result, in units of its type.

        Raises
        ------
        ModelError
            If the operands do not fit the operation.
        """
        raise NotImplementedError

    def evaluate(self, values: Sequence[IntArray]) -> IntArray:
        """Compute the codes of the result; every array has a leading batch axis."""
        raise NotImplementedError

    def describe(self) -> str:
        """Return the parameters of the operation as a short text."""
        return ""

    def fail(self, message: str) -> ModelError:
        """Return an error that names the layer."""
        return ModelError(f"layer {self.layer!r}: {message}")


def frozen_array(values: object) -> IntArray:
    """Return a read-only int64 copy; constants of a graph must not change."""
    array = np.array(values, dtype=np.int64)
    array.setflags(write=False)
    return array


def checked_bounds(node: Node, lo: IntArray, hi: IntArray) -> Bounds:
    """Return bounds after checking that they fit both the interpreter and the type of the node."""
    least, most = int(np.min(lo)), int(np.max(hi))
    if least < -INT64_LIMIT or most > INT64_LIMIT:
        raise node.fail(
            f"results between {least} and {most} (units of 2^-{node.type.frac}) do not fit 63 bits; "
            "use a lower input, weight or scale precision"
        )
    if not node.type.covers(least, most):
        needed = FixedType.from_interval(least, most, node.type.frac)
        raise node.fail(f"type {node.type} does not hold the exact result; {needed} does")
    return Bounds(frozen_array(lo), frozen_array(hi))


def exact_shift(codes: IntArray, shift: int, node: Node) -> IntArray:
    """Return ``codes << shift``, refusing shifts that leave 63 bits."""
    if shift < 0:
        raise node.fail(f"its result has {-shift} fraction bits less than its exact value")
    if codes.size and int(np.abs(codes).max()) << shift > INT64_LIMIT:
        raise node.fail(f"aligning a constant by {shift} bits does not fit 63 bits; use a lower precision")
    return codes << shift
