"""Logic depth on small netlists written by hand: what counts as one step, and what cuts a path."""

from __future__ import annotations

from typing import Any

from fpgaq.synth import FAMILIES
from fpgaq.synth._depth import logic_depth

OUTPUTS = {"O", "CO", "Z", "P", "DO", "Q"}


def cell(kind: str, parameters: dict[str, str] | None = None, **pins: int | list[int]) -> dict[str, Any]:
    nets = {pin: bits if isinstance(bits, list) else [bits] for pin, bits in pins.items()}
    directions = {pin: "output" if pin in OUTPUTS else "input" for pin in nets}
    return {"type": kind, "parameters": parameters or {}, "port_directions": directions, "connections": nets}


def depth(*cells: dict[str, Any], family: str = "xc7") -> int | None:
    return logic_depth({f"c{number}": each for number, each in enumerate(cells)}, FAMILIES[family])


def test_registers_cut_paths() -> None:
    luts = [cell("LUT2", I0=k, I1=100, O=k + 1) for k in range(5)]
    assert depth() == 0
    assert depth(cell("FDRE", D=1, Q=2)) == 0
    assert depth(*luts) == 5
    luts[2] = cell("FDRE", D=2, Q=3)
    assert depth(*luts) == 2
    assert depth(*reversed(luts)) == 2


def test_chain_counts_once_wherever_it_is_entered_and_left() -> None:
    """A LUT in front of the third cell, a LUT behind the fourth: three steps."""
    chain = [cell("CARRY4", CI=k, S=[200 + k], CO=[k + 1], O=[300 + k]) for k in range(6)]
    assert depth(*chain) == 1
    assert depth(*chain, cell("LUT1", I0=1000, O=202), cell("LUT1", I0=303, O=1001)) == 3
    # What leaves a chain and enters another one makes a second step.
    other = cell("CARRY4", CI=400, S=[305], CO=[401], O=[402])
    assert depth(*chain, other) == 2
    assert depth(*chain, cell("CARRY4", CI=400, CYINIT=6, S=[403], CO=[401], O=[402])) == 2


def test_multiplexers_that_join_luts_are_free() -> None:
    luts = cell("LUT6", I0=1, O=2), cell("LUT6", I0=1, O=3)
    assert depth(*luts, cell("MUXF7", I0=2, I1=3, S=9, O=4), cell("LUT1", I0=4, O=5)) == 2


def test_distributed_ram_is_read_through_its_address_only() -> None:
    before, after = cell("LUT4", A=1, Z=2), cell("LUT4", A=3, Z=4)
    assert depth(before, cell("TRELLIS_DPR16X4", RAD=[2], DI=[9], DO=[3]), after, family="ecp5") == 3
    assert depth(before, cell("TRELLIS_DPR16X4", RAD=[9], DI=[2], WAD=[2], DO=[3]), after, family="ecp5") == 2


def test_registers_in_a_dsp_block_cut_paths() -> None:
    before, after = cell("LUT1", I0=1, O=2), cell("LUT1", I0=3, O=4)

    def with_dsp(**registers: int) -> int | None:
        parameters = {name: f"{value:032b}" for name, value in registers.items()}
        return depth(before, cell("DSP48E1", parameters, A=[2], C=[9], P=[3]), after)

    assert with_dsp() == with_dsp(AREG=0, PREG=0, CREG=1) == 3
    assert with_dsp(AREG=1) == with_dsp(MREG=1) == with_dsp(PREG=1) == 2


def test_loops_of_whole_cells_have_no_depth() -> None:
    """The sum's lowest bit, inverted, is its highest input: no loop of bits, but one of cells."""
    assert depth(cell("CARRY4", CI=1, S=[2, 5], O=[3, 4]), cell("INV", I=3, O=5)) is None
