"""How a model is quantized after training, checked before any work starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpgaq.errors import ConfigError
from fpgaq.quantize.ptq.fits import FITS, Fit
from fpgaq.quantize.ptq.grid import Grid
from fpgaq.quantize.ptq.registry import Method, method_of
from fpgaq.quantize.ranges import RANGES

_MOST_ACTIVATION_BITS = 16
#: Squares of the grid's unit that a bit costs unless something else is asked for.
_BIT_PRICE = 0.5


@dataclass(frozen=True)
class Settings:
    """How a model is quantized.

    Parameters
    ----------
    method : str
        One of `fpgaq.quantize.ptq.registry.METHODS`.
    bits : int or None
        Of weights; None where `layer_bits` has those of every layer.
    layer_bits : mapping
        Of weights of some layers, by name.
    activations : int or None
        Bits of rectifiers; None leaves them as they are.
    ranges : str or None
        How ranges of rectifiers follow from the first 512 samples of calibration data, one of
        `fpgaq.quantize.ranges.RANGES`; None for the method's.
    bias_correction : bool
        Whether biases take up the mean error of the outputs.
    seed : int
    reconstruct : str
        "layer", or "block" to tune the weights of several layers together behind that.
    format : str or None
        Of weights, one of `fpgaq.quantize.ptq.fits.FITS`; None for the method's, integers where it has none.
    scales : str
        "layer" for one unit of the weights of a layer, "channel" for one for every output channel.
    bit_price : float or None
        What telling a weight costs per bit, in squares of the grid's unit, for methods that ask; None for the default.
    """

    method: str
    bits: int | None
    layer_bits: Mapping[str, int]
    activations: int | None = 8
    ranges: str | None = None
    bias_correction: bool = True
    seed: int = 0
    reconstruct: str = "layer"
    format: str | None = None
    bit_price: float | None = None
    scales: str = "layer"

    def __post_init__(self) -> None:
        method = method_of(self.method)
        self._check_format(method)
        if self.ranges is not None and self.ranges not in RANGES:
            raise ConfigError(f"ranges {self.ranges!r} are unknown; known are {', '.join(RANGES)}")
        for name, bits in {**({} if self.bits is None else {"": self.bits}), **self.layer_bits}.items():
            _check_bits(name, bits, self.fit)
        if self.activations is not None and not 1 <= self.activations <= _MOST_ACTIVATION_BITS:
            raise ConfigError(f"activations of {self.activations} bits; use 1 to {_MOST_ACTIVATION_BITS}")
        if self.seed < 0:
            raise ConfigError(f"seed {self.seed} is negative; use 0 or more")
        if self.reconstruct not in ("layer", "block"):
            raise ConfigError(f"--reconstruct {self.reconstruct!r} is unknown; use layer or block")
        self._check_scales()
        if self.bit_price is not None and not method.priced:
            raise ConfigError(f"method {self.method} asks for no price of a bit; leave --bit-price out, or use ecqx")
        if self.bit_price is not None and not 0 <= self.bit_price < float("inf"):
            raise ConfigError(f"a bit cannot cost {self.bit_price}; use 0 (nearest) or more")

    def _check_format(self, method: Method) -> None:
        if self.format is not None and self.format not in FITS:
            raise ConfigError(f"format {self.format!r} is unknown; known are {', '.join(FITS)}")
        if method.format is not None and self.format not in (None, method.format):
            raise ConfigError(
                f"method {method.name} has a format of its own, not {self.format}; leave --format out, or choose "
                f"--method nearest --format {self.format}"
            )

    def _check_scales(self) -> None:
        if self.scales not in ("layer", "channel"):
            raise ConfigError(f"--scales {self.scales!r} is unknown; use layer or channel")
        if self.scales == "channel" and self.fit.shared:
            plain = ", ".join(fit.name for fit in FITS.values() if not fit.shared)
            raise ConfigError(
                f"--scales channel: format {self.fit.name} has {self.fit.shared} for a whole layer; use --scales "
                f"layer, or one of the formats {plain}"
            )

    @property
    def fit(self) -> Fit:
        """The format of the weights."""
        return FITS[self.format or method_of(self.method).format or "int"]

    def grid(self, weights: NDArray[np.float64], bits: int) -> Grid:
        """Return the grid of a matrix, shape (groups, inputs, outputs)."""
        return self.fit.by_channel(weights, bits) if self.scales == "channel" else self.fit.grid(weights, bits)

    @property
    def range_rule(self) -> str:
        """How ranges of rectifiers are found."""
        return self.ranges or method_of(self.method).ranges

    @property
    def price(self) -> float | None:
        """What telling a weight costs per bit; None for methods that do not ask."""
        if not method_of(self.method).priced:
            return None
        return _BIT_PRICE if self.bit_price is None else self.bit_price

    def bits_of(self, name: str) -> int:
        """Return the bits of a layer's weights."""
        bits = self.layer_bits.get(name, self.bits)
        if bits is None:
            raise ConfigError(f"layer {name!r} has no bits: add it to the file of bits, or give --bits for the others")
        return bits


def _check_bits(name: str, bits: object, fit: Fit) -> None:
    if type(bits) is int and fit.least <= bits <= fit.most:
        return
    of = f"layer {name!r}: " if name else ""
    allowed = str(fit.most) if fit.least == fit.most else f"{fit.least} to {fit.most}"
    binary = " (one bit needs training with a binary quantizer)" if fit.name == "int" else ""
    raise ConfigError(f"{of}weights of {bits} bits in format {fit.name}; use {allowed}{binary}")
