"""The yosys passes of one synthesis: the vendor script of the family, with the adders kept apart on the way.

yosys' ``alumacc`` merges adders that feed one another only once into ``$macc`` cells, and ``maccmap`` turns those
into compressor trees of LUTs. On FPGAs a carry chain per adder is smaller (561 against 946 LUTs on a tree of 63 8-bit
adders), so every adder's output is marked ``keep`` until the merging is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyosys import libyosys as ys

from fpgaq.synth._carry import reuse_sum_outputs
from fpgaq.synth.families import Family

_KEEP = ys.IdString("\\keep")
_ADDERS = ("$add", "$sub")


def synthesis(
    design: Any,
    family: Family,
    sources: Sequence[Path],
    replacements: Sequence[Path],
    top: str,
    *,
    carry_chains: bool = True,
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
    """

    def run(command: str) -> None:
        ys.run_pass(command, design)

    # abc9 proves its own result equivalent, which takes most of the run time on adder graphs. The netlist is the same
    # without; post-synthesis simulation (`fpgaq.synth.netlist`) is the check we trust.
    run("scratchpad -set abc9.verify 0")
    for files, option in ((sources, ""), (replacements, " -overwrite")):
        # -defer: parameters are only known at the instance, and a ROM's default file name need not exist.
        for file in files:
            run(f'read_verilog -sv -defer{option} "{file}"')
    command = f"{family.command} -top {top}"
    if not carry_chains:
        run(command)
        return
    run(f"{command} -run begin:{family.hold}")
    for step in family.prepare:
        run(step)
    _hold_adders(design)
    run(f"{command} -run {family.hold}:{family.release}")
    run("setattr -unset keep w:*")  # of all wires: clean-up passes move the mark to other names of a net
    if family.sums is None:
        run(f"{command} -run {family.release}:")
        return
    run(f"{command} -run {family.release}:{family.sums}")
    run("opt_clean")
    reuse_sum_outputs(design)
    run(f"{command} -run {family.sums}:")


def _hold_adders(design: Any) -> None:
    for module in design.selected_modules():
        for cell in module.selected_cells():
            if cell.type.str() not in _ADDERS:
                continue
            for bit in cell.getPort(ys.IdString("\\Y")).to_sigbit_vector():
                if bit.wire is not None:
                    bit.wire.set_bool_attribute(_KEEP, True)
