"""C++ of sums that have fewer bits than the next cast drops, which the types of the C++ do not round by themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from keras_models import bits, dense, sequential, stimuli
from qkeras import QActivation

import fpgaq


@pytest.mark.slow
def test_sums_narrower_than_what_is_dropped_are_rounded(tmp_path: Path) -> None:
    model = sequential(
        dense(3, bits(8), bits(8), name="none"),
        QActivation(bits(4, 1), name="coarse"),
        dense(3, bits(8), bits(8), name="tiny"),
        QActivation("quantized_relu(3,3)", name="coarser"),
        dense(2, name="last"),
    )
    for name, value in (("none", 0.0), ("tiny", 2.0**-7)):
        layer = model.get_layer(name)
        layer.set_weights([np.zeros(layer.kernel.shape), np.full(3, value)])
    design = fpgaq.convert(model, output=tmp_path / "net", input_precision="fixed<8,2>")
    assert str(design.graph.nodes["none"].type) == "ufixed<1,-5>"
    design.csim_library.build()
    design.csim_gate(stimuli(design, 40)).require()
