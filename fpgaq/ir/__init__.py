"""The integer dataflow graph: what every later step (HLS, RTL, reports) is derived from or compared against."""

from fpgaq.ir.graph import Graph
from fpgaq.ir.types import FixedType, IntArray, Overflow, Rounding

__all__ = ["FixedType", "Graph", "IntArray", "Overflow", "Rounding"]
