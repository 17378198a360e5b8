"""Schedules: legal, as few stages as the clock allows, and as few register bits as possible."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_layers import layers, linear_first

from fpgaq.cmvm import Adder, Term
from fpgaq.ir import Graph
from fpgaq.rtl.datapath import Constant, Datapath, Ref, Source, Sum
from fpgaq.rtl.delays import MODELS, DelayModel, delay
from fpgaq.rtl.pipeline import Schedule, schedule
from fpgaq.rtl.unroll import unroll

CLOCKS = (1200.0, 2000.0, 3000.0, 5000.0, 10000.0)


def budget_and_delays(path: Datapath, clock: float, model: DelayModel) -> tuple[float, list[float]]:
    """What a stage may take, and what each operation takes; one that takes more fills a stage."""
    budget = max(clock - model.overhead, 1.0)
    return budget, [min(float(delay(model, path, op, n)), budget) for n, op in enumerate(path.ops)]


def is_legal(path: Datapath, plan: Schedule, clock: float, model: DelayModel) -> bool:
    """Whether no operand is read before it exists and no combinational path exceeds a stage."""
    budget, delays = budget_and_delays(path, clock, model)
    arrival: list[float] = []
    for n in range(len(path.ops)):
        same = [0.0]
        for o in path.operands(n):
            if isinstance(path.ops[o], Constant):
                continue
            if plan.stage[o] > plan.stage[n] or plan.last_use[o] < plan.stage[n]:
                return False
            if plan.stage[o] == plan.stage[n]:
                same.append(arrival[o])
        arrival.append(max(same) + delays[n])
    sources = all(plan.stage[n] == 0 for n, op in enumerate(path.ops) if isinstance(op, Source))
    outputs = all(plan.last_use[ref.node] == plan.stages for ref in path.outputs)
    return sources and outputs and max(arrival) <= budget and 0 <= min(plan.stage) <= max(plan.stage) < plan.stages


def placed(path: Datapath, stage: tuple[int, ...], stages: int) -> Schedule:
    """The schedule with these stages; last uses computed from scratch."""
    uses = [max([s, *(stage[n] for n in range(len(stage)) if o in path.operands(n))]) for o, s in enumerate(stage)]
    for ref in path.outputs:
        uses[ref.node] = stages
    return Schedule(stages, stage, tuple(uses))


def as_soon_as_possible(path: Datapath, clock: float, model: DelayModel) -> tuple[int, ...]:
    """The naive schedule."""
    budget, delays = budget_and_delays(path, clock, model)
    stage: list[int] = []
    arrival: list[float] = []
    for n in range(len(path.ops)):
        first = max([stage[o] for o in path.operands(n)], default=0)
        ready = max([arrival[o] for o in path.operands(n) if stage[o] == first], default=0.0)
        if ready + delays[n] > budget:
            first, ready = first + 1, 0.0
        stage.append(first)
        arrival.append(ready + delays[n])
    return tuple(stage)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(layers(sizes=12), st.sampled_from(CLOCKS), st.sampled_from(sorted(MODELS)))
def test_schedule_is_legal(graph: Graph, clock: float, family: str) -> None:
    path, model = unroll(*linear_first(graph)), MODELS[family]
    plan = schedule(path, clock, model)
    assert is_legal(path, plan, clock, model)
    naive = as_soon_as_possible(path, clock, model)
    assert plan.stages == max(naive) + 1  # no schedule needs fewer: each operation is as early as it can be
    for n, (s, use) in enumerate(zip(plan.stage, plan.last_use, strict=True)):
        assert use >= s, n
    assert plan.last_use == placed(path, plan.stage, plan.stages).last_use
    assert plan.register_bits(path) <= placed(path, naive, plan.stages).register_bits(path)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(layers(sizes=12))
def test_no_fewer_stages_at_a_shorter_clock(graph: Graph) -> None:
    path = unroll(*linear_first(graph))
    stages = [schedule(path, clock, MODELS["xc7"]).stages for clock in CLOCKS]
    assert stages == sorted(stages, reverse=True)


def test_register_bits_counts_every_copy() -> None:
    path = Datapath()
    a = path.add(Source(0), (0, 15))
    b = path.add(Sum(Adder((Term(a, 0, False), Term(a, 1, False)), 0)), (0, 45))
    path.outputs = [Ref(a), Ref(b)]
    assert Schedule(3, (0, 1), (3, 3)).register_bits(path) == 3 * 4 + 2 * 6


def test_wide_values_are_registered_where_they_are_narrow() -> None:
    """Four inputs of 8 bits become a sum of 10: the second register holds the sum, not the inputs."""
    path = Datapath()
    x = [path.add(Source(i), (0, 255)) for i in range(4)]
    s = [path.add(Sum(Adder((Term(a, 0, False), Term(b, 0, False)), 0)), (0, 510)) for a, b in (x[:2], x[2:])]
    total = path.add(Sum(Adder((Term(s[0], 0, False), Term(s[1], 0, False)), 0)), (0, 1020))
    after = path.add(Sum(Adder((Term(total, 0, False),), 3)), (3, 1023))
    path.outputs = [Ref(after)]
    model = MODELS["xc7"]
    plan = schedule(path, model.overhead + 2.0 * model.adder(10), model)
    assert plan.stages == 2
    assert plan.register_bits(path) == 10 + 10


@st.composite
def tiny(draw: st.DrawFn) -> Datapath:
    """A DAG of at most 6 adders with arbitrary widths."""
    path = Datapath()
    for i in range(draw(st.integers(1, 3))):
        path.add(Source(i), (0, (1 << draw(st.integers(1, 12))) - 1))
    for _ in range(draw(st.integers(1, 6))):
        operands = draw(st.lists(st.integers(0, len(path.ops) - 1), min_size=2, max_size=3))
        terms = tuple(Term(o, 0, False) for o in operands)
        path.add(Sum(Adder(terms, 0)), (0, (1 << draw(st.integers(1, 12))) - 1))
    outputs = draw(st.lists(st.integers(0, len(path.ops) - 1), min_size=1, max_size=3))
    used = {o for n in range(len(path.ops)) for o in path.operands(n)}
    path.outputs = [Ref(n) for n in {*outputs, *(n for n in range(len(path.ops)) if n not in used)}]
    return path


def optimum(path: Datapath, stages: int, clock: float, model: DelayModel) -> int:
    """Fewest register bits of any legal schedule of that many stages, by trying all."""
    choices = [range(1) if isinstance(op, Source) else range(stages) for op in path.ops]
    plans = (placed(path, stage, stages) for stage in itertools.product(*choices))
    return min((p.register_bits(path) for p in plans if is_legal(path, p, clock, model)), default=math.inf)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(tiny(), st.sampled_from([1.0, 1.5, 2.0]))
def test_two_stages_have_the_fewest_registers_there_are(path: Datapath, adders: float) -> None:
    """One cut is a minimum cut; no fewer stages are legal either."""
    model = MODELS["xc7"]
    clock = model.overhead + adders * model.adder(8)
    plan = schedule(path, clock, model)
    assert is_legal(path, plan, clock, model)
    if plan.stages > 1:
        assert optimum(path, plan.stages - 1, clock, model) == math.inf
    if plan.stages <= 3:
        best = optimum(path, plan.stages, clock, model)
        assert plan.register_bits(path) >= best
        if plan.stages <= 2:
            assert plan.register_bits(path) == best


# --- the check can fail ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["early", "slow", "short", "source"])
def test_illegal_schedules_are_seen(fault: str) -> None:
    path = Datapath()
    a = path.add(Source(0), (0, 15))
    b = path.add(Sum(Adder((Term(a, 0, False), Term(a, 1, False)), 0)), (0, 45))
    c = path.add(Sum(Adder((Term(b, 0, False), Term(a, 1, False)), 0)), (0, 75))
    path.outputs = [Ref(c)]
    model = MODELS["xc7"]
    clock = model.overhead + 1.5 * model.adder(7)
    good = schedule(path, clock, model)
    assert is_legal(path, good, clock, model)
    assert good.stages == 2
    wrong = {
        "early": placed(path, (0, 1, 0), 2),
        "slow": placed(path, (0, 0, 0), 2),
        "short": Schedule(2, good.stage, tuple(min(u, 1) for u in good.last_use)),
        "source": placed(path, (1, 1, 1), 2),
    }[fault]
    assert not is_legal(path, wrong, clock, model)
