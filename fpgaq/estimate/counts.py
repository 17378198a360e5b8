"""What a module is made of, as counted before synthesis: registers, memories and multipliers, and kinds of logic."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

#: What is read of an element of which everything is.
ALL_BITS = -1


@dataclass
class Counts:
    """Parts of a module.

    Parameters
    ----------
    kind : str
        Kind of module; each has coefficients of its own.
    ff, lutram, dsp, bram18 : int
        As in `fpgaq.synth.Resources`.
    logic : dict
        Bits of every kind of logic, of which a fit makes LUTs.
    reads : list of int or None
        Bits of every element that comes in that are read; None where all are.
    """

    kind: str
    ff: int = 0
    lutram: int = 0
    dsp: int = 0
    bram18: int = 0
    logic: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    reads: list[int] | None = None

    def registers(self, length: int, bits: int, device: Device, *, reset: bool = False) -> None:
        """Count rows of registers; long ones without a reset become shift registers, where the device has them."""
        if device.shift_register and length >= device.shift_register and not reset:
            self.lutram += bits * math.ceil(length / 32)
        else:
            self.ff += length * bits


@dataclass(frozen=True)
class Device:
    """What decides on a device where registers, products and words go.

    Parameters
    ----------
    shift_register : int
        Registers in a row from which they become a shift register in a LUT; 0 where there is none.
    dsp_bits : int
        Bits of the smallest product in a DSP block; 0 where there is none.
    dsp_width : int
        Bits of the smallest factor of such a product.
    dsp_registers : bool
        Whether yosys puts registers in front of and behind a product into its DSP block.
    equal_registers : bool
        Whether registers stay that always hold the same.
    lut_inputs : int
        Inputs of a LUT.
    chain_bits, chain_cell : int
        Bits of a sum from which its adder is a carry chain, below which it is LUTs alone; bits of a cell of the chain.
        0 where LUTs have inputs enough that the bits of a sum that no other operand reaches go into them.
    lut_ram, block_ram : callable or None
        LUTs, and blocks of 18 Kbit, of a memory of so many words and bits.
    block_least : int
        Bits a block RAM from which also small memories are in block RAM; 0 where they never are.
    """

    shift_register: int = 0
    dsp_bits: int = 0
    dsp_width: int = 2
    dsp_registers: bool = False
    equal_registers: bool = False
    lut_inputs: int = 6
    chain_bits: int = 0
    chain_cell: int = 1
    lut_ram: Callable[[int, int], int] | None = None
    block_ram: Callable[[int, int], int] | None = None
    block_least: int = 0


def _xilinx_lut_ram(depth: int, bits: int) -> int:
    """Four LUTs hold 32 words of 6 bits, or 64 words of 3, with one port to write and one to read."""
    if depth <= 32:
        return 4 * math.ceil(bits / 6)
    return 4 * math.ceil(bits / 3) * math.ceil(depth / 64)


def _xilinx_block_ram(depth: int, bits: int) -> int:
    """A block of 18 Kbit holds 512 words of 36 bits, 1024 of 18 and so on."""
    width = max(36 >> max((depth - 1).bit_length() - 9, 0), 1)
    return math.ceil(bits / width) * math.ceil(depth / 16384)


def _small_lut_ram(depth: int, bits: int) -> int:
    """Four LUTs hold 16 words of 4 bits."""
    return 4 * math.ceil(bits / 4) * math.ceil(depth / 16)


def _ice40_block_ram(depth: int, bits: int) -> int:
    """A block of 4 Kbit holds 256 words of 16 bits, 512 of 8 and so on."""
    width = max(16 >> max((depth - 1).bit_length() - 8, 0), 2)
    return math.ceil(bits / width) * math.ceil(depth / 2048)


def _intel_lut_ram(depth: int, bits: int) -> int:
    """A cell holds 32 words of a bit."""
    return bits * math.ceil(depth / 32)


def _intel_block_ram(depth: int, bits: int) -> int:
    """A block of 10 Kbit holds 256 words of 40 bits, 512 of 20 and so on."""
    width = max(40 >> max((depth - 1).bit_length() - 8, 0), 1)
    return math.ceil(bits / width) * math.ceil(depth / 8192)


DEVICES = {
    "xc7": Device(3, 9, dsp_registers=True, lut_ram=_xilinx_lut_ram, block_ram=_xilinx_block_ram),
    "xcup": Device(3, 9, lut_ram=_xilinx_lut_ram, block_ram=_xilinx_block_ram),
    "ecp5": Device(
        dsp_bits=4, lut_inputs=4, chain_bits=5, chain_cell=2, lut_ram=_small_lut_ram, block_ram=_xilinx_block_ram
    ),
    "ice40": Device(lut_inputs=4, chain_bits=3, block_ram=_ice40_block_ram, block_least=64),
    "gowin": Device(
        dsp_bits=8, dsp_width=4, lut_inputs=4, chain_bits=3, lut_ram=_small_lut_ram, block_ram=_xilinx_block_ram
    ),
    "intel": Device(dsp_bits=8, dsp_width=4, equal_registers=True, lut_ram=_intel_lut_ram, block_ram=_intel_block_ram),
}
