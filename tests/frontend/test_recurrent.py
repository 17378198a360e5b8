"""Recurrent layers in the front end: Keras equals the golden model, and what is rounded or not done is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import bits, dense, lowered, sequential, stimuli
from qkeras import QGRU, QLSTM, quantized_bits
from recurrent_models import FLOAT, QUANTIZED, named, side_by_side

from fpgaq.errors import ConfigError, FpgaqError, ModelError
from fpgaq.frontend.frozen import original_outputs
from fpgaq.frontend.load import load_model
from fpgaq.ir import golden
from fpgaq.ir.ops import MatMul, Requantize, Scan

L = keras.layers


def distances(design: Any, x: np.ndarray) -> list[float]:
    """Largest difference of every result from that of the user's model, relative to the largest number."""
    found = zip(golden.run(design.graph, [x]), original_outputs(design.origin.model, x, design.graph), strict=True)
    types = [design.graph.nodes[name].type for name in design.graph.outputs]
    return [
        float(np.abs(np.ldexp(ours.reshape(theirs.shape), -kind.frac) - theirs).max() / max(1, np.abs(theirs).max()))
        for (ours, theirs), kind in zip(found, types, strict=True)
    ]


def decisions(design: Any) -> dict[tuple[str, str], str]:
    return {(d.layer, d.what): d.type for d in design.origin.derivation.decisions}


@pytest.mark.parametrize("every", [False, True])
def test_keras_equals_the_golden_model(every: bool) -> None:
    """All layers in one model; once more with the other half of them giving all results."""
    layers = {**QUANTIZED, **FLOAT}
    layers = dict(reversed(layers.items())) if every else layers
    design = lowered(side_by_side(layers))
    assert len(design.graph.outputs) == len(layers)
    assert all(isinstance(design.graph.nodes[name], Scan) for name in QUANTIZED)
    design.keras_gate(stimuli(design)).require()


def test_nothing_is_rounded_where_there_are_quantizers() -> None:
    design = lowered(side_by_side(QUANTIZED))
    assert decisions(design) == {}
    assert distances(design, stimuli(design)) == [0.0] * len(QUANTIZED)


def test_states_without_quantizer_have_a_stated_type() -> None:
    design = lowered(side_by_side(FLOAT), state_precision="fixed<12,3,RND,SAT>")
    found = decisions(design)
    for layer, state in (("rnn_relu", "hidden"), ("lstm", "cell"), ("gru", "hidden"), ("gru_before", "hidden")):
        assert found[layer, f"{state}_state"] == "fixed<12,3>"
    # tanh has 8 bits of its own, and the product with a gate of 8 bits more than 12.
    assert ("rnn", "hidden_state") not in found
    assert found["lstm", "hidden_state"] == "fixed<12,3>"
    design.keras_gate(stimuli(design)).require()


def test_fine_precisions_come_near_the_float_model() -> None:
    layers = {name: FLOAT[name] for name in ("rnn", "lstm", "gru", "gru_before")}
    design = lowered(side_by_side(layers), curve_precision=10, state_precision="fixed<20,4,RND_CONV,SAT>")
    x = stimuli(design)
    design.keras_gate(x).require()
    assert max(distances(design, x)) < 0.02


def test_scales_of_channels_are_factors_behind_the_matrices() -> None:
    auto = {f"{what}_quantizer": quantized_bits(4, alpha="auto") for what in ("kernel", "recurrent", "bias")}
    layer = named(QGRU(3, reset_after=True, **auto), "gru")
    design = lowered(sequential(layer, inputs=(4, 2)))
    matrix = design.graph.nodes["gru_kernel_codes"]
    assert isinstance(matrix, MatMul)
    assert np.abs(matrix.weight).max() < 16
    assert {what for layer, what in decisions(design) if layer == "gru"} >= {"scale", "recurrent_scale"}
    design.keras_gate(stimuli(design)).require()


def test_a_long_result_in_front_of_a_matrix_is_capped() -> None:
    layer = named(QLSTM(3, state_quantizer=bits(9, 2), activation=bits(9), recurrent_activation=bits(8)), "lstm")
    design = lowered(sequential(layer, dense(2, name="fc"), inputs=(4, 2)))
    assert isinstance(design.graph.nodes["lstm"], Requantize)
    design.keras_gate(stimuli(design)).require()


def test_files_of_keras_are_read(tmp_path: Path) -> None:
    model = side_by_side({"qlstm": QUANTIZED["qlstm"], "gru": FLOAT["gru"], "plain": lambda **o: QGRU(2, **o)})
    model.save(tmp_path / "model.keras")
    design = lowered(load_model(tmp_path / "model.keras"))
    design.keras_gate(stimuli(design)).require()


def initial_state() -> Any:
    x, h = keras.Input((4, 2)), keras.Input((3,))
    return keras.Model([x, h], L.GRU(3, name="r")(x, initial_state=h))


def masked() -> Any:
    return keras.Sequential([keras.Input((4, 2)), L.Masking(name="mask"), L.GRU(3, name="r")])


REFUSED = {
    "bidirectional": (
        lambda: sequential(L.Bidirectional(L.GRU(2), name="b"), inputs=(4, 2)),
        "'b': Bidirectional layers",
    ),
    "distributed": (
        lambda: sequential(L.TimeDistributed(L.GRU(2), name="t"), inputs=(4, 3, 2)),
        "'t': TimeDistributed around GRU is not supported",
    ),
    "embedding": (lambda: sequential(L.Embedding(9, 2, name="e"), L.GRU(2), inputs=(4,)), "'e': Embedding layers"),
    "masking": (masked, "'mask': Masking layers are not supported"),
    "initial state": (initial_state, "'r': GRU with an initial_state is not supported; every frame starts with"),
    "backwards": (lambda: sequential(L.GRU(2, go_backwards=True, name="r"), inputs=(4, 2)), "'r': go_backwards=True"),
    "state": (
        lambda: keras.Model(x := keras.Input((4, 2)), L.GRU(2, return_state=True, name="r")(x)),
        "'r': return_state=True is not supported; use the last result",
    ),
    "stateful": (
        lambda: keras.Model(x := keras.Input((4, 2), 1), L.GRU(2, stateful=True, name="r")(x)),
        "'r': stateful=True is not supported; every frame",
    ),
    "any length": (
        lambda: keras.Model(x := keras.Input((None, 2)), L.GRU(2, name="r")(x)),
        r"'.*': its result has the shape \[None, 2\]; hardware needs numbers",
    ),
    "softmax": (
        lambda: sequential(L.GRU(2, activation="softmax", name="r"), inputs=(4, 2)),
        "'r': activation 'softmax' of a recurrent layer is not supported; use tanh",
    ),
    "silu": (
        lambda: sequential(L.GRU(2, activation="silu", name="r"), inputs=(4, 2)),
        "'r': activation quantizer 'silu' is not supported",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_layer_value_and_way_out(case: str) -> None:
    model, message = REFUSED[case]
    with pytest.raises(ModelError, match=f"layer {message}"):
        lowered(model())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"state_precision": "fixed<16,4>"}, r"'gru': a state of fixed<16,4> must saturate.*write fixed<16,4,TRN,SAT>"),
        ({"state_precision": "wide"}, "'wide' is not a precision"),
        ({"reuse_factor": 5}, "'gru': reuse factor 5 does not divide its 4x9 and 3x6 and 3x3 matrix; legal"),
        ({"strategy": "folded"}, "'gru': its 4x9 and 3x6 and 3x3 matrix cannot be folded; use strategy unrolled"),
    ],
)  # fmt: skip
def test_options_that_a_recurrent_layer_cannot_have(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FpgaqError, match=message):
        lowered(side_by_side({"gru": FLOAT["gru"]}, (2, 4)), **options)


def test_a_reuse_factor_is_of_all_matrices_and_a_pace_leaves_them_unrolled() -> None:
    model = sequential(L.GRU(4, name="gru"), inputs=(3, 4))
    folded = lowered(model, layers={"gru": {"reuse_factor": 4}})
    loop = folded.graph.nodes["gru"]
    assert isinstance(loop, Scan)
    matrices = [n for n in [*folded.graph.nodes.values(), *loop.step.nodes.values()] if isinstance(n, MatMul)]
    assert [matrix.reuse for matrix in matrices] == [4, 4, 4]
    model = sequential(named(QUANTIZED["qgru_after"](), "gru"), inputs=(2, 1))
    paced = lowered(model, target_ii=1000)
    assert all(n.reuse == 1 for n in paced.graph.nodes.values() if isinstance(n, MatMul))
    with pytest.raises(ConfigError, match=r"layer 'gru': net_gru_loop is busy for .* cycles of every vector or frame"):
        lowered(model, target_ii=10)
