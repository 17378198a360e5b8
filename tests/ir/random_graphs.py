"""Random small graphs of every operation, and inputs that reach every corner of them."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

from fpgaq.ir import FixedType, Graph, IntArray, Overflow, Rounding
from fpgaq.ir.node import Node, Operand
from fpgaq.ir.ops import (
    Affine,
    ArgMax,
    Clip,
    Concatenate,
    Crop,
    Function,
    GatedMatMul,
    Input,
    LeakyRelu,
    MatMul,
    Merge,
    Pad,
    Permute,
    Relu,
    Repeat,
    Requantize,
    Reshape,
    Slice,
    Staircases,
    Thresholds,
    WindowAverage,
    WindowMax,
    Windows,
    softmax,
)

WIDE = 64
#: Operations that need at least one spatial axis.
SPATIAL = ("crop", "pad", "repeat", "windows")
#: Operations whose result has the type of the operand.
MOVING = ("crop", "permute", "repeat", "reshape", "slice", "windows")
#: Operations of several tensors.
MERGING = ("concatenate", "merge")


def exactly_typed(node: Node, operands: list[Operand]) -> Node:
    """Give a node the narrowest type that holds its result."""
    hull = node.infer(operands).hull
    return dataclasses.replace(node, type=FixedType.from_interval(*hull, node.type.frac))


def random_node(kind: str, name: str, source: str, x: Operand, rng: np.random.Generator) -> Node:
    """Return a node of a kind with random parameters that fit its operand."""
    common = {"name": name, "inputs": (source,), "layer": f"layer_{name}"}
    frac, channels = x.type.frac, x.shape[-1]
    same = FixedType(WIDE, frac, True)
    lo, hi = x.bounds.hull
    if kind == "matmul":
        extra, outs = int(rng.integers(0, 3)), int(rng.integers(1, 4))
        weight, bias = rng.integers(-4, 5, (channels, outs)), rng.integers(-9, 10, outs)
        type_ = FixedType(WIDE, frac + extra, True)
        return MatMul(**common, type=type_, weight=weight, weight_frac=extra, bias=bias, reuse=int(rng.integers(1, 3)))
    if kind == "gated_matmul":
        extra, outs = int(rng.integers(0, 3)), int(rng.integers(1, 4))
        weight, thresholds = rng.integers(-4, 5, (channels, outs)), rng.integers(-9, 10, outs)
        type_ = FixedType(WIDE, frac + extra, True)
        gate = {"low_bits": int(rng.integers(1, 4)), "thresholds": thresholds, "reuse": int(rng.integers(1, 3))}
        return GatedMatMul(**common, type=type_, weight=weight, weight_frac=extra, **gate)
    if kind == "affine":
        extra = int(rng.integers(-1, 3))
        scale, bias = rng.integers(-4, 5, channels), rng.integers(-9, 10, channels)
        return Affine(**common, type=FixedType(WIDE, frac + extra, True), scale=scale, scale_frac=extra, bias=bias)
    if kind == "relu":
        return Relu(**common, type=same)
    if kind == "leaky_relu":
        extra = int(rng.integers(0, 3))
        slope = rng.integers(-3, 7, channels)
        return LeakyRelu(**common, type=FixedType(WIDE, frac + extra, True), slope=slope, slope_frac=extra)
    if kind == "clip":
        least, most = sorted(int(v) for v in rng.integers(lo - 2, hi + 3, 2))
        return Clip(**common, type=same, least=least, most=most)
    if kind == "requantize":
        width, to_frac = int(rng.integers(2, 6)), frac + int(rng.integers(-4, 3))
        to = FixedType(width, to_frac, bool(rng.integers(2)))
        modes = {"rounding": list(Rounding)[rng.integers(7)], "overflow": list(Overflow)[rng.integers(4)]}
        return Requantize(**common, type=to, source_frac=frac, **modes)
    if kind == "thresholds":
        steps = np.unique(rng.integers(lo - 1, hi + 2, 3))
        codes = np.sort(rng.integers(-5, 6, steps.size + 1))
        return Thresholds(**common, type=FixedType(WIDE, 1, True), thresholds=steps, codes=codes)
    if kind == "staircases":
        steps = np.stack([np.sort(rng.choice(np.arange(lo - 2, hi + 3), 2, replace=False)) for _ in range(channels)])
        codes = np.sort(rng.integers(-5, 6, (channels, 3)), axis=1) * rng.choice([-1, 1], (channels, 1))
        return Staircases(**common, type=FixedType(WIDE, 1, True), thresholds=steps, codes=codes)
    if kind == "reshape":
        size = int(np.prod(x.shape))
        return Reshape(**common, type=x.type, shape=(size,) if len(x.shape) > 1 else (1, size))
    if kind == "softmax":
        tables = {"exponentials": softmax.exp_table(), "inverses": softmax.inverse_table(channels)}
        return softmax.Softmax(**common, type=softmax.TABLE_TYPE, source_frac=frac, **tables)
    if kind == "slice":
        start = int(rng.integers(0, channels))
        return Slice(**common, type=x.type, start=start, stop=int(rng.integers(start, channels)) + 1)
    if kind == "permute":
        return Permute(**common, type=x.type, axes=tuple(rng.permutation(len(x.shape)).tolist()))
    if kind in (*SPATIAL, "window_average", "window_max"):
        return random_spatial_node(kind, common, x, rng)
    if kind in MERGING:
        return random_merge(kind, name, [(source, x)] * int(rng.integers(2, 4)), rng)
    assert kind == "argmax"
    return ArgMax(**common, type=FixedType(WIDE, 0, False))


def random_spatial_node(kind: str, common: dict[str, object], x: Operand, rng: np.random.Generator) -> Node:
    """Return an operation on images or series."""
    same, axes = FixedType(WIDE, x.type.frac, True), len(x.shape) - 1
    if kind == "pad":
        margins = rng.integers(0, 2, (2, axes)).tolist()
        return Pad(
            **common, type=same, before=tuple(margins[0]), after=tuple(margins[1]), value=int(rng.integers(-3, 4))
        )
    if kind == "crop":
        before = [int(rng.integers(n)) for n in x.shape[:-1]]
        after = [int(rng.integers(n - b)) for n, b in zip(x.shape[:-1], before, strict=True)]
        return Crop(**common, type=x.type, before=tuple(before), after=tuple(after))
    if kind == "repeat":
        return Repeat(**common, type=x.type, times=tuple(rng.integers(1, 3, axes).tolist()))
    if kind == "windows":
        size = tuple(int(rng.integers(1, min(n, 2) + 1)) for n in x.shape[:-1])
        stride = tuple(int(s) for s in rng.integers(1, 3, axes))
        return Windows(**common, type=x.type, size=size, stride=stride, dilation=(1,) * axes)
    positions = int(rng.choice([n for n in range(1, x.shape[-1] + 1) if x.shape[-1] % n == 0]))
    if kind == "window_max":
        return WindowMax(**common, type=same, positions=positions)
    type_, divisors = FixedType(WIDE, x.type.frac + int(rng.integers(0, 3)), True), rng.integers(1, 4, x.shape[:-1])
    return WindowAverage(**common, type=type_, positions=positions, divisors=divisors, source_frac=x.type.frac)


def random_merge(kind: str, name: str, operands: list[tuple[str, Operand]], rng: np.random.Generator) -> Node:
    """Return an operation of several tensors of one shape; products only of small numbers."""
    fracs = tuple(x.type.frac for _, x in operands)
    common = {"name": name, "inputs": tuple(source for source, _ in operands), "layer": f"layer_{name}"}
    if kind == "concatenate":
        axis = int(rng.integers(len(operands[0][1].shape)))
        return Concatenate(**common, type=FixedType(WIDE, max(fracs), True), axis=axis, source_fracs=fracs)
    large = max(max(map(abs, x.bounds.hull)) for _, x in operands) > 1 << 8
    function = [f for f in Function if f is not Function.MULTIPLY or not large][rng.integers(6 - large)]
    frac = sum(fracs) if function is Function.MULTIPLY else max(fracs)
    frac += int(rng.integers(0, 3)) if function is Function.AVERAGE else 0
    return Merge(**common, type=FixedType(WIDE, frac, True), function=function, source_fracs=fracs)


def random_graph(seed: int, length: int = 6) -> Graph:
    """Return a chain of random operations on an input of 2 or 3 elements of 1 to 3 bits."""
    rng = np.random.default_rng(seed)
    type_ = FixedType(int(rng.integers(1, 4)), int(rng.integers(-1, 3)), bool(rng.integers(2)))
    shape = [(2,), (3,), (2, 1), (3, 1), (2, 1, 1)][rng.integers(5)]
    nodes: list[Node] = [Input(name="x", inputs=(), type=type_, layer="x", shape=shape)]
    operand = Operand(type_, nodes[0].infer([]))
    kinds = ["matmul", "affine", "relu", "clip", "requantize", "thresholds", "reshape", "gated_matmul", "leaky_relu"]
    kinds += ["crop", "permute", "repeat", "pad", "windows", "window_average", "window_max", *MERGING]
    for k in range(length):
        kind = kinds[rng.integers(len(kinds))]
        if kind == "gated_matmul" and (operand.bounds.hull[0] < 0 or len(operand.shape) > 1):
            kind = "relu"
        if kind in SPATIAL and len(operand.shape) == 1:
            kind = "affine"
        read = [(nodes[-1].name, operand)]
        if kind in MERGING:
            graph = Graph("so_far", nodes, ())
            alike = [n for n in graph.nodes if graph.operand(n).shape == operand.shape]
            read += [(n, graph.operand(n)) for n in rng.choice(alike, int(rng.integers(1, 3))).tolist()]
            node = random_merge(kind, f"n{k}", read, rng)
        else:
            node = random_node(kind, f"n{k}", nodes[-1].name, operand, rng)
        operands = [x for _, x in read]
        if kind not in ("requantize", *MOVING):
            node = exactly_typed(node, operands)
        nodes.append(node)
        operand = Operand(node.type, node.infer(operands))
    if len(operand.shape) == 1 and rng.integers(2):
        node = random_node("argmax", "index", nodes[-1].name, operand, rng)
        nodes.append(exactly_typed(node, [operand]))
    elif len(operand.shape) == 1 and operand.shape[0] > 1:
        nodes.append(random_node("softmax", "probabilities", nodes[-1].name, operand, rng))
    return Graph(f"random_{seed}", nodes, (nodes[-1].name,))


def every_input(graph: Graph) -> IntArray:
    """Return every value that the (small) input of a graph can take."""
    node = graph.inputs[0]
    codes = range(node.type.min, node.type.max + 1)
    size = int(np.prod(node.shape))
    return np.array(list(itertools.product(codes, repeat=size))).reshape(-1, *node.shape)
