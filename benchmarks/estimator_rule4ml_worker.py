"""Lets rule4ml predict dense networks, with the Python that has it: ``python estimator_rule4ml_worker.py JOB.json``.

Only rule4ml and what it brings is imported here. The job lists networks as `estimator_rule4ml.described` tells them;
the answer is a JSON file. Used are the predictors that rule4ml loads by default.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from pathlib import Path
from typing import Any

import keras
from rule4ml.models.wrappers import MultiModelWrapper

#: Our names of what is predicted.
NAMES = {"LUT": "lut", "FF": "ff", "DSP": "dsp", "BRAM": "bram18", "CYCLES": "latency", "INTERVAL": "ii"}
#: The first prediction of a network prepares much, so the fastest of a few counts.
REPEATS = 3


def network(job: dict[str, Any]) -> keras.Model:
    """Return a network of the layers that are named; only their sizes matter."""
    x = inputs = keras.layers.Input(shape=(job["inputs"],))
    for layer in job["layers"]:
        if layer["kind"] == "dense":
            x = keras.layers.Dense(layer["outputs"], name=layer["name"])(x)
        elif layer["kind"] == "affine":
            x = keras.layers.BatchNormalization(name=layer["name"])(x)
        else:
            x = keras.layers.Activation(layer["kind"], name=layer["name"])(x)
    model = keras.Model(inputs=inputs, outputs=x, name=job["name"])
    model.build((None, job["inputs"]))
    return model


def config(job: dict[str, Any], board: str) -> dict[str, Any]:
    """Return what hls4ml would be told: one precision, and the reuse factors."""
    reuse = {layer["name"]: layer["reuse"] for layer in job["layers"] if layer["kind"] == "dense"}
    folded = max(reuse.values()) > 1
    return {
        "board": board,
        "model": {
            "strategy": "Resource" if folded else "Latency",
            "precision": f"ap_fixed<{job['bits']}, {job['bits'] // 2}>",
            "reuse_factor": 1,
        },
        "layer_name": {name: {"reuse_factor": factor} for name, factor in reuse.items()},
    }


def main(path: Path) -> None:
    """Do the jobs of a JSON file."""
    document = json.loads(path.read_text())
    several = MultiModelWrapper()
    several.load_default_models()
    tools = {"hls4ml_versions": document["hls4ml"], "vivado_versions": document["vivado"]}
    rows = {}
    for job in document["networks"]:
        model, told, seconds = network(job), config(job, document["board"]), []
        for _ in range(REPEATS):
            started = time.perf_counter()
            found = several.predict(model, hls_configs=told, **tools).iloc[0]
            seconds.append(time.perf_counter() - started)
        rows[job["name"]] = {ours: float(found[label]) for label, ours in NAMES.items()} | {"seconds": min(seconds)}
    versions = {name: importlib.metadata.version(name) for name in ("rule4ml", "tensorflow", "torch", "keras")}
    Path(document["answer"]).write_text(json.dumps({"networks": rows, "versions": versions}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
