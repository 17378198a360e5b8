"""Weights that are filtered by a trained transform before they are rounded (FAT).

Source: "Frequency-Aware Transformation", arXiv 2102.07444, and its reference code. Here the step is a power of two, and
the weights keep their spread, as there need be no batch normalization behind them.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize import formats
from fpgaq.quantize.formats import WeightFormat
from fpgaq.quantize.quantizers.base import nearest, registered
from fpgaq.quantize.quantizers.trainable import TrainableWeights, check_bits, on_steps, trained_step

_RANGES = {"uniform": (2, 16), "log": (2, formats.power_of_two.MAX_POT_BITS)}


@registered
class FrequencyAware(TrainableWeights):
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
        super().__init__(**options)
        if mode not in _RANGES:
            raise ConfigError(f"FrequencyAware: mode {mode!r} is unknown; known are {', '.join(_RANGES)}")
        check_bits(f"FrequencyAware in {mode} mode", bits, *_RANGES[mode])
        self.bits = bits
        self.mode = mode
        self.depthwise = depthwise
        self.format = formats.Integer(bits, symmetric=True) if mode == "uniform" else formats.PowerOfTwo(bits)
        self.top = float(self.format.levels[-1])

    def build(self, input_shape: Any) -> None:
        """Create the transform, a square matrix over the filters, and the clip."""
        filters = int(np.prod(input_shape[-2:])) if self.depthwise else int(input_shape[-1])
        mean = keras.initializers.Constant(1 / filters)
        self.transform = self.add_weight(name="transform", shape=(filters, filters), initializer=mean)
        self.clip = self.add_weight(name="clip", shape=(), initializer=keras.initializers.Constant(3.0))
        self.built = True

    def adapt(self, values: np.ndarray) -> None:
        """Start from the step of least squared error: the paper's 3 deviations leave few weights at 2 bits."""
        scaled, spread = (ops.convert_to_numpy(t) for t in self._scaled(ops.convert_to_tensor(values)))
        first = np.round(np.log2(3 * spread / self.top))

        def error(step: float) -> float:
            quantized = ops.convert_to_numpy(self._integers(scaled / np.float32(step))) * step
            return float(np.mean((quantized - scaled) ** 2))

        step = min((2.0 ** (first - k) for k in range(4)), key=error)
        self.clip.assign(step * self.top / spread)

    def _integers(self, ratio: Any) -> Any:
        integers = ops.round(ratio) if self.mode == "uniform" else nearest(ratio, self.format.levels)
        return ops.clip(integers, -self.top, self.top)

    def project(self, w: Any, *, training: bool) -> tuple[Any, Any]:
        scaled, spread = self._scaled(w)
        step = trained_step(self.clip * spread / self.top)
        ratio = ops.stop_gradient(scaled / step)
        return on_steps(scaled, step, self._integers(ratio), self.top), ops.stop_gradient(step)

    def _scaled(self, w: Any) -> tuple[Any, Any]:
        """Return the filtered weights without their mean, and their deviation."""
        still = ops.stop_gradient(w)
        mean = ops.mean(still)
        spread = ops.sqrt(ops.sum(ops.square(still - mean)) / max(int(np.prod(w.shape)) - 1, 1))
        spread = ops.maximum(spread, 1e-12)
        return self.filtered((w - mean) / spread) * spread, spread

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

    def format_of(self, integers: np.ndarray) -> WeightFormat:
        return self.format

    def arguments(self) -> dict[str, Any]:
        return {"bits": self.bits, "mode": self.mode, "depthwise": self.depthwise}
