"""Quantizers to train with, each into one weight format. Importing this package loads Keras."""

from fpgaq.quantize.quantizers.base import FormatQuantizer
from fpgaq.quantize.quantizers.codebook import Codebook
from fpgaq.quantize.quantizers.levels import AdditivePowerOfTwo, PiecewiseLinear, PowerOfTwo, Tapered
from fpgaq.quantize.quantizers.multi_binary import MultiBinary
from fpgaq.quantize.quantizers.ternary import TernaryWeights, TwoScaleTernary
from fpgaq.quantize.quantizers.threshold_levels import ThresholdLevels

__all__ = [
    "AdditivePowerOfTwo",
    "Codebook",
    "FormatQuantizer",
    "MultiBinary",
    "PiecewiseLinear",
    "PowerOfTwo",
    "Tapered",
    "TernaryWeights",
    "ThresholdLevels",
    "TwoScaleTernary",
]
