"""Integer graphs with a recurrent layer whose steps have one state or two, for tests that need no Keras model."""

from __future__ import annotations

import numpy as np

from fpgaq.ir import FixedType, Graph, Overflow, Rounding
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Function, Input, MatMul, Merge, Requantize, Scan, Slice, Thresholds

X, STATE = FixedType(4, 1, True), FixedType(5, 3, True)


def _input(name: str, kind: FixedType, *shape: int) -> Input:
    return Input(name=name, inputs=(), type=kind, layer=name, shape=shape)


def _cast(name: str, source: Node) -> Requantize:
    return Requantize(
        name=name,
        inputs=(source.name,),
        type=STATE,
        layer="loop",
        source_frac=source.type.frac,
        rounding=Rounding.RND_CONV,
        overflow=Overflow.SAT,
    )


def _matrix(name: str, source: Input, seed: int, n_out: int, reuse: int) -> MatMul:
    rng = np.random.default_rng(seed)
    return MatMul(
        name=name,
        inputs=(source.name,),
        type=FixedType(11, source.type.frac + 1, True),
        layer="loop",
        weight=rng.integers(-3, 4, (source.shape[0], n_out)),
        weight_frac=1,
        bias=rng.integers(-5, 6, n_out),
        reuse=reuse,
    )


def _merge(name: str, function: Function, a: Node, b: Node) -> Merge:
    fracs = (a.type.frac, b.type.frac)
    frac = sum(fracs) if function is Function.MULTIPLY else max(fracs)
    kind = FixedType(24, frac, True)
    inputs = (a.name, b.name)
    return Merge(name=name, inputs=inputs, type=kind, layer="loop", function=function, source_fracs=fracs)


def simple_step(reuse: int = 1) -> Graph:
    """``h' = cast(x W + h U)``: three numbers in, two states, which are the result."""
    x, h = _input("x_t", X, 3), _input("h_before", STATE, 2)
    kernel, recurrent = _matrix("kernel", x, 1, 2, reuse), _matrix("recurrent", h, 2, 2, 1)
    total = _merge("total", Function.ADD, kernel, recurrent)
    after = _cast("h", total)
    return Graph("step", [x, h, kernel, recurrent, total, after], ("h", "h"))


def gated_step(reuse: int = 1) -> Graph:
    """Two states of two elements, a staircase as gate, a result that is neither of them."""
    x, h, c = _input("x_t", X, 3), _input("h_before", STATE, 2), _input("c_before", STATE, 2)
    kernel, recurrent = _matrix("kernel", x, 3, 4, 1), _matrix("recurrent", h, 4, 4, reuse)
    total = _merge("total", Function.ADD, kernel, recurrent)
    part = [
        Slice(name=f"part_{k}", inputs=("total",), type=total.type, layer="loop", start=2 * k, stop=2 * k + 2)
        for k in range(2)
    ]
    gate = Thresholds(
        name="gate",
        inputs=("part_0",),
        type=FixedType(2, 1, False),
        layer="loop",
        thresholds=np.array([-6, 3, 20]),
        codes=np.array([0, 1, 2, 3]),
    )
    candidate = _cast("candidate", part[1])
    moved = _merge("moved", Function.SUBTRACT, c, candidate)
    kept = _merge("kept", Function.MULTIPLY, gate, moved)
    cell = _merge("cell", Function.ADD, candidate, kept)
    c_after, result = _cast("c", cell), _merge("result", Function.MULTIPLY, gate, cell)
    nodes = [x, h, c, kernel, recurrent, total, *part, gate, candidate, moved, kept, cell, c_after, result]
    return Graph("step", [*nodes, _cast("h", result)], ("result", "h", "c"))


def looped(name: str, step: Graph, initial: tuple[int, ...], *, steps: int, sequences: bool) -> Graph:
    """A design of nothing but a recurrent layer."""
    return Graph(
        name,
        [
            _input("x", X, steps, 3),
            Scan(
                name="loop",
                inputs=("x",),
                type=step.nodes[step.outputs[0]].type,
                layer="loop",
                step=step,
                initial=initial,
                sequences=sequences,
            ),
        ],
        ("loop",),
    )
