"""hls4ml's Keras 3 handlers for layers with precision gating; importing this module registers them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hls4ml.converters.keras_v3._base import KerasV3LayerHandler

from fpgaq.errors import ModelError
from fpgaq.frontend.activation_quantizers import Cast
from fpgaq.frontend.chains import Chain, LayerDict, to_numpy
from fpgaq.frontend.spatial import lengths
from fpgaq.frontend.spatial_handlers import convolution_geometry
from fpgaq.ir.types import FixedType, Overflow, Rounding


class GatedHandler(KerasV3LayerHandler):
    """GatedDense, GatedConv1D and GatedConv2D: the cast that makes the codes of the input, and the gated matrix."""

    handles = (
        "fpgaq.quantize.layers.gated_dense.GatedDense",
        "fpgaq.quantize.layers.gated_convolution.GatedConv1D",
        "fpgaq.quantize.layers.gated_convolution.GatedConv2D",
    )

    def handle(self, layer: Any, in_tensors: Any, out_tensors: Any) -> tuple[LayerDict, ...]:
        codes, steps = gated_codes(layer)
        chain = Chain(layer, in_tensors, out_tensors)
        chain.add(
            f"{layer.name}_codes",
            shape=chain.in_shape,
            class_name="Activation",
            activation="linear",
            exact_cast=str(codes),
        )
        matrix = steps.reshape(-1, steps.shape[-1])
        window: LayerDict = {}
        if steps.ndim > 2:
            window = {**lengths("in", chain.in_shape), **lengths("out", chain.out_shape), "n_chan": chain.in_shape[-1]}
            window |= convolution_geometry(layer).attributes("filt")
        chain.add(
            layer.name,
            class_name="GatedConvolution" if window else "GatedDense",
            n_in=matrix.shape[0],
            n_out=matrix.shape[1],
            low_bits=layer.low_bits,
            weight_data=matrix,
            threshold_data=to_numpy(layer.threshold),
            **window,
        )
        return chain.done()


def gated_codes(layer: Any) -> tuple[Cast, np.ndarray]:
    """Return the cast of a gated layer's input, and the values of its weights, which are exact."""
    for what in ("kernel", "threshold", "alpha"):
        if not np.isfinite(to_numpy(getattr(layer, what))).all():
            raise ModelError(f"layer {layer.name!r}: {what} contains NaN or infinity; retrain or repair the model")
    alpha = float(to_numpy(layer.alpha))
    if alpha < 2.0**-16:
        raise ModelError(f"layer {layer.name!r}: its clip alpha={alpha:g} has collapsed; retrain with a larger clip")
    frac = -int(np.log2(float(to_numpy(layer.activation_step()))))
    cast = Cast(False, FixedType(layer.activation_bits, frac, False), Rounding.RND_CONV, Overflow.SAT)
    return cast, to_numpy(layer.quantized_weights())
