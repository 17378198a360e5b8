"""Weights that are filtered by a trained transform before they are rounded (FAT).

Source: "Frequency-Aware Transformation", arXiv 2102.07444, and its reference code. Here the step is a power of two, and
the weights keep their spread, as there need be no batch normalization behind them.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from fpgaq.quantize.quantizers.base import registered
from fpgaq.quantize.quantizers.learned_clip_weights import LearnedClipWeights


@registered
class FrequencyAware(LearnedClipWeights):
    """Every filter goes through a circular filter of gains between 0 and 1, which depend on all filters' spectra.

    Weights are normalized to mean 0 and deviation 1; the discrete Fourier transform of a filter runs over its taps in
    the order (input channel, row, column); its magnitudes, weighted by the trained ``transform`` over the filters, give
    the gains. Weights beyond the trained ``clip`` (in deviations) saturate. The mean of a kernel is lost.

    Parameters
    ----------
    bits : int
        2 to 16; in log mode 2 to 5.
    mode : str
        "uniform": integers; "log": zero and powers of two.
    depthwise : bool
        Whether the kernel is one of a depthwise convolution: each of its channels is a filter.
    """

    def __init__(self, bits: int = 4, mode: str = "uniform", depthwise: bool = False, **options: Any) -> None:
        super().__init__(bits, mode, **options)
        self.depthwise = depthwise

    def build(self, input_shape: Any) -> None:
        """Create the transform, a square matrix over the filters, and the clip."""
        filters = int(np.prod(input_shape[-2:])) if self.depthwise else int(input_shape[-1])
        mean = keras.initializers.Constant(1 / filters)
        self.transform = self.add_weight(name="transform", shape=(filters, filters), initializer=mean)
        super().build(input_shape)

    def filtered(self, w: Any) -> Any:
        """Return normalized weights behind the filter; with gains of 1 they are those that went in, bit for bit."""
        order = self._order(len(w.shape))
        ordered = ops.transpose(w, order)
        filters = ops.reshape(ordered, (self.transform.shape[0], -1))
        taps = int(filters.shape[-1])
        real, imaginary = ops.rfft(filters)
        # The square root has no gradient at 0.
        magnitudes = ops.sqrt(ops.square(real) + ops.square(imaginary) + 1e-12)
        lost = 1 - ops.sigmoid(ops.matmul(self.transform, magnitudes))
        # A filter that takes away what is lost: rounding errors of the transforms stay out of what is kept.
        kept = filters - ops.irfft((real * lost, imaginary * lost), fft_length=taps)
        return ops.transpose(ops.reshape(kept, ordered.shape), np.argsort(order).tolist())

    def _order(self, rank: int) -> list[int]:
        """Return the axes with filters first, then input channels, then space."""
        last = [rank - 2, rank - 1] if self.depthwise else [rank - 1, rank - 2]
        return [*last, *range(rank - 2)]

    def arguments(self) -> dict[str, Any]:
        return {**super().arguments(), "depthwise": self.depthwise}
