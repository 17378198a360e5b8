"""Dense layer with precision gating."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from fpgaq.quantize.layers.gated import GatedLayer


@keras.saving.register_keras_serializable(package="fpgaq")
class GatedDense(GatedLayer):
    """Dense layer whose input's low bits count only where the high ones predict a large result.

    Parameters
    ----------
    units : int
        Outputs.
    **options
        As of `GatedLayer`.

    Raises
    ------
    ConfigError
        Naming the parameter and its range.
    """

    def __init__(self, units: int, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.units = units
        self._check_count("units")

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        return channels, self.units

    def product(self, x: Any, kernel: Any) -> Any:
        return ops.matmul(x, kernel)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "units": self.units}
