"""The two matrices of a recurrent layer: frozen, and as integer operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fpgaq.frontend.dyadic import Dyadic
from fpgaq.hls.derive_matrix import stored_format
from fpgaq.hls.emitter import Emitter
from fpgaq.hls.freeze import freeze_parameter
from fpgaq.ir import ops
from fpgaq.ir.node import Node
from fpgaq.ir.types import IntArray

if TYPE_CHECKING:
    from fpgaq.hls.derive import Deriver


@dataclass(frozen=True)
class RecurrentMatrix:
    """Weights and biases of all gates.

    Parameters
    ----------
    layer : str
    weight, bias : Dyadic
    scale : Dyadic or None
        Factor of every column, where the quantizer has one that is no power of two.
    reuse : int
        Reuse factor.
    format : dict
        Number format of the weights and its units, as `fpgaq.hls.derive_matrix.stored_format` returns them.
    """

    layer: str
    weight: Dyadic
    bias: Dyadic
    scale: Dyadic | None
    reuse: int
    format: dict[str, Any]

    @property
    def frac(self) -> int:
        """Fraction bits that a product with an integer has."""
        return self.weight.frac + (0 if self.scale is None else self.scale.frac)

    def emit(self, to: Emitter, name: str, source: str, columns: slice, at_least: int) -> Node:
        """Append the product of a vector with some columns; return the node that gives it.

        Parameters
        ----------
        to : Emitter
        name : str
            Of the node.
        source : str
            Node with the vector.
        columns : slice
        at_least : int
            Fraction bits of the result, if it does not need more of them.
        """
        x_frac = to.operands[source].type.frac
        frac = max(x_frac + self.frac, self.bias.frac, at_least)
        bias = self.bias.codes[columns] << (frac - self.bias.frac)
        if self.scale is None:
            return self._matmul(to, name, source, columns, bias, frac - x_frac)
        codes = self._matmul(to, f"{name}_codes", source, columns, np.zeros_like(bias), self.weight.frac)
        return to.emit(
            ops.Affine(
                name=name,
                inputs=(codes.name,),
                type=to.any_type(frac),
                layer=self.layer,
                scale=self.scale.codes[columns] << (frac - x_frac - self.frac),
                scale_frac=frac - codes.type.frac,
                bias=bias,
            )
        )

    def _matmul(self, to: Emitter, name: str, source: str, columns: slice, bias: IntArray, weight_frac: int) -> Node:
        finer = weight_frac - self.weight.frac
        return to.emit(
            ops.MatMul(
                name=name,
                inputs=(source,),
                type=to.any_type(to.operands[source].type.frac + weight_frac),
                layer=self.layer,
                weight=self.weight.codes[:, columns] << finer,
                weight_frac=weight_frac,
                bias=bias,
                reuse=self.reuse,
                **(self.format and self.format | {"unit": self.format["unit"][columns] << finer}),
            )
        )


def freeze_matrix(deriver: Deriver, layer: Any, prefix: str, variables: tuple[str, str], reuse: int) -> RecurrentMatrix:
    """Freeze a matrix and its bias, and give them to hls4ml, whose C++ has the scales in the weights.

    Parameters
    ----------
    deriver : Deriver
    layer : hls4ml layer
    prefix : str
        "" or "recurrent_".
    variables : tuple of str
        First letters of the C++ variables of weights and bias.
    reuse : int
        Reuse factor.
    """
    frozen = {
        what: deriver.freeze(layer, what, bool(layer.get_attr(f"{what}_exact")), deriver.precision.weight)
        for what in (f"{prefix}weight", f"{prefix}bias")
    }
    weight, bias = frozen.values()
    format = stored_format(layer, f"{prefix}weight", weight, weight.frac, weight.codes.shape[1])
    scale, scaled = None, weight
    if layer.get_attr(f"{prefix}scale") is not None:
        what = f"{prefix}scale"
        scale, decision = freeze_parameter(layer, what, layer.get_attr(what), False, deriver.precision.scale)
        deriver.result.decisions += [] if decision is None else [decision]
        scaled = Dyadic(weight.codes * scale.codes, weight.frac + scale.frac)
        deriver.result.parameters[layer.name][f"{prefix}weight"] = scaled
    for (what, _), value, letter in zip(frozen.items(), (scaled, bias), variables, strict=True):
        deriver.set_weights(layer, what, value, letter)
    return RecurrentMatrix(layer.name, weight, bias, scale, reuse, format)
