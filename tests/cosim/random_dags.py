"""Random graphs with branches: every operation reads any result that is there, several inputs and outputs."""

from __future__ import annotations

import dataclasses

import numpy as np
from random_layers import MODES, Chain

from fpgaq.ir import FixedType, Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import ArgMax, Input


class _Dag:
    """A graph under construction. Every operation has one operand, so what leads to a node is a chain."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.nodes: dict[str, Node] = {}

    def add_input(self, name: str) -> None:
        type_ = FixedType(int(self.rng.integers(2, 6)), 1, bool(self.rng.integers(2)))
        node = Chain("net", int(self.rng.integers(2, 6)), type_, 0).nodes[0]
        self.nodes[name] = dataclasses.replace(node, name=name, layer=name)

    def add(self, source: str, op: str) -> None:
        """Append an operation behind a node."""
        chain = Chain("net", 1, FixedType(1, 0, False), int(self.rng.integers(1 << 30)))
        chain.nodes = self._path(source)
        if op == "matmul":
            folded = chain.size > 1 and self.rng.integers(3) == 0
            chain.matmul(int(self.rng.integers(2, 6)), "dense", 3, chain.size if folded else 1)
        elif op == "cast":
            mode = MODES[int(self.rng.integers(len(MODES)))]
            chain.requantize(int(self.rng.integers(2, 5)), bool(self.rng.integers(2)), 2, *mode)
        elif op == "stairs":
            chain.stairs(5, 2)
        else:
            getattr(chain, op)()
        name = f"n{len(self.nodes)}_{op}"
        self.nodes[name] = dataclasses.replace(chain.nodes[-1], name=name, layer=name)

    def _path(self, name: str) -> list[Node]:
        node = self.nodes[name]
        return [*(self._path(node.inputs[0]) if node.inputs else []), node]

    def leaves(self) -> list[str]:
        """Names of the nodes that nothing reads."""
        read = {i for node in self.nodes.values() for i in node.inputs}
        return [name for name in self.nodes if name not in read]


def random_dag(seed: int) -> Graph:
    """Return a graph of one to three inputs, about a dozen operations, and all leaves and some others as outputs."""
    rng = np.random.default_rng(seed)
    dag = _Dag(rng)
    for k in range(1 + seed % 3):
        dag.add_input(f"x{k}")
    for _ in range(12):
        sources = [name for name, node in dag.nodes.items() if not isinstance(node, ArgMax)]
        source = sources[int(rng.integers(max(0, len(sources) - 6), len(sources)))]
        wide = dag.nodes[source].type.width > 12
        dag.add(source, "cast" if wide else str(rng.choice(["matmul", "matmul", "cast", "stairs", "relu", "argmax"])))
    for name in dag.leaves():
        if isinstance(dag.nodes[name], Input):
            dag.add(name, "matmul")
    leaves = dag.leaves()
    inner = [n for n, node in dag.nodes.items() if n not in leaves and not isinstance(node, Input)]
    shown = rng.permutation(inner)[:2].tolist() if seed % 2 == 0 else []
    return Graph(f"dag{seed}", dag.nodes.values(), (*leaves, *shown))
