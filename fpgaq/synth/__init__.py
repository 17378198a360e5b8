"""Vendor-free synthesis: LUT, flip-flop, DSP and block RAM counts with yosys, and netlists to simulate.

>>> from pathlib import Path
>>> from fpgaq.synth import synthesize
>>> found = synthesize([Path("net.sv"), Path("fc1.sv")], "net", ["fc1"], work=Path("build"))  # doctest: +SKIP
>>> found.total.lut  # doctest: +SKIP
1278
"""

from fpgaq.synth.families import FAMILIES, Family
from fpgaq.synth.flow import Netlist, Synthesis, cell_models, netlist, synthesize
from fpgaq.synth.resources import Resources
from fpgaq.synth.vectors import simulate

__all__ = [
    "FAMILIES",
    "Family",
    "Netlist",
    "Resources",
    "Synthesis",
    "cell_models",
    "netlist",
    "simulate",
    "synthesize",
]
