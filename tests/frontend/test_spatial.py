"""Images and series: Keras itself computes what the golden model does; what cannot be converted is refused."""

from __future__ import annotations

import dataclasses
import itertools
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras_models import bits, lowered, sequential, stimuli, with_random_weights
from qkeras import QConv2D, binary, quantized_po2, ternary
from spatial_models import IMAGE, SERIES, SHAPES, act, alone, conv, depthwise, separable, signed

from fpgaq.design import Design
from fpgaq.errors import ModelError
from fpgaq.frontend.frozen import original_outputs
from fpgaq.frontend.load import load_model
from fpgaq.frontend.spatial import keras_geometry
from fpgaq.ir import files
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Pad, WindowAverage
from fpgaq.quantize.quantizers import Codebook
from fpgaq.report.content import layers as report_rows

L = keras.layers
CASES = [(shape, name) for shape, models in SHAPES.items() for name in models]


@pytest.mark.parametrize(("shape", "name"), CASES, ids=[f"{len(shape) - 1}d {name}" for shape, name in CASES])
def test_golden_is_what_keras_computes(shape: tuple[int, ...], name: str) -> None:
    model = alone(shape, name)
    for precision in ("fixed<5,2>", "ufixed<7,1>"):
        design = lowered(model, input_precision=precision)
        x = stimuli(design, 100)
        design.keras_gate(x).require()
        assert np.unique(design.golden(x, raw=True), axis=0).shape[0] > 1 or not design.graph.inputs[0].type.signed


def values(design: Design, x: np.ndarray) -> np.ndarray:
    """Return what the golden model makes of codes, as values."""
    return np.asarray(design.golden(x, raw=True) * design.graph.nodes[design.graph.outputs[0]].type.step)


_EXACT_IMAGES = ("same", "dilation", "ternary", "binary", "powers of two", "codebook", "reshapes", "padding")
_EXACT_POOLS = ("max same, unsigned", "max same, signed", "average same")
_EXACT_SERIES = ("same", "max same", "average", "padding", "one sample")
EXACT = [(IMAGE, n) for n in _EXACT_IMAGES + _EXACT_POOLS] + [(SERIES, n) for n in _EXACT_SERIES]


@pytest.mark.parametrize(("shape", "name"), EXACT, ids=[f"{len(shape) - 1}d {name}" for shape, name in EXACT])
def test_nothing_is_rounded_where_the_model_defines_every_number(shape: tuple[int, ...], name: str) -> None:
    design = lowered(alone(shape, name), input_precision="fixed<5,2>")
    assert design.origin is not None
    assert design.origin.derivation.decisions == []
    x = stimuli(design, 50)
    assert np.array_equal(original_outputs(design.origin.model, x, design.graph), values(design, x))


def test_margins_are_those_of_keras() -> None:
    """The sum over every window of a series of powers of two says which elements were in it."""
    for n, size, stride, dilation in itertools.product(range(1, 8), range(1, 5), range(1, 4), range(1, 4)):
        if stride > 1 and dilation > 1:
            continue
        x = 2.0 ** np.arange(n, dtype=np.float32).reshape(1, n, 1)
        want = keras.ops.conv(x, np.ones((size, 1, 1), np.float32), stride, "same", dilation_rate=dilation)
        at = keras_geometry([n], [size], [stride], [dilation], "same")
        padded = np.pad(x.reshape(-1), (at.before[0], at.after[0]))
        starts = range(0, len(padded) - (size - 1) * dilation, stride)
        found = [padded[k : k + (size - 1) * dilation + 1 : dilation].sum() for k in starts]
        assert found == np.asarray(want).reshape(-1).tolist(), (n, size, stride, dilation)


def test_an_average_states_where_it_is_cut() -> None:
    design = lowered(sequential(signed(), L.AveragePooling2D(3, name="mean"), inputs=(3, 3, 1)), activation_precision=9)
    assert design.origin is not None
    (decision,) = design.origin.derivation.decisions
    assert (decision.layer, decision.what, decision.type) == ("mean", "average", "fixed<9,2>")
    assert decision.max_error == 2.0**-7
    assert "divided by 9: cut towards zero" in decision.reason
    x = stimuli(design)
    assert design.keras_gate(x).passed
    original = original_outputs(design.origin.model, x, design.graph)
    far = original - values(design, x)
    assert 0 < np.abs(far).max() < 2.0**-7
    assert np.all(far * np.sign(original) > -1e-6)


def swapped_margins(node: Node) -> Node:
    return dataclasses.replace(node, before=node.after, after=node.before) if isinstance(node, Pad) else node


def whole_windows(node: Node) -> Node:
    if not isinstance(node, WindowAverage):
        return node
    return dataclasses.replace(node, divisors=np.full(node.divisors.shape, node.positions))


@pytest.mark.parametrize(("name", "fault"), [("same", swapped_margins), ("average same", whole_windows)])
def test_planted_faults_fail_the_gate(name: str, fault: Callable[[Node], Node]) -> None:
    design = lowered(alone(IMAGE, name), input_precision="fixed<5,2>")
    x = stimuli(design, 50)
    design.keras_gate(x).require()
    nodes = [fault(node) for node in design.graph.nodes.values()]
    changed = Graph(design.graph.name, nodes, design.graph.outputs)
    assert not Design(changed, design.options, design.folder, design.origin).keras_gate(x).passed


FORMATS = {
    "binary(zero_one=False)": (lambda: binary(alpha=1), 1),
    "ternary": (lambda: ternary(alpha="auto"), 2),
    "po2(width=4, exponents=8, signed=True)": (lambda: quantized_po2(4), 4),
    "codebook(entries=(0, -6, -1, 2), index_bits=2)": (lambda: Codebook([0, -6, -1, 2], 0.125, 2), 2),
}


def test_depthwise_kernels_have_their_format() -> None:
    """Zeros between the channels are no weights: they are not stored, and need not be in the format."""
    x = keras.Input((5, 5, 3))
    kernels = [kernel for kernel, _ in FORMATS.values()]
    results = [depthwise((2, 3), make(), name=f"alone_{k}")(x) for k, make in enumerate(kernels)]
    results += [separable(2, (2, 3), make(), name=f"both_{k}")(x) for k, make in enumerate(kernels)]
    design = lowered(with_random_weights(keras.Model(x, results)), input_precision="fixed<5,2>")
    design.keras_gate(stimuli(design, 30)).require()
    rows = {row["module"]: row for row in report_rows(design, [])}
    for k, (name, (_, width)) in enumerate(FORMATS.items()):
        alone, first, second = (rows[f"net_{layer}"] for layer in (f"alone_{k}", f"both_{k}_depthwise", f"both_{k}"))
        assert [row["format"] for row in (alone, first, second)] == [name] * 3
        assert [row["weights"] for row in (alone, first, second)] == [18, 18, 6]
        table = 4 * 4 if name.startswith("codebook") else 0
        assert [row["storage_bits"] - table for row in (alone, first)] == [18 * width] * 2
    assert rows["net_alone_0"]["sparsity"] == 0
    assert {form["form"] for form in rows["net_alone_0"]["datapath"]} == {"constants", "shared sum"}
    again = files.loads(files.dumps(design.graph))
    assert files.dumps(again) == files.dumps(design.graph)


def refused_options(kind: Any, **options: Any) -> Callable[[], Any]:
    return lambda: sequential(kind(**options, name="odd"), inputs=(6, 6, 2))


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "channels first": (
        refused_options(L.Conv2D, filters=2, kernel_size=2, data_format="channels_first"),
        r"data_format='channels_first' is not supported: all channels of a pixel travel together.*use channels_last",
    ),
    "channels first in a pooling": (
        refused_options(L.MaxPooling2D, data_format="channels_first"),
        r"data_format='channels_first' is not supported",
    ),
    "channels first in a change of shape": (
        refused_options(L.Flatten, data_format="channels_first"),
        r"data_format='channels_first' is not supported",
    ),
    "depth multiplier": (
        refused_options(L.DepthwiseConv2D, kernel_size=2, depth_multiplier=2),
        r"depth_multiplier=2 is not supported: the C\+\+ has one filter for each channel; use",
    ),
    "groups": (refused_options(L.Conv2D, filters=4, kernel_size=2, groups=2), r"groups=2 is not supported"),
    "mask": (
        refused_options(QConv2D, filters=2, kernel_size=(2, 2), kernel_quantizer=bits(4), mask=np.eye(2)),
        r"a kernel mask is not supported; use weights that are zero",
    ),
    "activation": (
        refused_options(L.Conv2D, filters=2, kernel_size=2, activation="silu"),
        r"activation 'silu' is not supported; use linear, relu",
    ),
    "transposed": (refused_options(L.Conv2DTranspose, filters=2, kernel_size=2), r"Conv2DTranspose layers are not"),
    "resizing": (refused_options(L.Resizing, height=3, width=3), r"Resizing layers are not supported"),
    "softmax": (
        lambda: sequential(conv(2, (2, 2)), L.Softmax(name="odd"), L.Flatten(), inputs=(6, 6, 2)),
        r"softmax inside the network is not integer arithmetic",
    ),
    "any size": (
        lambda: sequential(conv(2, (2, 2), name="odd"), act(), inputs=(None, None, 2)),
        r"its result has the shape \[None, None, 2\]; hardware needs numbers: give the Input a fixed shape",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_layer_value_and_way_out(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(ModelError, match=rf"layer '(odd|features)': .*{message}"):
        lowered(make())


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [("kernel_size", [9, 9], r"m\.keras"), ("dilation_rate", [2, 2], r"m\.keras.*strides.*dilation")],
)
def test_a_file_of_a_layer_that_keras_cannot_build_is_refused(
    tmp_path: Path, option: str, value: list[int], message: str
) -> None:
    """A kernel larger than the padded image, and a dilation with strides."""
    sequential(L.Conv2D(2, 2, strides=2, name="odd"), inputs=(6, 6, 2)).save(tmp_path / "whole.keras")
    with zipfile.ZipFile(tmp_path / "whole.keras") as source, zipfile.ZipFile(tmp_path / "m.keras", "w") as out:
        for item in source.namelist():
            data = source.read(item)
            if item == "config.json":
                config = json.loads(data)
                config["config"]["layers"][1]["config"][option] = value
                data = json.dumps(config).encode()
            out.writestr(item, data)
    with pytest.raises(ModelError, match=message):
        load_model(tmp_path / "m.keras")
