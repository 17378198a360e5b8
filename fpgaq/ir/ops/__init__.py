"""The operations, one file a family."""

from fpgaq.ir.ops.arrange import Crop, Permute, Repeat
from fpgaq.ir.ops.channels import Slice
from fpgaq.ir.ops.gated import GatedMatMul
from fpgaq.ir.ops.leaky import LeakyRelu
from fpgaq.ir.ops.linear import Affine, MatMul
from fpgaq.ir.ops.merge import Concatenate, Function, Merge
from fpgaq.ir.ops.pointwise import Clip, Relu, Requantize, Thresholds
from fpgaq.ir.ops.scan import Scan, with_steps
from fpgaq.ir.ops.softmax import Softmax
from fpgaq.ir.ops.spatial import Pad, WindowMax, Windows
from fpgaq.ir.ops.staircases import Staircases
from fpgaq.ir.ops.structure import ArgMax, Input, Reshape
from fpgaq.ir.ops.window_average import WindowAverage

#: Every operation by its name in files.
OPS = {
    cls.op: cls
    for cls in (
        Affine,
        ArgMax,
        Clip,
        Concatenate,
        Crop,
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
        Scan,
        Slice,
        Softmax,
        Staircases,
        Thresholds,
        WindowAverage,
        WindowMax,
        Windows,
    )
}

__all__ = [
    "OPS",
    "Affine",
    "ArgMax",
    "Clip",
    "Concatenate",
    "Crop",
    "Function",
    "GatedMatMul",
    "Input",
    "LeakyRelu",
    "MatMul",
    "Merge",
    "Pad",
    "Permute",
    "Relu",
    "Repeat",
    "Requantize",
    "Reshape",
    "Scan",
    "Slice",
    "Softmax",
    "Staircases",
    "Thresholds",
    "WindowAverage",
    "WindowMax",
    "Windows",
    "with_steps",
]
