"""The table softmax: its tables against hls4ml's C++, its arithmetic against Python integers."""

from __future__ import annotations

import importlib.util
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fpgaq.errors import ModelError
from fpgaq.ir.graph import Graph
from fpgaq.ir.ops import Input, Softmax
from fpgaq.ir.ops.softmax import NORM_TYPE, TABLE_TYPE, exp_table, index_type, inverse_table
from fpgaq.ir.types import FixedType

SIZES = (2, 3, 5, 10, 16, 40, 100, 200, 500, 1000)

PROGRAM = """
#include <cstdio>
#include "ap_fixed.h"
#include "nnet_utils/nnet_activation.h"
template <int I> struct config : nnet::activ_config {
    static const unsigned exp_table_size = 1024, inv_table_size = 1024;
    static constexpr float exp_scale = 1.0;
    typedef ap_ufixed<17, 1, AP_RND, AP_SAT> exp_table_t;
    typedef ap_ufixed<17, 1, AP_RND, AP_SAT> inv_table_t;
    typedef ap_ufixed<10, I, AP_TRN, AP_SAT> inv_inp_t;
};
template <int I> void inverses() {
    static typename config<I>::inv_table_t table[1024];
    nnet::init_invert_table<typename config<I>::inv_inp_t, config<I>>(table);
    for (int k = 0; k < 1024; k++) printf("%d ", (int)(table[k].to_double() * 65536));
    printf("\\n");
}
int main() {
    static config<2>::exp_table_t table[1024];
    nnet::init_exp_table<ap_ufixed<10, 4, AP_TRN, AP_SAT>, config<2>>(table, true);
    for (int k = 0; k < 1024; k++) printf("%d ", (int)(table[k].to_double() * 65536));
    printf("\\n");
    inverses<2>(); inverses<3>(); inverses<4>(); inverses<5>(); inverses<6>(); inverses<7>(); inverses<8>();
    inverses<9>(); inverses<10>();
}
"""


def test_tables_are_those_of_hls4ml(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("hls4ml")
    assert spec is not None
    assert spec.origin is not None
    templates = Path(spec.origin).parent / "templates" / "vivado"
    source, program = tmp_path / "tables.cpp", tmp_path / "tables"
    source.write_text(PROGRAM)
    include = [f"-I{templates}", f"-I{templates / 'ap_types'}"]
    subprocess.run(["g++", "-std=c++17", "-w", *include, str(source), "-o", str(program)], check=True)
    rows = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.splitlines()
    tables = [list(map(int, row.split())) for row in rows]
    assert exp_table().tolist() == tables[0]
    for n in SIZES:
        assert inverse_table(n).tolist() == tables[n.bit_length() - 1], n


def softmax_graph(n: int, source: FixedType) -> Graph:
    x = Input(name="x", inputs=(), type=source, layer="x", shape=(n,))
    node = Softmax(
        name="y",
        inputs=("x",),
        type=TABLE_TYPE,
        layer="y",
        source_frac=source.frac,
        exponentials=exp_table(),
        inverses=inverse_table(n),
    )
    return Graph("g", [x, node], ("y",))


def by_hand(x: list[int], frac: int) -> list[int]:
    """The same with fractions."""
    steps = [min(int(Fraction(max(x) - v, 1) * Fraction(2) ** (NORM_TYPE.frac - frac)), NORM_TYPE.max) for v in x]
    e = [int(exp_table()[s]) for s in steps]
    index = index_type(len(x))
    inverse = int(inverse_table(len(x))[sum(e) >> (TABLE_TYPE.frac - index.frac)])
    return [round(Fraction(v * inverse, 1 << TABLE_TYPE.frac)) for v in e]  # round() is half to even


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("source", [FixedType(8, 3, True), FixedType(14, 9, True), FixedType(5, -1, False)])
def test_evaluates_like_fractions(n: int, source: FixedType) -> None:
    node = softmax_graph(n, source).nodes["y"]
    x = np.random.default_rng(n).integers(source.min, source.max, size=(20, n), endpoint=True)
    got = node.evaluate([x])
    assert got.tolist() == [by_hand(row, source.frac) for row in x.tolist()]
    assert got.min() >= 0
    assert got.max() <= 1 << TABLE_TYPE.frac


def test_equal_logits_share_alike() -> None:
    got = softmax_graph(4, FixedType(8, 0, True)).nodes["y"].evaluate([np.full((1, 4), 17)])
    assert got.tolist() == [[1 << 14] * 4]


@pytest.mark.parametrize("n", [1, 1024])
def test_refuses_sizes_without_tables(n: int) -> None:
    with pytest.raises(ModelError, match="2 to 1023 elements"):
        softmax_graph(n, FixedType(8, 0, True))
