"""From a hardware layer to its fully unrolled datapath."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fpgaq.cmvm import AdderGraph, Term, solve
from fpgaq.ir.node import Node, Operand
from fpgaq.ir.ops import (
    Affine,
    Clip,
    Concatenate,
    Crop,
    Function,
    GatedMatMul,
    LeakyRelu,
    MatMul,
    Merge,
    Permute,
    Relu,
    Repeat,
    Requantize,
    Slice,
    Staircases,
    Thresholds,
    WindowAverage,
    WindowMax,
)
from fpgaq.ir.types import IntArray, Overflow, Rounding, shift_round
from fpgaq.rtl.datapath import (
    Cast,
    Constant,
    Datapath,
    Interval,
    Larger,
    Limit,
    Lookup,
    Masked,
    Max0,
    Op,
    Probe,
    Product,
    Ref,
    Smaller,
    Source,
    Sum,
    evaluate_op,
)
from fpgaq.rtl.matrix_forms import matrix_forms
from fpgaq.rtl.staircase import append_staircase
from fpgaq.rtl.unroll_gated import unroll_gated
from fpgaq.rtl.unroll_leaky import leaky_rectifiers
from fpgaq.rtl.unroll_linear import append_graph
from fpgaq.rtl.unroll_merge import concatenate, merge, operands
from fpgaq.rtl.unroll_window import window_averages, window_max

_HALF_ADDED = (Rounding.RND, Rounding.RND_CONV)


@dataclass
class _Element:
    """One element of the vector on its way through the layer.

    `half` is what was added to it already, `rectified` says that a rectifier is owed by the cast that follows.
    """

    ref: Ref
    half: int = 0
    rectified: bool = False


def unroll(nodes: Sequence[Node], *sources: Operand, adder_inputs: int = 3, half: int = 0) -> Datapath:
    """Lower operations to scalar ones.

    Parameters
    ----------
    nodes : sequence of Node
        A matrix, an operation of several tensors, or neither, then elementwise operations.
    *sources : Operand
        What the first one reads; every tensor once.
    adder_inputs : int
        Operands of an adder that the device has for free.
    half : int
        Rounding constant that the inputs already contain (added by a folded matrix in front).

    Returns
    -------
    Datapath
        With exact bounds and only the logic that they leave.
    """
    lo, hi = (
        np.concatenate([end.reshape(-1) for end in ends]) for ends in zip(*(s.bounds for s in sources), strict=True)
    )
    path = Datapath()
    elements = [
        _Element(Ref(path.add(Source(i), (int(a), int(b)))), half) for i, (a, b) in enumerate(zip(lo, hi, strict=True))
    ]
    for k, node in enumerate(nodes):
        if isinstance(node, (MatMul, Affine)):
            half = rounding_half(nodes, k)
            graph = _adder_graph(path, elements, node, node.bias + half, adder_inputs)
            elements = [_Element(ref, half) for ref in append_graph(path, [e.ref for e in elements], graph)]
        elif isinstance(node, Merge):
            half = rounding_half(nodes, k)
            parts = operands(node, [e.ref for e in elements], sources)
            elements = [_Element(ref, half) for ref in merge(path, node, parts, adder_inputs, half)]
        elif isinstance(node, Concatenate):
            parts = operands(node, [e.ref for e in elements], sources)
            elements = [_Element(ref) for ref in concatenate(node, parts, sources[0].shape)]
        elif isinstance(node, (Crop, Permute, Repeat, Slice)):  # in front: the shape is that of what the layer reads
            places = np.arange(len(elements)).reshape(1, *sources[0].shape)
            elements = [elements[place] for place in node.evaluate([places]).reshape(-1).tolist()]
        elif isinstance(node, GatedMatMul):
            bounds = node.infer(sources)  # it stands in front: what it reads is what the layer reads
            outputs = unroll_gated(path, [e.ref for e in elements], node, bounds, adder_inputs)
            elements = [_Element(ref) for ref in outputs]
        elif isinstance(node, WindowMax):
            elements = [_Element(ref) for ref in window_max(path, [e.ref for e in elements], node.positions)]
        elif isinstance(node, WindowAverage):
            elements = [_Element(ref) for ref in window_averages(path, [e.ref for e in elements], node, adder_inputs)]
        elif isinstance(node, LeakyRelu):
            refs = leaky_rectifiers(path, [e.ref for e in elements], node, adder_inputs)
            elements = [_Element(ref) for ref in refs]
        elif isinstance(node, Staircases):
            tables = zip(elements, node.thresholds, node.codes, strict=True)
            elements = [_Element(append_staircase(path, e.ref, thresholds, codes)) for e, thresholds, codes in tables]
        else:
            elements = [_pointwise(path, element, node, nodes[k + 1 : k + 2]) for element in elements]
    path.outputs = [element.ref for element in elements]
    return _pruned(path)


def rounding_half(nodes: Sequence[Node], k: int) -> int:
    """Return the half that the cast after linear operation `k` wants added, 0 if it wants none.

    A rectifier between the two is no obstacle where the cast clamps at zero anyway.
    """
    node = nodes[k]
    if isinstance(node, Merge) and node.function not in (Function.ADD, Function.SUBTRACT):
        return 0
    following = list(nodes[k + 1 : k + 3])
    if following and isinstance(following[0], Relu) and len(following) > 1 and _absorbs_relu(following[1]):
        following = following[1:]
    if following and isinstance(following[0], Requantize):
        requantize = following[0]
        if requantize.rounding in _HALF_ADDED and requantize.shift > 0:
            return 1 << (requantize.shift - 1)
    return 0


def _absorbs_relu(node: Node) -> bool:
    # A monotone rounding that keeps zero, followed by saturation, commutes with max(x, 0).
    return isinstance(node, Requantize) and node.overflow in (Overflow.SAT, Overflow.SAT_SYM)


def _adder_graph(
    path: Datapath, elements: list[_Element], node: MatMul | Affine, bias: IntArray, adder_inputs: int
) -> AdderGraph:
    """Return the cheapest adder graph of a linear operation, and note what there was to choose from."""
    bounds = [path.ref_bounds(e.ref) for e in elements]
    if isinstance(node, Affine):
        return solve(np.diag(node.scale), bounds, bias, adder_inputs=adder_inputs)
    forms = matrix_forms(node, bounds, bias, adder_inputs=adder_inputs)
    path.forms = {form.name: form.lut for form in forms}
    return forms[0].graph


def _pointwise(path: Datapath, element: _Element, node: Node, following: Sequence[Node]) -> _Element:
    """Append one elementwise operation, or merge it with what is there."""
    lo, hi = path.ref_bounds(element.ref)
    if isinstance(node, Relu):
        if lo >= 0 and not element.half:
            return element
        if following and _absorbs_relu(following[0]):
            return _Element(element.ref, element.half, rectified=True)
        return _bounded(path, Max0(element.ref), (max(lo, 0), max(hi, 0)))
    if isinstance(node, Clip):
        if lo >= node.least and hi <= node.most:
            return element
        bounds = (min(max(lo, node.least), node.most), min(max(hi, node.least), node.most))
        return _bounded(path, Limit(element.ref, node.least, node.most), bounds)
    if isinstance(node, Thresholds):
        return _Element(append_staircase(path, element.ref, node.thresholds, node.codes))
    assert isinstance(node, Requantize), node.op
    return _requantize(path, element, node)


def _requantize(path: Datapath, element: _Element, node: Requantize) -> _Element:
    lo, hi = (_rounded(v - element.half, node) for v in path.ref_bounds(element.ref))
    to = node.type
    floor, ceiling = (-to.max if node.overflow is Overflow.SAT_SYM and to.signed else to.min), to.max
    if element.rectified:
        floor = max(floor, 0)
    inside = floor <= lo and hi <= ceiling
    if inside and node.shift <= element.ref.shift and not element.half:
        return _Element(Ref(element.ref.node, element.ref.shift - node.shift))
    shifted = element.ref if node.shift > 0 else Ref(element.ref.node, element.ref.shift - node.shift)
    op = Cast(shifted, max(node.shift, 0), node.rounding, biased=element.half != 0)
    bounds = (min(max(lo, floor), ceiling), min(max(hi, floor), ceiling))
    if not inside:
        if node.overflow is Overflow.WRAP:
            op, bounds = dataclasses.replace(op, wrap=to), (to.min, to.max)
        elif node.overflow is Overflow.SAT_ZERO:
            op, bounds = dataclasses.replace(op, zero_outside=to), (min(bounds[0], 0), max(bounds[1], 0))
        else:
            least, most = (floor if lo < floor else None), (ceiling if hi > ceiling else None)
            op = dataclasses.replace(op, least=least, most=most)
    return _bounded(path, op, bounds)


def _bounded(path: Datapath, op: Max0 | Limit | Cast, bounds: Interval) -> _Element:
    """Append an operation, or its value where that is known."""
    source = path.ops[op.x.node]
    if isinstance(source, Constant):
        value = int(evaluate_op(op, np.zeros((1, 0), np.int64), {op.x.node: np.array([source.value])})[0])
        bounds = (value, value)
    lo, hi = bounds
    return _Element(Ref(path.add(Constant(lo) if lo == hi else op, bounds)))


def _rounded(value: int, node: Requantize) -> int:
    return int(shift_round(np.array(value, dtype=np.int64), node.shift, node.rounding))


def _pruned(path: Datapath) -> Datapath:
    """Drop operations that no output needs; sources stay, they are the ports."""
    needed = [isinstance(op, Source) for op in path.ops]
    for ref in path.outputs:
        needed[ref.node] = True
    for n in reversed(range(len(path.ops))):
        if needed[n]:
            for o in path.operands(n):
                needed[o] = True
    place = np.cumsum(needed) - 1
    kept = Datapath(forms=path.forms)
    for n, op in enumerate(path.ops):
        if needed[n]:
            kept.add(_renumbered(op, place), path.bounds[n])
    kept.outputs = [Ref(int(place[r.node]), r.shift) for r in path.outputs]
    return kept


def _renumbered(op: Op, place: IntArray) -> Op:
    if isinstance(op, Sum):
        terms = tuple(Term(int(place[t.node]), t.shift, t.negative) for t in op.adder.terms)
        return Sum(dataclasses.replace(op.adder, terms=terms))
    if isinstance(op, (Source, Constant)):
        return op
    if isinstance(op, Lookup):
        return Lookup(_moved_bits(op.bits, place), op.codes)
    x = Ref(int(place[op.x.node]), op.x.shift)
    if isinstance(op, Probe):
        return Probe(x, _moved_bits(op.bits, place), op.thresholds)
    if isinstance(op, (Larger, Product, Smaller)):
        return type(op)(x, Ref(int(place[op.y.node]), op.y.shift))
    if isinstance(op, Masked):
        return Masked(x, Ref(int(place[op.gate.node])), op.closed)
    return dataclasses.replace(op, x=x)


def _moved_bits(bits: tuple[Ref, ...], place: IntArray) -> tuple[Ref, ...]:
    return tuple(Ref(int(place[bit.node])) for bit in bits)
