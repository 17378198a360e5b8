"""Frozen curves, computed by Keras: its own function in float64, rounded to the type that was stated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fpgaq.frontend.curves import rounded_to
from fpgaq.ir.types import FixedType


def curve_step(activation: Any, to: FixedType) -> Callable[[Any], Any]:
    """Return a curve as a function on tensors."""
    from keras import ops

    def apply(x: Any) -> Any:
        values = np.asarray(ops.convert_to_numpy(activation(ops.cast(x, "float64"))), np.float64)
        return ops.cast(ops.convert_to_tensor(np.ldexp(rounded_to(values, to).astype(np.float64), -to.frac)), x.dtype)

    return apply
