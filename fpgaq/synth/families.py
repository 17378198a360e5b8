"""The FPGA families: which yosys command maps to them and what their cells cost. One table, no code per family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from fpgaq.errors import ConfigError, ToolError
from fpgaq.synth.resources import Resources

FREE = Resources()
LUT, FF, DSP, BRAM, CARRY, LUTRAM = (Resources(**{name: 1}) for name in Resources().to_json())

# What the generic synth_* scripts do before alumacc, in their own words; done once more ahead of them so that the
# adders already have their final widths when they are held.
_PREPARE = (
    "proc",
    "flatten",
    "opt_expr",
    "opt_clean",
    "opt -nodffe -nosdff",
    "fsm",
    "opt",
    "wreduce",
    "peepopt",
    "opt_clean",
)


@dataclass(frozen=True)
class Family:
    """One target of the synthesis flow.

    Attributes
    ----------
    name, title
        What the user writes, and what it stands for.
    command
        The yosys command, without ``-top``. No pads or clock buffers: the IP is a part of somebody's chip.
    hold, release
        Labels of the command's script. Adders are kept apart from `hold` to `release`, which is where memories are
        mapped, up to ``map_ffram`` (see `fpgaq.synth._recipe`).
    finish
        Label of the script once all logic is mapped; hand-mapped bodies come in before it.
    reuse_sums
        Whether yosys builds sum bits a second time beside the carry cells (see `fpgaq.synth._carry`).
    dsp_product
        Bits of the smallest product that goes into a DSP block with an adder behind the multiplier; adders of such
        products are left to the block. 0: the family's yosys flow uses no such adder.
    dsp_packed
        Label of the script at which adders and registers have been packed into DSP blocks; None where none are.
    prepare
        Passes run before `hold`, for commands whose script has no label between elaboration and ``alumacc``.
    cells
        Pattern of a cell type -> its cost; the first match counts. A type outside the table is an error.
    models
        Simulation models of the cells, relative to yosys' share folder.
    mapped
        Folder of hand-mapped bodies that replace library modules of the same name, relative to this package.
    """

    name: str
    title: str
    command: str
    hold: str
    release: str
    cells: Mapping[str, Resources]
    models: tuple[str, ...]
    finish: str = "check"
    reuse_sums: bool = False
    dsp_product: int = 0
    dsp_packed: str | None = None
    prepare: tuple[str, ...] = ()
    mapped: str | None = None

    def resources(self, cells: Mapping[str, int]) -> Resources:
        """Return the resources of a netlist given as cell type -> count.

        Raises
        ------
        ToolError
            A cell type is not in the table: it was not mapped to the family, or the table must learn it.
        """
        total = FREE
        for cell, count in cells.items():
            total += self._cost(cell) * count
        return total

    def replacements(self) -> tuple[Path, ...]:
        """Return the hand-mapped bodies, each named after the module it replaces."""
        if self.mapped is None:
            return ()
        return tuple(sorted((Path(__file__).parent / self.mapped).glob("*.v")))

    def _cost(self, cell: str) -> Resources:
        for pattern, cost in self.cells.items():
            if fnmatchcase(cell, pattern):
                return cost
        raise ToolError(
            f"Synthesis for {self.name} left cells of type '{cell}', which the family's table does not count. Latches"
            " are refused on purpose; else the construct has no hardware in this family, or fpgaq/synth/families.py"
            " lacks the cell."
        )


# UG474 (7 series) and UG574 (UltraScale): LUTs that a distributed RAM or shift register occupies.
_XILINX_CELLS = {
    "$scopeinfo": FREE,
    "LUT[1-6]": LUT,
    "LUT6_2": LUT,
    "INV": LUT,
    "FD[CPRS]E": FF,
    "FD[CPRS]E_1": FF,
    "MUXF[789]": FREE,
    "CARRY4": CARRY,
    "CARRY8": CARRY,
    "DSP48E[12]": DSP,
    "RAMB18E[12]": BRAM,
    "RAMB36E[12]": BRAM * 2,
    "SRL16E": LUTRAM,
    "SRLC32E": LUTRAM,
    "RAM32X1S": LUTRAM,
    "RAM64X1S": LUTRAM,
    "RAM32X1D": LUTRAM * 2,
    "RAM64X1D": LUTRAM * 2,
    "RAM128X1S": LUTRAM * 2,
    "RAM128X1D": LUTRAM * 4,
    "RAM256X1S": LUTRAM * 4,
    "RAM256X1D": LUTRAM * 8,
    "RAM512X1S": LUTRAM * 8,
    "RAM32M": LUTRAM * 4,
    "RAM64M": LUTRAM * 4,
    "RAM32M16": LUTRAM * 8,
    "RAM64M8": LUTRAM * 8,
}


def _xilinx(name: str, title: str) -> Family:
    return Family(
        name=name,
        title=title,
        command=f"synth_xilinx -family {name} -flatten -noiopad -noclkbuf -nowidelut",
        hold="map_dsp",
        release="map_memory",
        finish="finalize",
        reuse_sums=True,
        dsp_product=9,  # DSP_Y_MINWIDTH in synth_xilinx
        dsp_packed="coarse",
        cells=_XILINX_CELLS,
        models=("xilinx/cells_sim.v",),
        mapped="techmap/xilinx",
    )


_FAMILIES = (
    _xilinx("xc7", "AMD/Xilinx 7 series"),
    _xilinx("xcup", "AMD/Xilinx UltraScale+ (yosys maps carries to CARRY4 there too)"),
    Family(
        name="ecp5",
        title="Lattice ECP5",
        command="synth_lattice -family ecp5",
        hold="coarse",
        release="map_ram",
        prepare=_PREPARE,
        cells={
            "$scopeinfo": FREE,
            "LUT4": LUT,
            "PFUMX": FREE,
            "L6MUX21": FREE,
            "CCU2C": LUT * 2 + CARRY,  # a slice's two LUT4s in carry mode
            "TRELLIS_FF": FF,
            "TRELLIS_DPR16X4": LUTRAM * 4,
            "MULT18X18D": DSP,
            "ALU54B": FREE,
            "DP16KD": BRAM,
            "PDPW16KD": BRAM,
        },
        models=("ecp5/cells_sim.v",),
    ),
    Family(
        name="ice40",
        title="Lattice iCE40 (HX: no DSP blocks)",
        command="synth_ice40",
        hold="coarse",
        release="map_ram",
        prepare=_PREPARE,
        cells={
            "$scopeinfo": FREE,
            "SB_LUT4": LUT,
            "SB_CARRY": CARRY,  # shares the logic cell of an SB_LUT4
            "SB_DFF*": FF,
            "SB_RAM40_4K*": BRAM,
        },
        models=("ice40/cells_sim.v",),
    ),
    Family(
        name="gowin",
        title="Gowin GW2A",
        command="synth_gowin -family gw2a -noiopads",
        hold="coarse",
        release="map_ram",
        prepare=_PREPARE,
        cells={
            "$scopeinfo": FREE,
            "LUT[1-4]": LUT,
            "INV": LUT,
            "MUX2_LUT[5678]": FREE,
            "ALU": LUT + CARRY,  # a LUT4 in arithmetic mode
            "DFF*": FF,
            "MULT*": DSP,
            "RAM16S*1": LUTRAM,
            "RAM16S*2": LUTRAM * 2,
            "RAM16S*4": LUTRAM * 4,
            "SDP*": BRAM,
            "SP*": BRAM,
            "DP*": BRAM,
            "pROM*": BRAM,
            "VCC": FREE,
            "GND": FREE,
            "GSR": FREE,
        },
        models=("gowin/cells_sim.v",),
    ),
    Family(
        name="intel",
        title="Intel Cyclone V",
        command="synth_intel_alm -family cyclonev -noiopad -noclkbuf",
        hold="coarse",
        release="map_bram",
        prepare=_PREPARE,
        cells={
            "$scopeinfo": FREE,
            "MISTRAL_ALUT[2-6]": LUT,
            "MISTRAL_NOT": LUT,
            "MISTRAL_ALUT_ARITH": LUT + CARRY,
            "MISTRAL_FF": FF,
            "MISTRAL_MUL*": DSP,
            "MISTRAL_M10K": BRAM,
            "MISTRAL_MLAB": LUTRAM,
        },
        models=("intel_alm/common/alm_sim.v", "intel_alm/common/dff_sim.v", "intel_alm/common/dsp_sim.v"),
    ),
)

FAMILIES: Mapping[str, Family] = {family.name: family for family in _FAMILIES}
"""Family by the name the user writes."""


def family(name: str) -> Family:
    """Return a family by name.

    Raises
    ------
    ConfigError
        No such family; the message lists them.
    """
    if name not in FAMILIES:
        known = ", ".join(f"{f.name} ({f.title})" for f in FAMILIES.values())
        raise ConfigError(f"Unknown FPGA family '{name}'. Known: {known}.")
    return FAMILIES[name]
