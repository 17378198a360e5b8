"""Integer or power-of-two weights up to a trained limit."""

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
class LearnedClipWeights(TrainableWeights):
    """Weights less their mean, in as many levels below zero as above; beyond the trained ``clip`` they saturate.

    The clip is in deviations of the weights, the step the power of two next to what it gives. This is FAT (arXiv
    2102.07444) without its filter, which is what that has to be compared with. The mean of a kernel is lost.

    Parameters
    ----------
    bits : int
        2 to 16; in log mode 2 to 5.
    mode : str
        "uniform": integers; "log": zero and powers of two.
    """

    def __init__(self, bits: int = 4, mode: str = "uniform", **options: Any) -> None:
        super().__init__(**options)
        name = type(self).__name__
        if mode not in _RANGES:
            raise ConfigError(f"{name}: mode {mode!r} is unknown; known are {', '.join(_RANGES)}")
        check_bits(f"{name} in {mode} mode", bits, *_RANGES[mode])
        self.bits = bits
        self.mode = mode
        self.format = formats.Integer(bits, symmetric=True) if mode == "uniform" else formats.PowerOfTwo(bits)
        self.top = float(self.format.levels[-1])

    def build(self, input_shape: Any) -> None:
        """Create the clip."""
        self.clip = self.add_weight(name="clip", shape=(), initializer=keras.initializers.Constant(3.0))
        self.built = True

    def adapt(self, values: np.ndarray) -> None:
        """Start from the step of least squared error: FAT's 3 deviations leave few weights at 2 bits."""
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
        """Return the weights that are rounded, without their mean, and their deviation."""
        still = ops.stop_gradient(w)
        mean = ops.mean(still)
        spread = ops.sqrt(ops.sum(ops.square(still - mean)) / max(int(np.prod(w.shape)) - 1, 1))
        spread = ops.maximum(spread, 1e-12)
        return self.filtered((w - mean) / spread) * spread, spread

    def filtered(self, w: Any) -> Any:
        """Return what becomes of normalized weights before they are rounded: here nothing."""
        return w

    def format_of(self, integers: np.ndarray) -> WeightFormat:
        return self.format

    def arguments(self) -> dict[str, Any]:
        return {"bits": self.bits, "mode": self.mode}
