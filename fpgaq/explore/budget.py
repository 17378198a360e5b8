"""What a network may take: budgets as they are typed, and what to say when nothing is within them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fpgaq.errors import ConfigError
from fpgaq.explore.problem import Problem

#: Resources of the FPGA, bits of all weights together, and cycles.
RESOURCES = ("lut", "ff", "dsp", "bram18", "lutram", "size", "latency")


def parse_budget(text: str, latency: int | None = None) -> dict[str, int]:
    """Return the budgets of a text like ``lut=5000,dsp=0``; `latency` adds cycles.

    Raises
    ------
    ConfigError
        If a resource is unknown or twice there, or an amount is no whole number.
    """
    found: dict[str, int] = {}
    parts = [part.strip() for part in text.split(",") if part.strip()]
    parts += [] if latency is None else [f"latency={latency}"]
    for part in parts:
        name, equals, amount = (piece.strip() for piece in part.partition("="))
        if name not in RESOURCES:
            raise ConfigError(f"--budget: resource {name!r} is unknown; known are {', '.join(RESOURCES)}")
        if name in found:
            raise ConfigError(f"--budget: {name} has two budgets; give one")
        if not equals or not amount.isdecimal():
            raise ConfigError(f"--budget: {part!r} is no budget; write {name}=5000")
        found[name] = int(amount)
    if not found:
        raise ConfigError("there is no budget; give --budget lut=5000 or --latency 20")
    return found


def within(cost: Mapping[str, float], limits: Mapping[str, int]) -> bool:
    """Whether a cost is within the budgets."""
    return all(cost[name] <= limit for name, limit in limits.items())


def nothing_fits(problems: Sequence[Problem]) -> ConfigError:
    """Return the error that says what could be had, of networks that differ in their activations."""
    limits = problems[0].limits
    smallest = {name: min(problem.smallest()[name] for problem in problems) for name in limits}
    short = [f"{name} {smallest[name]} (budget {limit})" for name, limit in limits.items() if smallest[name] > limit]
    if short:
        return ConfigError(f"no choice of bits is within the budget; the smallest possible is {', '.join(short)}")
    each = ", ".join(f"{name} {least}" for name, least in smallest.items())
    return ConfigError(f"no choice of bits was found within all budgets together; each for itself can be {each}")
