"""The fixed quantizer of activations of equal steps."""

from __future__ import annotations

import math
from typing import Any


def fixed_steps(bits: int, step: float, *, signed: bool = False) -> Any:
    """Return QKeras' quantizer to so many bits of equal steps, a power of two each.

    `quantized_relu` is exact in float32, but has no negative ``integer``. `quantized_bits` is exact without its
    straight-through term ``x + (q - x)``.
    """
    from qkeras import quantized_bits, quantized_relu

    exponent = int(math.log2(step))
    if signed:
        return quantized_bits(bits, exponent + bits - 1, alpha=1, use_ste=False)
    if exponent + bits < 0:
        return quantized_bits(bits, exponent + bits, keep_negative=False, alpha=1, use_ste=False)
    return quantized_relu(bits, exponent + bits)
