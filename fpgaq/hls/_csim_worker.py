"""Runs a compiled csim library in a process of its own: C++ that aborts must not take Python with it.

usage: python -m fpgaq.hls._csim_worker LIBRARY JOB.json
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.ctypeslib as npc


class _TraceData(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("data", ctypes.c_void_p))


def main(library_path: str, job_path: str) -> None:
    """Evaluate every sample and write outputs, and traces when asked for."""
    job = json.loads(Path(job_path).read_text())
    library = ctypes.CDLL(library_path)
    function = getattr(library, f"{job['name']}_double")
    with np.load(job["inputs"]) as data:
        inputs = [np.ascontiguousarray(x.reshape(len(x), -1)) for x in data.values()]
    samples = len(inputs[0])
    outputs = [np.zeros((samples, size)) for size in job["outputs"]]
    array = npc.ndpointer(ctypes.c_double, flags="C_CONTIGUOUS")
    function.restype = None
    function.argtypes = [array] * (len(inputs) + len(outputs))
    sizes: dict[str, int] = job["trace"]
    trace = {name: np.zeros((samples, size)) for name, size in sizes.items()}
    if trace:
        library.allocate_trace_storage(ctypes.c_size_t(8))
    for k in range(samples):
        function(*(values[k] for values in (*inputs, *outputs)))
        if trace:
            _collect(library, trace, k)
    target = Path(job["result"])
    with target.with_suffix(".part").open("wb") as file:
        arrays: dict[str, Any] = {f"y_{k}": y for k, y in enumerate(outputs)}
        arrays |= {f"trace_{name}": values for name, values in trace.items()}
        np.savez(file, **arrays)
    target.with_suffix(".part").rename(target)


def _collect(library: ctypes.CDLL, trace: dict[str, np.ndarray], k: int) -> None:
    data = (_TraceData * len(trace))()
    library.collect_trace_output(data)
    for entry in data:
        name = entry.name.decode()
        values = ctypes.cast(entry.data, ctypes.POINTER(ctypes.c_double))
        trace[name][k] = npc.as_array(values, shape=(trace[name].shape[1],))


if __name__ == "__main__":
    main(*sys.argv[1:])
