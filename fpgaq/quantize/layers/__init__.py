"""Keras layers whose arithmetic is exact in hardware. Importing this package loads Keras."""

from fpgaq.quantize.layers.gated_convolution import GatedConv1D, GatedConv2D
from fpgaq.quantize.layers.gated_dense import GatedDense

__all__ = ["GatedConv1D", "GatedConv2D", "GatedDense"]
