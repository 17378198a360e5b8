"""The networks that the estimate is fitted on: the same on every machine, and of every kind."""

from collections import Counter

from benchmarks.random_networks import random_network
from fpgaq.ir.files import dumps


def test_a_seed_gives_one_network() -> None:
    assert dumps(random_network(7)) == dumps(random_network(7))
    assert dumps(random_network(7)) != dumps(random_network(11))


def test_there_is_something_of_everything() -> None:
    nodes = [node for seed in range(60) for node in random_network(seed).nodes.values()]
    kinds = Counter(node.op for node in nodes)
    assert {"argmax", "merge", "pad", "thresholds", "window_average", "window_max", "windows"} <= set(kinds)
    assert len({str(node.format) for node in nodes if node.op == "matmul"}) > 10
    assert {node.reuse > 1 for node in nodes if node.op == "matmul"} == {True, False}
