"""The quantization systems of the literature that fpgaq was held against, and what became of each.

`fpgaq methods` and the manual show this list. The tests run every way of every row: a small model is trained, rounded
or given bits as the row says, and its hardware compared with the golden model and with Keras.
"""

from fpgaq.quantize.literature.architectures import ARCHITECTURES
from fpgaq.quantize.literature.bit_widths import BIT_WIDTHS
from fpgaq.quantize.literature.entry import Entry, Way
from fpgaq.quantize.literature.number_formats import NUMBER_FORMATS
from fpgaq.quantize.literature.rounding import ROUNDING
from fpgaq.quantize.literature.training import TRAINING

SYSTEMS = (*NUMBER_FORMATS, *TRAINING, *ROUNDING, *BIT_WIDTHS, *ARCHITECTURES)
"""All rows, as they are shown."""

__all__ = ["SYSTEMS", "Entry", "Way"]
