"""Graphs whose branches meet again: vectors merged in every way, and residual networks on pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from random_layers import Chain

from fpgaq.ir import FixedType, Graph, Overflow, Rounding
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Concatenate, Function, Input, Merge


class Branches:
    """A graph under construction, in which every operation may read any result that is there."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def input(self, name: str, type_: FixedType, *shape: int) -> str:
        """Append an input."""
        self.nodes[name] = Input(name=name, inputs=(), type=type_, layer=name, shape=shape)
        return name

    def then(self, name: str, source: str, build: Callable[[Chain], object], seed: int = 0) -> str:
        """Append operations behind a node; the last one gets the name."""
        needed = {source}
        for node in reversed(list(self.nodes.values())):
            needed |= set(node.inputs) if node.name in needed else set()
        chain = Chain("net", 1, FixedType(1, 0, False), seed)
        chain.nodes = [node for node in self.nodes.values() if node.name in needed]
        first = len(chain.nodes)
        build(chain)
        previous = source
        for k, node in enumerate(chain.nodes[first:]):
            last = first + k + 1 == len(chain.nodes)
            renamed = dataclasses.replace(node, name=name if last else f"{name}_{k}", inputs=(previous,), layer=name)
            self.nodes[renamed.name] = renamed
            previous = renamed.name
        return name

    def merge(self, name: str, function: Function | None, *sources: str, gained: int = 0, axis: int = -1) -> str:
        """Append an operation of several tensors; no function is a concatenation."""
        operands = [Graph("so_far", self.nodes.values(), ()).operand(source) for source in sources]
        fracs = tuple(x.type.frac for x in operands)
        frac = (sum(fracs) if function is Function.MULTIPLY else max(fracs)) + gained
        common = {"name": name, "inputs": sources, "layer": name, "source_fracs": fracs}
        wide = FixedType(63, frac, True)
        node: Node
        if function is None:
            node = Concatenate(**common, type=wide, axis=axis % len(operands[0].shape))
        else:
            node = Merge(**common, type=wide, function=function)
        lo, hi = node.infer(operands).hull
        self.nodes[name] = dataclasses.replace(node, type=FixedType.from_interval(lo, hi, frac))
        return name

    def graph(self, name: str, *outputs: str) -> Graph:
        """Return the graph."""
        return Graph(name, self.nodes.values(), outputs)


def cast(chain: Chain, width: int = 4, signed: bool = False, drop: int = 3) -> Chain:
    """Append an activation of few bits."""
    return chain.requantize(width, signed, drop, Rounding.RND_CONV, Overflow.SAT)


def convolution(chain: Chain, filters: int, size: Sequence[int] = (3, 3), bits: int = 3) -> Chain:
    """Append a convolution whose result has as many pixels as its input."""
    before, after = tuple((n - 1) // 2 for n in size), tuple(n // 2 for n in size)
    return chain.pad(before, after).windows(tuple(size)).matmul(filters, "dense", bits)


def residual(rows: int = 5, cols: int = 6, *, name: str = "residual") -> Graph:
    """A stem, two convolutions around which its result goes, a second block around which the input goes, too.

    Everything that may be special is in it: a fork into three, a merge of merges, one that is an output as well, the
    input of the graph as an operand, products, channels put behind each other, and an average of three.
    """
    net = Branches()
    net.input("image", FixedType(3, 0, False), rows, cols, 2)
    net.then("stem", "image", lambda c: cast(convolution(c, 2, (2, 2))))
    net.then("conv1", "stem", lambda c: cast(convolution(c, 2)), seed=1)
    net.then("conv2", "conv1", lambda c: convolution(c, 2), seed=2)
    net.merge("add1", Function.ADD, "conv2", "stem")
    net.then("act1", "add1", lambda c: cast(c.relu()))
    net.then("conv3", "act1", lambda c: cast(convolution(c, 2, (1, 3))), seed=3)
    net.merge("gate", Function.MULTIPLY, "conv3", "act1")
    net.merge("mean", Function.AVERAGE, "gate", "image", "stem", gained=2)
    net.merge("both", None, "mean", "act1")
    net.then("pool", "both", lambda c: cast(c, 4, True, 2).pool((2, 2)))
    net.then("head", "pool", lambda c: c.reshape().matmul(2, "dense", 3), seed=4)
    return net.graph(name, "add1", "head")


def side_by_side() -> Graph:
    """Vectors of other types merged in every way, with casts behind it, and merges of merges."""
    net = Branches()
    a = net.input("a", FixedType(4, 1, True), 3)
    b = net.input("b", FixedType(3, 0, False), 3)
    c = net.input("c", FixedType(4, 2, True), 1)
    d = net.then("d", a, lambda chain: cast(chain.matmul(3, "dense", 3), 5, True, 1))
    outputs = []
    for function in Function:
        gained = 2 if function is Function.AVERAGE else 0
        word = function.value
        net.merge(f"{word}2", function, a, b, gained=gained // 2)
        net.merge(f"{word}3", function, b, d, c, gained=gained)
        net.then(f"{word}3_act", f"{word}3", lambda chain: cast(chain.relu(), 4, False, 1))
        outputs += [f"{word}2", f"{word}3_act"]
    net.merge("joined", None, *outputs)
    net.merge("nested", Function.SUBTRACT, "joined", "joined", "joined")
    return net.graph("side_by_side", "joined", "nested")
