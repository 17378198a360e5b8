"""Accuracy after quantization without training: ``python -m benchmarks.ptq --json FILE``.

A float MLP 64-32-32-10 on scikit-learn's digits, weights of 4, 3 and 2 bits in several formats, rectifiers of 8 bits;
1200 training images are the calibration data, 597 others measure accuracy. ``--scales layer channel`` compares one
unit of a layer with one of every output channel, ``--ways`` names what is quantized how, ``--built 1`` adds what yosys
counts of the hardware (xc7, unrolled) of the first seed. ``--save`` writes the first network instead, ``--calibration``
its data.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fpgaq.config import make_options
from fpgaq.conversion import lower
from fpgaq.quantize.ptq.fits import FITS
from fpgaq.quantize.ptq.post_training import RoundedLayer, quantized
from fpgaq.quantize.ptq.registry import METHODS
from fpgaq.quantize.ptq.settings import Settings
from fpgaq.synth import synthesize

_BITS = (4, 3, 2)
#: Pixels are sixteenths from 0 to 1.
_INPUTS = "ufixed<5,1>"
#: Methods, formats (the method's own where none is named), and what is reconstructed, by name.
_WAYS: dict[str, tuple[str, str | None, str]] = {
    **{method: (method, None, "layer") for method in METHODS},
    "nearest-codebook": ("nearest", "codebook", "layer"),
    "nearest-pot": ("nearest", "pot", "layer"),
    "adaround-codebook": ("adaround", "codebook", "layer"),
    "adaround-pot": ("adaround", "pot", "layer"),
    "adaround-pwlq": ("adaround", "pwlq", "layer"),
    "nearest-block": ("nearest", None, "block"),
    "adaround-block": ("adaround", None, "block"),
    "attention-round-block": ("attention-round", None, "block"),
}


def trained(seed: int) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """Return a float MLP, training images, test images and their classes."""
    import keras
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    x, x_test, y, y_test = train_test_split(
        digits.data / 16, digits.target, test_size=597, random_state=seed, stratify=digits.target
    )
    keras.utils.set_random_seed(seed)
    hidden = [keras.layers.Dense(32, activation="relu", name=name) for name in ("fc1", "fc2")]
    model = keras.Sequential([keras.Input((64,), name="pixels"), *hidden, keras.layers.Dense(10, name="fc3")])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(x, y, epochs=30, batch_size=64, verbose=0)
    return model, x, x_test, y_test


def measured(seed: int, ways: Sequence[str], scales: Sequence[str], *, built: bool) -> list[dict[str, Any]]:
    """Return accuracy and ratios of errors of one network, quantized in some ways, and its hardware if `built`."""
    model, x, x_test, y_test = trained(seed)

    def accuracy(network: Any) -> float:
        return 100 * float(np.mean(network.predict(x_test, verbose=0).argmax(1) == y_test))

    rows: list[dict[str, Any]] = [{"seed": seed, "method": "float", "accuracy": accuracy(model)}]
    for bits, way, unit, corrected in itertools.product(_BITS, ways, scales, (False, True)):
        method, format_, reconstruct = _WAYS[way]
        fit = FITS[format_ or METHODS[method].format or "int"]
        if not fit.least <= bits <= fit.most or (unit == "channel" and fit.shared):
            continue
        layers: list[RoundedLayer] = []
        settings = Settings(
            method, bits, {}, bias_correction=corrected, format=format_, reconstruct=reconstruct, scales=unit
        )
        network = quantized(model, x, settings, layers.append)
        row = {"seed": seed, "method": method, "format": fit.name, "reconstruct": reconstruct, "bits": bits}
        row |= {"scales": unit, "bias_correction": corrected}
        ratios = [layer.error / layer.nearest for layer in layers]
        shares = [100 * layer.error / layer.power for layer in layers]
        zeros = [100 * layer.zeros for layer in layers]
        row |= {"accuracy": accuracy(network), "ratios": ratios, "errors": shares, "zeros": zeros}
        rows.append(row | (_hardware(network) if built and corrected else {}))
        print(rows[-1], flush=True)
    return rows


def _hardware(network: Any) -> dict[str, int]:
    """Return what yosys counts, and the latency."""
    with tempfile.TemporaryDirectory() as folder:
        design = lower(network, "network", make_options({"input_precision": _INPUTS}), Path(folder))
        design.write_hardware()
        family = design.options.family
        total = synthesize(design.sources, design.name, [], family=family, work=Path(folder) / "synth", jobs=1).total
        return {"lut": total.lut, "ff": total.ff, "latency": design.hardware.latency}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("ptq.json"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=list(_WAYS), default=list(_WAYS))
    parser.add_argument("--scales", nargs="+", choices=["layer", "channel"], default=["layer"])
    parser.add_argument("--built", type=int, default=0, help="seeds whose hardware is synthesized")
    parser.add_argument("--save", type=Path)
    parser.add_argument("--calibration", type=Path, default=Path("x.npy"))
    arguments = parser.parse_args()
    if arguments.save is not None:
        model, x, *_ = trained(0)
        model.save(arguments.save)
        np.save(arguments.calibration, x)
        return
    rows = []
    for seed in range(arguments.seeds):
        rows += measured(seed, arguments.ways, arguments.scales, built=seed < arguments.built)
    arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
