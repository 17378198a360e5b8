"""The yosys passes of one synthesis: the vendor script of the family, with the adders kept apart on the way.

yosys' ``alumacc`` merges adders that feed one another only once into ``$macc`` cells, and ``maccmap`` turns those
into compressor trees of LUTs. On FPGAs a carry chain per adder is smaller (561 against 880 LUTs on a tree of 64 8-bit
inputs), so every adder's output is marked ``keep`` until the merging is over.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyosys import libyosys as ys

from fpgaq.synth._carry import reuse_sum_outputs
from fpgaq.synth.families import Family

# yosys' own script without its last step, &mfs: on adder graphs that took four fifths of abc's time (16 of 19 s for a
# network of 10 k LUTs) and changed the LUT count by -0.1 to +0.4 %.
_ABC = "+&scorr;&sweep;&dc2;&dch,-f,-r;&ps;&if,{W},{D},{R},-v"

_KEEP = ys.IdString("\\keep")
_ADDERS = ("$add", "$sub")
_Net = tuple[str, int]  # wire and bit of it


class UndrivenError(Exception):
    """Packing DSP blocks left nets without a driver."""


def synthesis(
    design: Any,
    family: Family,
    sources: Sequence[Path],
    replacements: Sequence[Path],
    top: str,
    *,
    carry_chains: bool = True,
    dsp_adders: bool = True,
    boxes: Sequence[str] = (),
) -> None:
    """Synthesize `top`; `design` then holds the mapped netlist.

    Parameters
    ----------
    design
        An empty ``pyosys.libyosys.Design``.
    family
        The target.
    sources
        SystemVerilog files.
    replacements
        Hand-mapped bodies read over modules of the same name.
    top
        Module to synthesize, with everything below it.
    carry_chains
        One carry chain per adder; False runs the vendor script as it is, for comparison.
    dsp_adders
        False marks the adders behind products too, so that yosys packs DSP blocks in another way.
    boxes
        Modules of which nothing is built.

    Raises
    ------
    UndrivenError
        With `dsp_adders`: yosys 0.70 does not connect the results of some sums of two products that it packs.
    """

    def run(command: str) -> None:
        ys.run_pass(command, design)

    # abc9 proves its own result equivalent, which takes most of the run time on adder graphs. The netlist is the same
    # without; post-synthesis simulation (`fpgaq.synth.netlist`) is the check we trust.
    run("scratchpad -set abc9.verify 0")
    if replacements:
        _check_originals(sources, top)
    for file in sources:
        # -defer: parameters are only known at the instance, and a ROM's default file name need not exist.
        run(f'read_verilog -sv -defer "{file}"')
    for file in replacements:
        # A black box until everything around it is mapped: nothing in it can improve, and there is less to carry along.
        run(f'read_verilog -sv -lib -overwrite "{file}"')
    if boxes:
        run(f"hierarchy -top {top}")
        run(f"blackbox {' '.join(boxes)}")
    # Before the family's script does it: yosys would make ROMs of the tables of case statements, whose outputs a memory
    # registers in front of the logic behind them, where our pipelines have their registers behind it (a decoder of two
    # levels: 930 against 747 LUTs, 795 against 657 FFs).
    run(f"hierarchy -top {top}")
    run("proc -norom")
    command = f"{family.command} -top {top}"
    if not carry_chains:
        run(command)
        return
    run(f"scratchpad -set abc9.script {_ABC}")
    run(f"{command} -run begin:{family.hold}")
    for step in family.prepare:
        run(step)
    _hold_adders(design, family, dsp_adders)
    label = family.hold
    if family.dsp_packed:
        run(f"{command} -run {label}:{family.dsp_packed}")
        # Here, not at the end: later passes make constants of nets that packing left without a driver. Not later than
        # here either: a memory that takes in its output register leaves the old one behind, read by nothing.
        run("opt_clean")
        if dsp_adders and _is_undriven(design):
            raise UndrivenError
        run("check -noinit")
        label = family.dsp_packed
    run(f"{command} -run {label}:{family.release}")
    run("setattr -unset keep w:*")  # of all wires: clean-up passes move the mark to other names of a net
    # Reading the block RAM maps takes a second: a third of a small run, for nothing where there is no memory.
    resume = family.release if _has_memory(design) else "map_ffram"
    run(f"{command} -run {resume}:{family.finish}")
    for file in replacements:
        run(f'techmap -map "{file}"')
    if family.reuse_sums:
        run("opt_clean")
        reuse_sum_outputs(design)
    run(f"{command} -run {family.finish}:")


def _check_originals(sources: Sequence[Path], top: str) -> None:
    """Let yosys check the design with the bodies that are simulated: it does not see loops through black boxes."""
    design = ys.Design()
    for file in sources:
        ys.run_pass(f'read_verilog -sv -defer "{file}"', design)
    for command in (f"hierarchy -check -top {top}", "proc", "flatten", "check"):
        ys.run_pass(command, design)


def _has_memory(design: Any) -> bool:
    return any(
        cell.type.str().startswith("$mem") for module in design.selected_modules() for cell in module.selected_cells()
    )


def _is_undriven(design: Any) -> bool:
    """Whether something reads a net that nothing drives; said nowhere in the log, where it would be a failure."""
    with tempfile.NamedTemporaryFile("r", suffix=".log") as log:
        ys.run_pass(f"tee -q -o {log.name} check -noinit", design)
        return "has no driver" in log.read()


def _hold_adders(design: Any, family: Family, dsp_adders: bool) -> None:
    for module in design.selected_modules():
        cells = module.selected_cells()
        products = _products(cells, family) if family.dsp_product and dsp_adders else set()
        for cell in cells:
            if cell.type.str() not in _ADDERS:
                continue
            if not products.isdisjoint(_nets(cell, "A") + _nets(cell, "B")):
                continue  # the DSP block has an adder for it
            for bit in _bits(cell, "Y"):
                if bit.wire is not None:
                    bit.wire.set_bool_attribute(_KEEP, True)


def _products(cells: Sequence[Any], family: Family) -> set[_Net]:
    """Return the nets that carry products of DSP size, directly or through one register."""
    found: set[_Net] = set()
    for cell in cells:
        if cell.type.str() == "$mul" and len(product := _nets(cell, "Y")) >= family.dsp_product:
            found.update(product)
    for cell in cells:
        if "dff" in cell.type.str() and not found.isdisjoint(_nets(cell, "D")):
            found.update(_nets(cell, "Q"))
    return found


def _bits(cell: Any, port: str) -> list[Any]:
    return list(cell.getPort(ys.IdString(f"\\{port}")).to_sigbit_vector())


def _nets(cell: Any, port: str) -> list[_Net]:
    return [(bit.wire.name.str(), bit.offset) for bit in _bits(cell, port) if bit.wire is not None]
