"""Rewritings of the integer graph that keep every output code: what hardware is built from."""

from fpgaq.ir.graph import Graph
from fpgaq.ir.passes.dead_channels import drop_dead_channels
from fpgaq.ir.passes.identities import drop_identities
from fpgaq.ir.passes.scales import fold_scales

__all__ = ["drop_dead_channels", "drop_identities", "fold_scales", "optimize"]


def optimize(graph: Graph) -> Graph:
    """Apply every pass once, in the order in which each helps the next."""
    return drop_dead_channels(fold_scales(drop_identities(graph)))
