"""Reuse factors of all layers: chosen for a wanted pace, written to a file that can be edited and read again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from fpgaq.config import LayerOptions, Options, make_options
from fpgaq.errors import ConfigError
from fpgaq.frontend.supported import hls_name
from fpgaq.ir.graph import Graph
from fpgaq.ir.ops import GatedMatMul, MatMul
from fpgaq.rtl.dataflow import Block, Dataflow

if TYPE_CHECKING:
    from fpgaq.design import Design

FOLDING_FILE = "folding.yaml"


def at_pace(options: Options, pace: int, lowered: Callable[[Options], Design]) -> Design:
    """Return the design whose layers are folded as far as a pace allows.

    Parameters
    ----------
    options : Options
    pace : int
        Cycles between vectors or frames.
    lowered : callable
        Returns the design for options that want a pace of every single layer.

    Raises
    ------
    ConfigError
        If no folding reaches it; it names the layer that limits.
    """
    single = pace
    while True:
        try:
            design = lowered(options.model_copy(update={"target_ii": single, "target_fps": None}))
        except ConfigError:
            if single == pace:
                raise
            raise _unreachable(design, pace) from None
        found = design.hardware.ii
        if found <= pace:
            return design
        # Layers that wait for each other take longer than the busiest of them: all have to be faster than the pace.
        single = min(single - 1, single * pace // found)
        if single < 1 or _busiest(design)[1] > pace:
            raise _unreachable(design, pace)


def _busiest(design: Design) -> tuple[Block, int]:
    """Return the block that is busy longest, and for how many cycles of a vector or frame."""
    flow = design.hardware.flow
    return max(((block, busy_cycles(flow, block)) for block in flow.blocks), key=lambda found: found[1])


def _unreachable(design: Design, pace: int) -> ConfigError:
    block, cycles = _busiest(design)
    found = design.hardware.ii
    return ConfigError(
        f"layer {block.layer!r}: {block.hardware.name} is busy for {cycles} cycles of every vector or frame, and the "
        f"design takes {found}, {found - pace} more than the {pace} that are wanted; no folding reaches that: ask for "
        "a slower pace, or use strides or fewer pixels"
    )


def busy_cycles(flow: Dataflow, block: Block) -> int:
    """Return the cycles that a vector or frame keeps a block busy."""
    return max(max(flow.beats[i] for i in block.inputs) * block.hardware.ii, block.beats)


def write_folding(graph: Graph, names: Collection[str], folder: Path) -> None:
    """Write the reuse factors of a graph, of the layers that the model has; others have no choice."""
    given = {hls_name(name): name for name in names}
    matrices = [n for n in graph.nodes.values() if isinstance(n, (GatedMatMul, MatMul)) and n.layer in given]
    layers = {given[node.layer]: {"reuse_factor": node.reuse} for node in matrices}
    text = "# Reuse factors of this build. Edit them, and give the file back as the option `folding`.\n"
    (folder / FOLDING_FILE).write_text(text + yaml.safe_dump({"layers": layers}, sort_keys=False))


def with_folding(options: Options) -> Options:
    """Return the options with the reuse factors of their folding file, where `layers` says nothing else.

    Raises
    ------
    ConfigError
        If the file cannot be read, or holds something else.
    """
    if options.folding is None:
        return options
    try:
        values = yaml.safe_load(options.folding.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"folding: {options.folding} cannot be read ({error})") from None
    if not isinstance(values, dict) or set(values) != {"layers"} or not isinstance(values["layers"], dict):
        raise ConfigError(f"folding: {options.folding} must hold `layers` with a reuse_factor each, and nothing else")
    layers: dict[str, LayerOptions] = dict(make_options(values).layers)
    for name, own in options.layers.items():
        layers[name] = layers[name].model_copy(update=own.model_dump(exclude_none=True)) if name in layers else own
    return options.model_copy(update={"layers": layers})
