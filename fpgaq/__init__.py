"""fpgaq: quantized Keras/QKeras models to FPGA IP, with a proof that the IP computes the model.

>>> import fpgaq
>>> design = fpgaq.convert("jets.keras", input_precision="fixed<8,4>")  # doctest: +SKIP
>>> y, cycles = design.rtl(x)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fpgaq.conversion import convert
    from fpgaq.design import Design
    from fpgaq.quantize.freeze import freeze

__version__ = "0.1.0"
__all__ = ["Design", "__version__", "convert", "freeze"]


def __getattr__(name: str) -> Any:
    # Lazy: the entry point of the hls4ml plugin imports this package while hls4ml is still being imported.
    if name == "convert":
        from fpgaq.conversion import convert

        return convert
    if name == "Design":
        from fpgaq.design import Design

        return Design
    if name == "freeze":
        from fpgaq.quantize.freeze import freeze

        return freeze
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
