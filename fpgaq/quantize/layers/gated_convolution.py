"""Convolutions with precision gating: every position of every filter has a gate, and a filter has one threshold."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from fpgaq.errors import ConfigError
from fpgaq.quantize.layers.gated import GatedLayer

Lengths = int | tuple[int, ...]


class _GatedConvolution(GatedLayer):
    """Convolution whose input's low bits count only where the high ones predict a large result.

    Parameters
    ----------
    filters : int
        Outputs of a position.
    kernel_size : int or tuple of int
    strides, dilation_rate : int or tuple of int
    padding : str
        "valid" or "same".
    **options
        As of `GatedLayer`.

    Raises
    ------
    ConfigError
        Naming the parameter and its range.
    """

    axes: int

    def __init__(
        self,
        filters: int,
        kernel_size: Lengths,
        *arguments: Any,
        strides: Lengths = 1,
        padding: str = "valid",
        dilation_rate: Lengths = 1,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.filters = filters
        self._check_count("filters")
        self.kernel_size = self._lengths("kernel_size", kernel_size)
        self.strides = self._lengths("strides", strides)
        self.dilation_rate = self._lengths("dilation_rate", dilation_rate)
        self.padding = padding
        if padding not in ("valid", "same"):
            raise ConfigError(f"layer {self.name!r}: padding={padding!r} is unknown; use 'valid' or 'same'")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ConfigError(f"layer {self.name!r}: strides and dilation_rate above 1 exclude each other; use one")

    def _lengths(self, what: str, given: Lengths) -> tuple[int, ...]:
        """Return one number for each axis."""
        numbers = (given,) * self.axes if isinstance(given, int) else tuple(given)
        if len(numbers) != self.axes or not all(isinstance(n, int) and n >= 1 for n in numbers):
            raise ConfigError(f"layer {self.name!r}: {what}={given!r} must be 1 or {self.axes} numbers of at least 1")
        return numbers

    def kernel_shape(self, channels: int) -> tuple[int, ...]:
        return *self.kernel_size, channels, self.filters

    def product(self, x: Any, kernel: Any) -> Any:
        return ops.conv(x, kernel, self.strides, self.padding, dilation_rate=self.dilation_rate)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        own = ("filters", "kernel_size", "strides", "padding", "dilation_rate")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@keras.saving.register_keras_serializable(package="fpgaq")
class GatedConv1D(_GatedConvolution):
    __doc__ = _GatedConvolution.__doc__
    axes = 1


@keras.saving.register_keras_serializable(package="fpgaq")
class GatedConv2D(_GatedConvolution):
    __doc__ = _GatedConvolution.__doc__
    axes = 2
