"""What the data make of operations whose work depends on them: which gates are open, for which sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fpgaq.ir import golden
from fpgaq.ir.graph import Graph
from fpgaq.ir.ops import GatedMatMul
from fpgaq.ir.types import IntArray


@dataclass(frozen=True)
class Activity:
    """Open gates of one gated matrix.

    Parameters
    ----------
    layer : str
        Layer of the model.
    outputs : int
        Gates of a sample; those of a convolution are at every position.
    updates : int array, shape (samples,)
        How many of them are open: outputs whose low bits are added.
    """

    layer: str
    outputs: int
    updates: IntArray

    @property
    def share(self) -> float:
        """Open gates of all, 0 to 1."""
        return float(self.updates.mean()) / self.outputs

    def to_json(self) -> dict[str, Any]:
        """Return what the report says."""
        return {
            "gates": self.outputs,
            "share_updated": self.share,
            "mean_updates": float(self.updates.mean()),
            "min_updates": int(self.updates.min()),
            "max_updates": int(self.updates.max()),
        }


def open_gates(graph: Graph, inputs: Sequence[IntArray]) -> dict[str, np.ndarray]:
    """Return the mask of every gated matrix by the name of its node: boolean, shape (samples, ..., n_out).

    Parameters
    ----------
    graph : Graph
    inputs : sequence of int array
        As of `fpgaq.ir.golden.tensors`.
    """
    wanted = inputs_of_gates(graph)
    return _masks(graph, golden.tensors(graph, inputs, wanted)) if wanted else {}


def inputs_of_gates(graph: Graph) -> list[str]:
    """Return the tensors that decide which gates are open."""
    return [node.inputs[0] for node in _gated(graph)]


def activities(graph: Graph, trace: Mapping[str, IntArray]) -> list[Activity]:
    """Return the activity of every gated matrix; `trace` has at least the `inputs_of_gates`."""
    masks = _masks(graph, trace)
    found = []
    for node in _gated(graph):
        mask = masks[node.name].reshape(len(masks[node.name]), -1)
        found.append(Activity(node.layer, mask.shape[1], mask.sum(axis=1)))
    return found


def _masks(graph: Graph, trace: Mapping[str, IntArray]) -> dict[str, np.ndarray]:
    return {node.name: node.open_gates(trace[node.inputs[0]]) for node in _gated(graph)}


def _gated(graph: Graph) -> list[GatedMatMul]:
    return [node for node in graph.nodes.values() if isinstance(node, GatedMatMul)]
