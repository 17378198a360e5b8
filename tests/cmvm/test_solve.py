"""Solved graphs are the matrix, exactly, and legal; whatever the matrix, the bounds and the limits."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from cmvm_matrices import KINDS, corners_and_samples, is_equal, weights
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fpgaq.cmvm import Adder, AdderGraph, Term, solve
from fpgaq.errors import ConfigError, ModelError

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def problems(draw: st.DrawFn, largest: int, widest: int):  # type: ignore[no-untyped-def]
    """A matrix with copied, negated, shifted and empty columns, input bounds of all kinds, and a bias."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    shape = (draw(st.integers(1, largest)), draw(st.integers(1, largest)))
    matrix = weights(draw(st.sampled_from(KINDS)), shape, draw(st.integers(1, widest)), rng).astype(np.int64)
    matrix[:, rng.random(shape[1]) < 0.1] = 0
    matrix[rng.random(shape[0]) < 0.1] = 0
    for j, k in rng.integers(0, shape[1], (draw(st.integers(0, 2)), 2)):
        matrix[:, j] = matrix[:, k] * draw(st.sampled_from([1, -1, 2, -4]))
    bounds = []
    for _ in range(shape[0]):
        lo = draw(st.one_of(st.just(0), st.integers(-200, 200)))
        bounds.append((lo, lo + draw(st.one_of(st.just(0), st.integers(0, 255)))))
    reach = draw(st.sampled_from([0, 1, 1000, 1 << 40]))
    bias = [int(b) for b in rng.integers(-reach, reach + 1, shape[1])]
    return matrix, bounds, bias, rng


def check(graph: AdderGraph, matrix: np.ndarray, bounds: list, bias: list, rng: np.random.Generator) -> None:
    x = corners_and_samples(bounds, 20, rng)
    assert (graph.evaluate(x) == x @ matrix + np.array(bias)).all()
    assert is_equal(graph, effective(matrix, bounds), effective_bias(matrix, bounds, bias))
    assert graph.bounds[: len(bounds)] == tuple(bounds)


def effective(matrix: np.ndarray, bounds: list) -> np.ndarray:
    """The matrix without the inputs that never change, which the solver moves into the bias."""
    return np.where([[lo == hi] for lo, hi in bounds], 0, matrix)


def effective_bias(matrix: np.ndarray, bounds: list, bias: list) -> list[int]:
    constant = np.array([lo if lo == hi else 0 for lo, hi in bounds])
    return [int(b) for b in constant @ matrix + np.array(bias)]


@settings(UNHURRIED, max_examples=200)
@given(problem=problems(largest=12, widest=10), adder_inputs=st.sampled_from([2, 3]))
def test_small_problems_are_exact_and_legal(problem, adder_inputs: int) -> None:  # type: ignore[no-untyped-def]
    matrix, bounds, bias, rng = problem
    graph = solve(matrix, bounds, bias, adder_inputs=adder_inputs)
    check(graph, matrix, bounds, bias, rng)
    for adder in graph.adders:
        assert adder.operands <= adder_inputs
        assert sum(term.negative for term in adder.terms) <= 2


@settings(UNHURRIED, max_examples=25)
@given(problem=problems(largest=32, widest=10))
def test_large_problems_are_exact(problem) -> None:  # type: ignore[no-untyped-def]
    matrix, bounds, bias, rng = problem
    check(solve(matrix, bounds, bias), matrix, bounds, bias, rng)


@settings(UNHURRIED, max_examples=25)
@given(problem=problems(largest=7, widest=6), adder_inputs=st.sampled_from([2, 3]))
def test_every_depth_from_the_least_on_is_met(problem, adder_inputs: int) -> None:  # type: ignore[no-untyped-def]
    matrix, bounds, bias, rng = problem
    free = solve(matrix, bounds, bias, adder_inputs=adder_inputs).depth
    refused = 0
    for max_depth in range(1, free + 1):
        try:
            graph = solve(matrix, bounds, bias, adder_inputs=adder_inputs, max_depth=max_depth)
        except ConfigError:
            refused = max_depth
            continue
        assert refused < max_depth, "a smaller depth was met, a larger one refused"
        assert graph.depth <= max_depth
        check(graph, matrix, bounds, bias, rng)
    assert refused < free or free == 0


@settings(UNHURRIED, max_examples=25)
@given(seed=st.integers(0, 1 << 32), kind=st.sampled_from(KINDS))
def test_bounds_are_attained_and_never_left(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    matrix = weights(kind, (3, 4), 5, rng)
    bounds = [(int(lo), int(lo + size)) for lo, size in zip(rng.integers(-3, 3, 3), rng.integers(0, 4, 3), strict=True)]
    graph = solve(matrix, bounds, rng.integers(-9, 9, 4))
    everything = np.array(list(itertools.product(*(range(lo, hi + 1) for lo, hi in bounds))))
    nodes = tuple(Term(node, 0, False) for node in range(len(graph.bounds)))
    values = replace(graph, outputs=nodes).evaluate(everything)
    assert graph.bounds == tuple(zip(values.min(axis=0).tolist(), values.max(axis=0).tolist(), strict=True))


def test_equal_columns_are_built_once() -> None:
    rng = np.random.default_rng(5)
    column = rng.integers(-31, 32, (12, 1)) | 1
    bounds = [(-8, 7)] * 12
    same = solve(np.hstack([column] * 4), bounds, [3] * 4)
    assert len(set(same.outputs)) == 1
    shifted = solve(np.hstack([4 * column, column]), bounds, [12, 3])
    assert shifted.outputs[0] == replace(shifted.outputs[1], shift=shifted.outputs[1].shift + 2)
    related = solve(np.hstack([column, -column, 2 * column]), bounds, [3, -3, 7])
    needed = {related.outputs[0].node}
    for k in reversed(range(len(related.adders))):
        if 12 + k in needed:
            needed.update(term.node for term in related.adders[k].terms)
    assert len([node for node in needed if node >= 12]) == len(related.adders) - 2


def test_trivial_matrices() -> None:
    x = np.array([[5]])
    assert solve([[0]], [(0, 9)]).outputs == (0,)
    assert solve([[0]], [(0, 9)], [-7]).outputs == (-7,)
    assert solve([[8]], [(0, 9)]).outputs == (Term(0, 3, False),)
    negated = solve([[-8]], [(0, 9)])
    assert negated.adders == (Adder((Term(0, 0, True),), 0),)
    assert negated.evaluate(x).tolist() == [[-40]]
    assert solve([[3]], [(5, 5)], [1]).outputs == (16,)
    assert solve(np.zeros((2, 0), np.int64), [(0, 1)] * 2).outputs == ()
    assert solve(np.zeros((0, 2), np.int64), [], [4, 0]).outputs == (4, 0)
    all_negative = solve(-np.ones((3, 1), np.int64), [(0, 1)] * 3)
    assert all_negative.evaluate(np.array([[1, 1, 1]])).tolist() == [[-3]]


def test_sixteen_bit_weights_and_huge_biases() -> None:
    rng = np.random.default_rng(3)
    matrix = rng.integers(-(1 << 15), 1 << 15, (8, 5))
    bounds = [(-(1 << 15), (1 << 15) - 1)] * 8
    bias = [int(b) for b in rng.integers(-(1 << 40), 1 << 40, 5)]
    check(solve(matrix, bounds, bias), matrix, bounds, bias, rng)


@pytest.mark.parametrize(
    ("arguments", "options", "shown"),
    [
        (([1, 2], [(0, 1)]), {}, r"\(2,\)"),
        (([[0.5]], [(0, 1)]), {}, "float64"),
        (([[1]], []), {}, "0 input bounds"),
        (([[1]], [(3, 2)]), {}, r"\[3, 2\]"),
        (([[1]], [(0, 1)], [1, 2]), {}, "2 biases"),
        (([[1]], [(0, 1)]), {"adder_inputs": 4}, "adder_inputs is 4"),
        (([[1]], [(0, 1)]), {"max_depth": 0}, "max_depth is 0"),
        (([[1] * 2] * 10, [(0, 1)] * 10), {"max_depth": 2}, "needs 3 levels"),
        (([[1 << 60]], [(0, 1)]), {}, str(1 << 60)),
        (([[1 << 40]], [(0, 1 << 40)]), {}, "60 bits"),
    ],
)
def test_unusable_arguments_are_named(arguments: tuple, options: dict, shown: str) -> None:
    with pytest.raises(ConfigError, match=shown):
        solve(*arguments, **options)


def test_a_single_flipped_shift_or_sign_is_noticed() -> None:
    rng = np.random.default_rng(8)
    matrix = weights("int", (6, 5), 5, rng)
    bounds, bias = [(-8, 7)] * 6, [1, -2, 0, 5, 9]
    graph = solve(matrix, bounds, bias)
    x = corners_and_samples(bounds, 50, rng)
    for k, adder in enumerate(graph.adders):
        for t, term in enumerate(adder.terms):
            for fault in (replace(term, shift=term.shift + 1), replace(term, negative=not term.negative)):
                terms = (*adder.terms[:t], fault, *adder.terms[t + 1 :])
                if all(other.negative for other in terms) and len(terms) == 3:
                    continue  # not a legal adder
                adders = (*graph.adders[:k], replace(adder, terms=terms), *graph.adders[k + 1 :])
                try:
                    faulty = AdderGraph.from_adders(bounds, adders, graph.outputs)
                except ModelError:
                    continue  # noticed: an offset has no unused bits any more
                assert not is_equal(faulty, matrix, bias)
                assert (faulty.evaluate(x) != x @ matrix + np.array(bias)).any()


SCRIPT = """
import hashlib, numpy as np
from fpgaq.cmvm import solve
rng = np.random.default_rng(0)
print(hashlib.sha256(repr(solve(rng.integers(-8, 8, (9, 7)), [(0, 15)] * 9, range(7))).encode()).hexdigest())
"""


def test_the_graph_does_not_depend_on_the_process() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_importing_the_package_compiles_nothing() -> None:
    code = "import sys, fpgaq.cmvm; sys.exit('numba' in sys.modules or 'scipy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@settings(UNHURRIED, max_examples=60)
@given(problem=problems(largest=12, widest=6), digits=st.integers(4, 40))
def test_blocks_of_inputs_are_exact_and_legal(problem, digits: int) -> None:  # type: ignore[no-untyped-def]
    """As large matrices are searched, in small."""
    matrix, bounds, bias, rng = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fpgaq.cmvm._search.BLOCK_DIGITS", digits)
        check(solve(matrix, bounds, bias), matrix, bounds, bias, rng)


@pytest.mark.extended
def test_a_block_more_costs_little() -> None:
    matrix = weights("int", (32, 16), 4, np.random.default_rng(2))
    whole = solve(matrix, [(0, 15)] * 32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fpgaq.cmvm._search.BLOCK_DIGITS", 500)
        cut = solve(matrix, [(0, 15)] * 32)
    assert whole.total_bits < cut.total_bits < 1.2 * whole.total_bits
