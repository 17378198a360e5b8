"""Where the pipeline registers of a datapath go: as few stages as the clock allows, as few register bits as possible.

Between the earliest and the latest stage of an operation there is freedom. Each cut between two stages is placed as a
minimum cut of a flow network in which the capacity of a value is its width, so that registers sit where the graph is
narrow. Source: the register-minimisation view of retiming of Leiserson and Saxe, "Retiming synchronous circuitry",
Algorithmica 6 (1991), restricted to cuts that keep the clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from fpgaq.rtl.datapath import Constant, Datapath
from fpgaq.rtl.delays import DelayModel, delay

_INFINITE = 1 << 28


@dataclass(frozen=True)
class Schedule:
    """Stage of every operation.

    Parameters
    ----------
    stages : int
        Pipeline stages, each ending in a register; latency in cycles.
    stage : tuple of int
        Stage in which each node is computed, 0 .. stages - 1.
    last_use : tuple of int
        Last stage that reads each node; outputs are read in stage `stages`, behind the last register.
    """

    stages: int
    stage: tuple[int, ...]
    last_use: tuple[int, ...]

    def register_bits(self, path: Datapath) -> int:
        """Bits of all data registers."""
        return sum(
            path.width(n) * max(0, use - s)
            for n, (s, use) in enumerate(zip(self.stage, self.last_use, strict=True))
            if not isinstance(path.ops[n], Constant)
        )


def schedule(path: Datapath, clock_ps: float, model: DelayModel) -> Schedule:
    """Pipeline a datapath whose inputs come from registers and whose outputs end in registers.

    An operation slower than the clock gets a stage of its own.
    """
    budget = max(clock_ps - model.overhead, 1.0)
    delays = [min(float(delay(model, path, op, n)), budget) for n, op in enumerate(path.ops)]
    soonest = _earliest(path, delays, budget, [0] * len(path.ops))
    stages = max(soonest, default=0) + 1
    latest = _latest(path, delays, budget, stages)
    fixed = [0] * len(path.ops)
    for cut in range(1, stages):
        earliest = _earliest(path, delays, budget, fixed)
        after = _minimum_cut(path, earliest, latest, cut)
        fixed = [cut if n in after else f for n, f in enumerate(fixed)]
    # A cut that is the cheapest by itself may leave dearer ones to the stages behind it.
    latest = [s if path.operands(n) else 0 for n, s in enumerate(latest)]
    plans = [Schedule(stages, tuple(s), tuple(_last_uses(path, s, stages))) for s in (fixed, soonest, latest)]
    return min(plans, key=lambda plan: plan.register_bits(path))


def _earliest(path: Datapath, delays: list[float], budget: float, at_least: list[int]) -> list[int]:
    """Return the first possible stage of every node, given that some are already behind a cut."""
    stage: list[int] = []
    arrival: list[float] = []
    for n in range(len(path.ops)):
        operands = path.operands(n)
        first = max([stage[o] for o in operands] + [at_least[n]])
        ready = max([arrival[o] for o in operands if stage[o] == first], default=0.0)
        if ready + delays[n] > budget:
            first, ready = first + 1, 0.0
        stage.append(first)
        arrival.append(ready + delays[n])
    return stage


def _latest(path: Datapath, delays: list[float], budget: float, stages: int) -> list[int]:
    """Return the last stage of every node that still lets its successors finish in time."""
    last = [stages - 1] * len(path.ops)
    tail = [0.0] * len(path.ops)
    for n in reversed(range(len(path.ops))):
        if tail[n] + delays[n] > budget:
            last[n], tail[n] = last[n] - 1, 0.0
        for o in path.operands(n):
            need = tail[n] + delays[n]
            if last[n] < last[o]:
                last[o], tail[o] = last[n], need
            elif last[n] == last[o]:
                tail[o] = max(tail[o], need)
    return last


def _minimum_cut(path: Datapath, earliest: list[int], latest: list[int], cut: int) -> set[int]:
    """Return the nodes behind the cheapest legal cut in front of stage `cut`.

    Node n is 2n in the network; 2n + 1 collects its consumers, so that a value is paid once however many read it.
    """
    count = len(path.ops)
    source, sink = 2 * count, 2 * count + 1
    edges: list[tuple[int, int, int]] = []
    for n, op in enumerate(path.ops):
        if not isinstance(op, Constant):
            edges.append((2 * n, 2 * n + 1, path.width(n)))
        for o in path.operands(n):
            edges.append((2 * o + 1, 2 * n, _INFINITE))
            edges.append((2 * n, 2 * o, _INFINITE))
        if latest[n] < cut:
            edges.append((source, 2 * n, _INFINITE))
        if earliest[n] >= cut:
            edges.append((2 * n, sink, _INFINITE))
    for ref in path.outputs:
        edges.append((2 * ref.node + 1, sink, _INFINITE))
    for n in range(count):
        if not path.operands(n):
            edges.append((source, 2 * n, _INFINITE))
    before = _source_side(edges, source, sink, 2 * count + 2)
    return {n for n in range(count) if 2 * n not in before and not isinstance(path.ops[n], Constant)}


def _source_side(edges: list[tuple[int, int, int]], source: int, sink: int, size: int) -> set[int]:
    tails, heads, capacities = (np.array(column, dtype=np.int64) for column in zip(*edges, strict=True))
    network = csr_matrix((capacities, (tails, heads)), shape=(size, size))
    network.data = np.minimum(network.data, _INFINITE).astype(np.int32)
    residual = network - maximum_flow(network, source, sink).flow
    residual.data[residual.data < 0] = 0
    residual.eliminate_zeros()
    reached = breadth_first_order(residual, source, return_predecessors=False)
    return set(map(int, reached))


def _last_uses(path: Datapath, stage: list[int], stages: int) -> list[int]:
    uses = list(stage)
    for n in range(len(path.ops)):
        for o in path.operands(n):
            uses[o] = max(uses[o], stage[n])
    for ref in path.outputs:
        uses[ref.node] = stages
    return uses
