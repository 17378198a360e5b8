"""Merging layers of every kind in one C++ project: equal to Keras and to the golden model; faults are found."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import pytest
from keras_models import lowered
from merged_models import FUNCTIONS, merged_in_every_way

from fpgaq.design import Design
from fpgaq.ir.ops import Concatenate, Function, Merge
from fpgaq.stimuli import random_codes

#: The project takes long to compile: once, by one worker.
pytestmark = pytest.mark.xdist_group("merged in every way")


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    made = lowered(merged_in_every_way(), folder=tmp_path_factory.mktemp("merge") / "net", input_precision="fixed<6,2>")
    made.write_software()
    made.csim_library.build()
    return made


def test_keras_and_cpp_equal_the_golden_model(design: Design) -> None:
    x = random_codes(design.graph, 300, seed=1)
    design.keras_gate(x).require()
    design.csim_gate(x).require()
    merges = [node for node in design.graph.nodes.values() if isinstance(node, Merge)]
    assert {node.function for node in merges} == set(Function)
    assert len(merges) > 4 * len(FUNCTIONS)
    assert {node.axis for node in design.graph.nodes.values() if isinstance(node, Concatenate)} == {0, 1, 2}


def test_two_tensors_are_merged_by_hls4ml_and_several_by_our_header(design: Design) -> None:
    text = (design.folder / "hls" / "firmware" / "net.cpp").read_text()
    for function in Function:
        assert f"nnet::{function.value}<" in text
        assert f"nnet::merge_many<nnet::many_{function.value}," in text
    assert {"nnet::concatenate1d<", "nnet::concatenate3d<", "nnet::concatenate_many<"} <= set(
        re.findall(r"nnet::concatenate\w+<", text)
    )


def test_averages_that_are_cut_are_decisions(design: Design) -> None:
    assert design.origin is not None
    found = {d.layer: d.reason for d in design.origin.derivation.decisions if d.what == "average"}
    assert set(found.values()) == {"divided by 3: cut towards zero", "divided by 9: cut towards zero"}
    layers = {node.layer for node in design.graph.nodes.values() if isinstance(node, Merge) and len(node.inputs) == 3}
    assert {name for name, reason in found.items() if "3" in reason} == {n for n in layers if n.startswith("average")}


def test_a_wrong_comparison_is_found_and_located(tmp_path: Path) -> None:
    inputs = [keras.Input((3,), name=f"x{k}") for k in range(3)]
    joined = keras.layers.Concatenate(name="joined")([keras.layers.Maximum(name="most")(inputs), inputs[0]])
    design = lowered(keras.Model(inputs, joined), folder=tmp_path / "net")
    design.write_software()
    header = design.folder / "hls" / "firmware" / "nnet_utils" / "nnet_merge_many.h"
    text = header.read_text()
    assert text.count("a > b ? a : b") == 1
    header.write_text(text.replace("a > b ? a : b", "a > b ? b : a"))
    design.csim_library.build()
    gate = design.csim_gate(random_codes(design.graph, 100, seed=1))
    assert not gate.passed
    assert gate.first_mismatch is not None
    assert gate.first_mismatch.layer == "most"
