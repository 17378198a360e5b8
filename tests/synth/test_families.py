"""Cell counting: what each family's table says, and that nothing goes uncounted."""

from __future__ import annotations

import pytest

from fpgaq.errors import ConfigError, ToolError
from fpgaq.synth import FAMILIES, Resources
from fpgaq.synth.families import family


def test_xilinx_counts() -> None:
    cells = {"LUT2": 3, "LUT6": 2, "LUT6_2": 5, "INV": 1, "FDRE": 7, "CARRY4": 4, "MUXF7": 9, "$scopeinfo": 2}
    assert FAMILIES["xc7"].resources(cells) == Resources(lut=11, ff=7, carry=4)
    memories = {"RAMB36E1": 1, "RAMB18E1": 1, "SRL16E": 2, "RAM64M": 3, "DSP48E1": 4}
    assert FAMILIES["xc7"].resources(memories) == Resources(dsp=4, bram18=3, lutram=14)


@pytest.mark.parametrize("name", FAMILIES)
def test_unmapped_cell_is_an_error(name: str) -> None:
    with pytest.raises(ToolError, match=r"cells of type '\$_DLATCH_P_'"):
        FAMILIES[name].resources({"$_DLATCH_P_": 1})


def test_unknown_family_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"'virtex'.*xc7.*ecp5.*intel"):
        family("virtex")


def test_resources_add_and_survive_json() -> None:
    some = Resources(lut=1, ff=2, dsp=3, bram18=4, carry=5, lutram=6)
    assert some + some == some * 2
    assert Resources.from_json(some.to_json()) == some
    assert list(some.to_json()) == ["lut", "ff", "dsp", "bram18", "carry", "lutram"]
