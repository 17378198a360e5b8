"""Rewritings of the integer graph that keep every output code: what hardware is built from."""

import dataclasses

from fpgaq.ir.graph import Graph
from fpgaq.ir.ops import Scan
from fpgaq.ir.passes.dead_channels import drop_dead_channels
from fpgaq.ir.passes.identities import drop_identities
from fpgaq.ir.passes.level_indices import number_levels
from fpgaq.ir.passes.scales import fold_scales
from fpgaq.ir.passes.staircases import merge_staircases

__all__ = [
    "drop_dead_channels",
    "drop_identities",
    "fold_scales",
    "merge_staircases",
    "number_levels",
    "optimize",
]


def optimize(graph: Graph) -> Graph:
    """Apply every pass once, in the order in which each helps the next; to the steps of recurrent layers, too."""
    nodes = [
        dataclasses.replace(node, step=optimize(node.step)) if isinstance(node, Scan) else node
        for node in graph.nodes.values()
    ]
    graph = Graph(graph.name, nodes, graph.outputs)
    for improve in (drop_identities, fold_scales, merge_staircases, number_levels, drop_dead_channels):
        graph = improve(graph)
    return graph
