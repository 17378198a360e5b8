"""rule4ml's predictions of the dense networks that it can describe, beside this estimate and yosys.

They are of something else: of what a vendor's tools make, on a given board, of the HLS that hls4ml writes for layers of
one precision, whatever the weights are. So no errors are told: only how well either ranks the networks by what was
synthesized of them, and how long it takes. rule4ml runs in a Python of its own; nothing of it is imported here.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from fpgaq.errors import ConfigError
from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Node
from fpgaq.ir.ops import Affine, ArgMax, Input, MatMul, Relu, Requantize, Thresholds
from fpgaq.ir.types import FixedType

#: A board with an FPGA of the 7 series, and the newest tools that rule4ml 0.2.0 knows.
TOLD = {"board": "pynq-z2", "hls4ml": "1.1.0", "vivado": "2024.2"}
_WORKER = Path(__file__).with_name("estimator_rule4ml_worker.py")
#: What rule4ml has no layer for.
_UNTOLD = (Input, Requantize, Thresholds, ArgMax)


def described(graph: Graph) -> dict[str, Any] | None:
    """Return a network as rule4ml sees it; None if it is no chain of dense layers on vectors.

    ``bits`` is the one precision that holds all weights and all activations, sums aside.
    """
    nodes = list(graph.nodes.values())
    chain = len(graph.outputs) == 1 and all(len(node.inputs) <= 1 for node in nodes)
    first = nodes[0]
    if not chain or not isinstance(first, Input) or len(first.shape) != 1:
        return None
    if not all(isinstance(node, (MatMul, Affine, Relu, *_UNTOLD)) for node in nodes):
        return None
    layers = [_layer(node) for node in nodes if not isinstance(node, _UNTOLD)]
    bits = max(_bits(node) for node in nodes)
    return {"name": graph.name, "inputs": first.shape[0], "layers": layers, "bits": bits}


def _layer(node: Node) -> dict[str, Any]:
    if isinstance(node, MatMul):
        return {"kind": "dense", "name": node.name, "outputs": node.n_out, "reuse": node.reuse}
    return {"kind": node.op, "name": node.name}


def _bits(node: Node) -> int:
    """Return the bits of what a layer stores, or of the activations that it makes."""
    if isinstance(node, MatMul):
        return FixedType.from_interval(min(int(node.weight.min()), -1), int(node.weight.max()), 0).width
    return node.type.width if isinstance(node, (Input, Requantize, Thresholds)) else 0


def predicted(python: Path, graphs: Iterable[Graph]) -> dict[str, Any]:
    """Return what rule4ml tells of those networks that it can describe, by name, and versions.

    Raises
    ------
    ConfigError
        If rule4ml does not run there; the message ends with its own.
    """
    networks = [known for graph in graphs if (known := described(graph))]
    with tempfile.TemporaryDirectory() as folder:
        job, answer = Path(folder) / "job.json", Path(folder) / "answer.json"
        job.write_text(json.dumps({**TOLD, "networks": networks, "answer": str(answer)}))
        try:
            run = subprocess.run([str(python), str(_WORKER), str(job)], capture_output=True, text=True, check=False)
        except OSError as error:
            raise ConfigError(f"{python} cannot be run ({error.strerror}); give a Python that has rule4ml") from None
        if run.returncode:
            raise ConfigError(f"rule4ml does not run with {python}: {run.stderr.strip()[-800:]}")
        found: dict[str, Any] = json.loads(answer.read_text())
    return found | {"described": {known["name"]: known for known in networks}}


def beside(found: dict[str, Any], rows: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return predictions beside estimates and counts, and rank correlations with what was synthesized.

    Parameters
    ----------
    found : dict
        What `predicted` returned.
    rows : mapping of str to dict
        Of every network that was built its figures under ``synthesized`` and ``estimated``, by names of resources.
    """
    table = [
        {"described": known, **rows[name], "rule4ml": found["networks"][name]}
        for name, known in found["described"].items()
        if name in rows
    ]
    return {
        **TOLD,
        "versions": found["versions"],
        "ranks": {who: {kind: _rank(table, who, kind) for kind in ("lut", "ff")} for who in ("estimated", "rule4ml")},
        "ms": round(1000 * float(np.median([row["rule4ml"]["seconds"] for row in table])), 1),
        "networks": table,
    }


def _rank(table: Sequence[dict[str, Any]], who: str, kind: str) -> float:
    """Return Spearman's rank correlation with what was synthesized."""
    told, synthesized = ([row[source][kind] for row in table] for source in (who, "synthesized"))
    return round(float(spearmanr(told, synthesized).statistic), 3)
