"""The estimate puts the forms of a folded matrix in the order in which synthesis puts them."""

from __future__ import annotations

import itertools

import pytest
from coded_layers import EXAMPLES, coded_layer, matrix_of

from fpgaq.estimate.folded_cost import Cost
from fpgaq.ir import FixedType
from fpgaq.rtl.folded_forms import ADDED, COUNTED, DECODED, PLAIN, SHIFTED
from fpgaq.rtl.hardware import make_hardware

S4, U2, U3, U8 = FixedType(4, 0, True), FixedType(2, 0, False), FixedType(3, 0, False), FixedType(8, 0, False)
#: Name, which seeds the weights, with their format in front; inputs, outputs, reuse factor; what goes in; LUT, DSP and
#: block RAM of every form after synthesis for xc7
MEASURED: list[tuple[str, tuple[int, int, int], FixedType | str, dict[str, Cost]]] = [
    ("pot4_a", (16, 8, 16), S4, {SHIFTED: Cost(359), PLAIN: Cost(144, 8), DECODED: Cost(167, 8)}),
    ("pot4_b", (32, 8, 8), U8, {SHIFTED: Cost(1794), PLAIN: Cost(652, 32), DECODED: Cost(862, 32)}),
    ("pot4_d", (32, 32, 512), U3, {SHIFTED: Cost(205, 0, 1), PLAIN: Cost(150, 2, 1), DECODED: Cost(164, 2, 1)}),
    ("po2_e", (16, 8, 16), U2, {SHIFTED: Cost(210), PLAIN: Cost(279), DECODED: Cost(219)}),
    ("po2_unsigned_e", (16, 8, 4), U8, {SHIFTED: Cost(784), PLAIN: Cost(373, 32), DECODED: Cost(410, 32)}),
    ("ternary_a", (16, 8, 16), S4, {ADDED: Cost(192), PLAIN: Cost(224)}),
    ("ternary_b", (32, 8, 8), U8, {ADDED: Cost(913), PLAIN: Cost(510, 32)}),
    ("ternary_c", (64, 8, 4), "ternary", {ADDED: Cost(769), COUNTED: Cost(907), PLAIN: Cost(1121)}),
    ("binary_a", (16, 8, 16), S4, {ADDED: Cost(191), PLAIN: Cost(215), DECODED: Cost(215)}),
    ("binary_c", (64, 8, 4), "signs", {COUNTED: Cost(418), ADDED: Cost(731), PLAIN: Cost(973), DECODED: Cost(973)}),
    ("binary_c", (64, 8, 64), "signs", {COUNTED: Cost(180), ADDED: Cost(260), PLAIN: Cost(262), DECODED: Cost(259)}),
    ("tapered4_a", (16, 8, 16), S4, {PLAIN: Cost(126, 8), DECODED: Cost(152, 8)}),
    ("codebook4_a", (16, 8, 16), S4, {PLAIN: Cost(136, 8), DECODED: Cost(164, 8)}),
    ("apot4_a", (16, 8, 16), S4, {PLAIN: Cost(123, 8), DECODED: Cost(145, 8)}),
    ("pwlq3_d", (16, 16, 64), U3, {PLAIN: Cost(203, 4), DECODED: Cost(278, 4)}),
]
#: Worth that synthesis itself may gain or lose from one form to the next
NOISE = 1.03


@pytest.mark.parametrize(("name", "size", "inputs", "measured"), MEASURED)
def test_order_is_that_of_synthesis(
    name: str, size: tuple[int, int, int], inputs: FixedType | str, measured: dict[str, Cost]
) -> None:
    number_format, unit = EXAMPLES[name.rpartition("_")[0]], "powers" if name == "pwlq3_d" else "one"
    graph = coded_layer(name, number_format, size, inputs, unit=unit)
    estimated = {form.name: cost for form, cost in matrix_of(make_hardware(graph, 5.0, "xc7")).forms}
    assert set(estimated) == set(measured)
    for a, b in itertools.permutations(measured, 2):
        if measured[a].equivalents * NOISE < measured[b].equivalents:
            assert estimated[a].equivalents < estimated[b].equivalents, (a, b)
    for form, cost in measured.items():
        assert (estimated[form].dsp, estimated[form].bram18) == (cost.dsp, cost.bram18), form
        assert 0.6 < estimated[form].equivalents / cost.equivalents < 1.6, (form, estimated[form])
