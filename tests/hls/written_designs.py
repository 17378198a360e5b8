"""Designs written to disk and compiled, for tests that share them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import fpgaq
from fpgaq.design import Design
from fpgaq.gates import Gate
from fpgaq.ir import golden


def compiled(model: Any, folder: Path, **options: Any) -> Design:
    """Convert, write and compile a model."""
    design = fpgaq.convert(model, output=folder, **{"input_precision": "fixed<7,3>", **options})
    design.csim_library.build()
    return design


def traced_layers(design: Design, codes: np.ndarray) -> list[str]:
    """Require that C++ and golden model agree in every layer; return the layers compared."""
    traced = design.csim_library.run(codes, trace=True)
    want = golden.trace(design.graph, [codes])
    for layer, values in traced.items():
        assert np.array_equal(values, want[layer].reshape(len(codes), -1)), layer
    return list(traced)


def passed(gate: Gate) -> None:
    """Require a gate on a useful number of samples."""
    gate.require()
    assert gate.samples >= 100
