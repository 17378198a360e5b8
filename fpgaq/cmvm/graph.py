"""Adder graphs: the linear part of a layer as a list of two- and three-input adders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fpgaq.cmvm._cost import Operand, added_bits, top_bit, width
from fpgaq.errors import FpgaqError, ModelError

MAX_OPERANDS = 3
MAX_NEGATIVE = 2  # the carry-in constants of a three-input adder hold +1 twice, not three times


class IntegerRangeError(FpgaqError, OverflowError):
    """A value of the adder graph does not fit in 64 bits."""


@dataclass(frozen=True, slots=True)
class Term:
    """One operand, ``(node << shift)`` or its negative.

    Attributes
    ----------
    node : int
        ``0 .. n_inputs-1`` are the inputs, ``n_inputs + k`` is adder ``k``.
    shift : int
        Left shift in bits, >= 0.
    negative : bool
        Whether the operand is subtracted.
    """

    node: int
    shift: int
    negative: bool


@dataclass(frozen=True, slots=True)
class Adder:
    """The sum of one to three terms, a constant and an offset.

    Attributes
    ----------
    terms : tuple of Term
        At most two of them negative.
    constant : int
        Counts as an operand when it is not zero. An adder has two or three operands; the exceptions are a lone
        negated term, which is how an output that is a negated input is written, and a lone term with an offset.
    offset : int
        A constant that costs nothing: it stands in the unused bits above a term that is never negative, so it is a
        multiple of the power of two there. It keeps the result from being negative, which saves signs to extend. A
        lone term that may be negative has half of its range as offset: its sign bit is inverted.
    """

    terms: tuple[Term, ...]
    constant: int
    offset: int = 0

    @property
    def operands(self) -> int:
        """Number of operands, the constant included."""
        return len(self.terms) + (self.constant != 0)

    @property
    def lifts(self) -> bool:
        """Whether this is no adder, but a term with its sign bit inverted."""
        return self.operands == 1 and self.offset != 0


@dataclass(frozen=True)
class AdderGraph:
    """A matrix-vector product as adders in topological order.

    Attributes
    ----------
    n_inputs : int
        Length of the input vector.
    adders : tuple of Adder
        Adder ``k`` is node ``n_inputs + k`` and uses earlier nodes only.
    outputs : tuple of Term or int
        One per matrix column. A Term is never negative; an int is an output that does not depend on the input.
    bounds : tuple of (int, int)
        Exact interval ``(lo, hi)`` of every node, inputs first.

    Raises
    ------
    ModelError
        If the structure breaks one of the rules above.
    """

    n_inputs: int
    adders: tuple[Adder, ...]
    outputs: tuple[Term | int, ...]
    bounds: tuple[tuple[int, int], ...] = field(repr=False)

    def __post_init__(self) -> None:
        for k, adder in enumerate(self.adders):
            _check_adder(adder, self.n_inputs + k)
            _check_offset(adder, self.n_inputs + k, self.bounds)
        nodes = self.n_inputs + len(self.adders)
        if len(self.bounds) != nodes:
            raise ModelError(f"Adder graph: {len(self.bounds)} bounds for {nodes} nodes; give one per node.")
        for j, output in enumerate(self.outputs):
            if isinstance(output, Term) and (output.negative or not 0 <= output.node < nodes or output.shift < 0):
                raise ModelError(
                    f"Adder graph: output {j} is {output}; it must be a non-negative term of {nodes} nodes."
                )

    @classmethod
    def from_adders(
        cls,
        bounds: Sequence[tuple[int, int]],
        adders: Sequence[Adder],
        outputs: Sequence[Term | int],
    ) -> AdderGraph:
        """Build a graph and compute the interval of every adder.

        The interval of a node is that of its linear form over the box of the inputs, which is attained, and not
        the sum of its operands' intervals, which need not be when operands share inputs.

        Parameters
        ----------
        bounds : sequence of (int, int)
            ``(lo, hi)`` of every input.
        adders : sequence of Adder
            In topological order.
        outputs : sequence of Term or int
            One per column.
        """
        n = len(bounds)
        for k, adder in enumerate(adders):
            _check_adder(adder, n + k)
        forms, constants = _linear_forms(n, adders)
        los = np.array([lo for lo, _ in bounds], dtype=object)
        his = np.array([hi for _, hi in bounds], dtype=object)
        nodes = list(bounds)
        for form, constant in zip(forms[n:], constants[n:], strict=True):
            used = np.flatnonzero(form)
            c, lo, hi = form[used], los[used], his[used]
            positive = c > 0
            nodes.append(
                (
                    int((c * np.where(positive, lo, hi)).sum()) + constant,
                    int((c * np.where(positive, hi, lo)).sum()) + constant,
                )
            )
        return cls(n, tuple(adders), tuple(outputs), tuple(nodes))

    def linear_forms(self) -> tuple[list[NDArray[np.object_]], list[int]]:
        """Every node as a linear form over the inputs.

        Returns
        -------
        forms : list of array of int, each [n_inputs]
            Coefficients of the nodes, inputs first, as Python integers.
        constants : list of int
            The constant of each node.
        """
        return _linear_forms(self.n_inputs, self.adders)

    def evaluate(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        """Run the graph on integers.

        Parameters
        ----------
        x : array of int64, [samples, n_inputs]
            Inputs inside their bounds; this is not checked.

        Returns
        -------
        array of int64, [samples, n_outputs]

        Raises
        ------
        IntegerRangeError
            If the bounds of a node or of an output do not fit in 64 bits. It is an OverflowError.
        """
        x = np.asarray(x, dtype=np.int64)
        if x.ndim != 2 or x.shape[1] != self.n_inputs:
            raise ModelError(f"Adder graph: input of shape {x.shape}; expected [samples, {self.n_inputs}].")
        self._check_int64()
        values = list(x.T)
        for adder in self.adders:
            total = np.full(len(x), adder.constant + adder.offset, dtype=np.int64)
            for term in adder.terms:
                operand = values[term.node] << term.shift
                total = total - operand if term.negative else total + operand
            values.append(total)
        y = np.empty((len(x), len(self.outputs)), dtype=np.int64)
        for j, output in enumerate(self.outputs):
            y[:, j] = values[output.node] << output.shift if isinstance(output, Term) else output
        return y

    def _check_int64(self) -> None:
        # Sums wrap modulo 2^64, so operands may overflow as long as every node fits.
        limit = 1 << 63
        outputs = [(o, o) if isinstance(o, int) else self.term_bounds(o) for o in self.outputs]
        for what, intervals in (("node", self.bounds), ("output", outputs)):
            for k, (lo, hi) in enumerate(intervals):
                if lo < -limit or hi >= limit:
                    raise IntegerRangeError(
                        f"Adder graph: {what} {k} has the range [{lo}, {hi}], which needs more than 64 bits; "
                        "narrow the weights or the inputs."
                    )
        for adder in self.adders:
            if not -limit <= adder.constant + adder.offset < limit:
                raise IntegerRangeError(f"Adder graph: the constant {adder.constant} needs more than 64 bits.")

    def term_bounds(self, term: Term) -> tuple[int, int]:
        """Interval of a term, its shift and sign applied."""
        lo, hi = self.bounds[term.node]
        lo, hi = lo << term.shift, hi << term.shift
        return (-hi, -lo) if term.negative else (lo, hi)

    @cached_property
    def depths(self) -> tuple[int, ...]:
        """Adders on the longest path to every node; 0 for inputs."""
        depths = [0] * self.n_inputs
        for adder in self.adders:
            depths.append((not adder.lifts) + max(depths[t.node] for t in adder.terms))
        return tuple(depths)

    @property
    def depth(self) -> int:
        """Adders on the longest path of the graph."""
        return max((self.depths[o.node] for o in self.outputs if isinstance(o, Term)), default=0)

    @cached_property
    def adder_bits(self) -> tuple[int, ...]:
        """Bits each adder really adds, which is its cost in LUT6 on Xilinx.

        Low bits where a single positive operand lives pass through and are free, and so is a carry out.
        """
        bits = []
        for k, adder in enumerate(self.adders):
            operands = [Operand(t.shift, t.negative, top_bit(t.shift, *self.bounds[t.node])) for t in adder.terms]
            bits.append(added_bits(operands, adder.constant, *self.bounds[self.n_inputs + k]))
            if adder.lifts:
                bits[-1] = 1
        return tuple(bits)

    @property
    def total_bits(self) -> int:
        """Added bits of the whole graph: the cost that `solve` minimises."""
        return sum(self.adder_bits)

    @property
    def register_bits(self) -> int:
        """Result bits of all adders: the registers of a pipeline with one stage per adder, without delays."""
        return sum(width(lo, hi) for lo, hi in self.bounds[self.n_inputs :])

    @property
    def three_input_adders(self) -> int:
        """Number of adders with three operands."""
        return sum(adder.operands == MAX_OPERANDS for adder in self.adders)


def _check_adder(adder: Adder, index: int) -> None:
    lone_negation = len(adder.terms) == 1 and adder.constant == 0 and adder.terms[0].negative
    legal = 2 <= adder.operands <= MAX_OPERANDS or lone_negation or adder.lifts
    if not (legal and adder.terms and sum(t.negative for t in adder.terms) <= MAX_NEGATIVE):
        raise ModelError(f"Adder graph: node {index} is {adder}; an adder has two or three operands, not all negated.")
    if any(not 0 <= t.node < index or t.shift < 0 for t in adder.terms):
        raise ModelError(f"Adder graph: node {index} is {adder}; operands are earlier nodes, shifted left.")


def _check_offset(adder: Adder, index: int, bounds: Sequence[tuple[int, int]]) -> None:
    if not adder.offset:
        return
    if adder.lifts:
        (term,) = adder.terms
        half = 1 << (width(*bounds[term.node]) - 1)
        legal = bounds[term.node][0] < 0 and not term.negative and not term.shift and adder.offset == half
    else:
        tops = [top_bit(t.shift, *bounds[t.node]) for t in adder.terms]
        legal = any(top is not None and adder.offset % (1 << top) == 0 for top in tops)
    if not legal:
        raise ModelError(f"Adder graph: node {index} is {adder}; no term has unused bits that hold the offset.")


def _linear_forms(n_inputs: int, adders: Sequence[Adder]) -> tuple[list[NDArray[np.object_]], list[int]]:
    forms = list(np.array([[int(i == k) for i in range(n_inputs)] for k in range(n_inputs)], dtype=object))
    constants = [0] * n_inputs
    for adder in adders:
        form = np.array([0] * n_inputs, dtype=object)
        constant = adder.constant + adder.offset
        for t in adder.terms:
            factor = (-1 if t.negative else 1) << t.shift
            form = form + forms[t.node] * factor
            constant += constants[t.node] * factor
        forms.append(form)
        constants.append(constant)
    return forms, constants
