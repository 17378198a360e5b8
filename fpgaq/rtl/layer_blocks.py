"""From the hardware layers of a graph to the modules that build them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fpgaq.ir.graph import Graph
from fpgaq.ir.node import Bounds, Node, Operand, frozen_array
from fpgaq.ir.ops import (
    ArgMax,
    Concatenate,
    Crop,
    GatedMatMul,
    MatMul,
    Merge,
    Pad,
    Repeat,
    Reshape,
    Scan,
    Softmax,
    WindowAverage,
    WindowMax,
    Windows,
)
from fpgaq.ir.types import FixedType
from fpgaq.rtl.argmax_layer import ArgMaxLayer
from fpgaq.rtl.dataflow import Block, Dataflow, LayerHardware
from fpgaq.rtl.delays import MODELS, adder_inputs
from fpgaq.rtl.divisor_tags import Tags, divisor_tags
from fpgaq.rtl.folded_matrix import FoldedMatrix
from fpgaq.rtl.frames import beats, in_pixels, pixel
from fpgaq.rtl.gated_engine import GatedEngine
from fpgaq.rtl.input_bits import known_levels
from fpgaq.rtl.scan_loop import ScanLoop
from fpgaq.rtl.softmax_layer import SoftmaxLayer
from fpgaq.rtl.stages import Layer, split, streams, takes_turns
from fpgaq.rtl.stream_collect import StreamCollect
from fpgaq.rtl.stream_concatenate import StreamConcatenate
from fpgaq.rtl.stream_crop import StreamCrop
from fpgaq.rtl.stream_pad import StreamPad
from fpgaq.rtl.stream_reduce import StreamReduce
from fpgaq.rtl.stream_repeat import StreamRepeat
from fpgaq.rtl.stream_split import StreamSplit
from fpgaq.rtl.stream_tag import StreamTag
from fpgaq.rtl.stream_window import StreamWindow
from fpgaq.rtl.unroll import rounding_half
from fpgaq.rtl.unrolled_layer import UnrolledLayer


@dataclass(frozen=True)
class BlockMaker:
    """Makes the modules of a graph.

    Parameters
    ----------
    graph : Graph
    clock_period : float
        Clock target in ns.
    family : str
        FPGA family, for the delay model and the kind of adders.
    """

    graph: Graph
    clock_period: float
    family: str

    @cached_property
    def pixels(self) -> bool:
        """Whether tensors of several axes travel pixel by pixel."""
        return in_pixels(self.graph)

    def blocks(self) -> list[Block]:
        """Return the modules, in topological order."""
        layers, made = split(self.graph), streams(self.graph)
        readers = Counter([*(i for layer in layers for i in layer.inputs), *(made[o] for o in self.graph.outputs)])
        collected = {layer.output: layer for layer in layers if self._collected(layer) > 1}
        found: list[Block] = []
        for layer in layers:
            before = collected.get(layer.inputs[0])
            streamed = self._streamed(layer, before) if before is not None and readers[before.output] == 1 else []
            if before is not None and streamed:
                found = [block for block in found if block.output != before.output]
            found += streamed or self._blocks(layer)
        return found

    def _streamed(self, layer: Layer, before: Layer) -> list[Block]:
        """Return what a layer needs that takes pixels as they come, if it can do without the vector that they make."""
        pixels, first = self._collected(before), layer.nodes[0]
        given = dataclasses.replace(layer, inputs=before.inputs)
        if isinstance(first, MatMul) and FoldedMatrix.takes(first, pixels):
            return self._folded(given, first, pixels)
        if isinstance(first, (WindowAverage, WindowMax)) and first.positions == pixels:
            return self._reduced(given, first)
        return []

    def _collected(self, layer: Layer) -> int:
        """Return the beats that a reshape makes one of, 0 for what is none or takes beats apart."""
        if not isinstance(layer.nodes[0], Reshape):
            return 0
        return beats(self.graph, layer.nodes[0].inputs[0]) // layer.beats

    def _blocks(self, layer: Layer) -> list[Block]:
        matrix, first = layer.matrix, layer.nodes[0]
        if isinstance(first, GatedMatMul) and first.reuse > 1:
            return self._gated(layer, first)
        if matrix is not None and matrix.reuse > 1:
            return self._folded(layer, matrix)
        if isinstance(first, Concatenate) and takes_turns(self.graph, first):
            return self._in_turns(layer, first)
        if isinstance(first, Merge):
            return self._merged(layer, first)
        tags = divisor_tags(first) if isinstance(first, WindowAverage) else None
        if tags is not None:
            return self._tagged(layer, tags)
        return [self._block(layer, self._hardware(layer), layer.inputs)]

    def _hardware(self, layer: Layer) -> LayerHardware:
        """Return the module of a layer that is one."""
        first = layer.nodes[0]
        if isinstance(first, Pad):
            return StreamPad(layer.name, first, layer.source, self._margin_may_be_early(first))
        if isinstance(first, Windows):
            return StreamWindow(layer.name, first, layer.source)
        if isinstance(first, Crop) and self.pixels:
            return StreamCrop(layer.name, first, layer.source)
        if isinstance(first, Repeat) and self.pixels:
            return StreamRepeat(layer.name, first, layer.source)
        if isinstance(first, Reshape):
            collected = self._collected(layer)
            if not collected:
                bits = layer.n_out * layer.result.type.width
                return StreamSplit(layer.name, bits, layer.beats // beats(self.graph, first.inputs[0]))
            return StreamCollect(layer.name, layer.n_out // collected * layer.source.type.width, collected)
        if isinstance(first, ArgMax):
            return ArgMaxLayer(layer.name, layer.source, layer.result.type.width)
        if isinstance(first, Softmax):
            return SoftmaxLayer(layer.name, first, layer.source)
        if isinstance(first, Scan):
            return self._loop(layer.name, first)
        return self._unrolled(layer.name, layer.nodes, layer.sources, layer.result, 0)

    def _loop(self, name: str, scan: Scan) -> ScanLoop:
        """Return the loop around the hardware of a step, whose modules are called after the nodes of the step."""
        nodes = [dataclasses.replace(node, layer=node.name) for node in scan.step.nodes.values()]
        step = Graph(self.graph.name, nodes, scan.step.outputs)
        made = streams(step)
        results = [made[output] for output in step.outputs]
        sources = {node.name: node.type.width * node.shape[0] for node in step.inputs}
        blocks = BlockMaker(step, self.clock_period, self.family).blocks()
        # No FIFOs: a beat is alone in the step, and its states stay where they are until the step is complete.
        flow = Dataflow(sources, blocks, tuple(dict.fromkeys(results)), depths={})
        return ScanLoop(name, scan, beats(self.graph, scan.inputs[0]), flow, results)

    def _in_turns(self, layer: Layer, node: Concatenate) -> list[Block]:
        """Return what takes pixels of several tensors in turn, and what follows it elementwise."""
        rest = layer.nodes[1:]
        hardware = StreamConcatenate(f"{layer.name}_pixels" if rest else layer.name, node, layer.sources)
        if not rest:
            return [dataclasses.replace(self._block(layer, hardware, layer.inputs), joined=False)]
        result = pixel(self.graph.operand(node.name))
        unrolled = self._unrolled(layer.name, rest, [result], layer.result, 0)
        first = self._inner(layer, hardware, node.name, result, node.name)
        return [dataclasses.replace(first, joined=False), self._block(layer, unrolled, (node.name,))]

    def _merged(self, layer: Layer, node: Merge) -> list[Block]:
        """Return what repeats smaller tensors for all pixels of a frame, and the merge."""
        found, inputs = [], list(layer.inputs)
        for k, (stream, source) in enumerate(zip(layer.inputs, layer.sources, strict=True)):
            pixels = beats(self.graph, stream)
            if pixels == layer.beats:
                continue
            inputs[k] = f"{layer.output}: repeated {stream}"
            # A single pixel is kept as long as it is needed; several go round in a line.
            times = (1, layer.beats) if pixels == 1 else (layer.beats // pixels, 1)
            channels = source.bounds.lo.size
            whole = Bounds(*(np.broadcast_to(end, (1, pixels, channels)) for end in source.bounds))
            repeat = Repeat(name=inputs[k], inputs=(stream,), type=source.type, layer=node.layer, times=times)
            hardware = StreamRepeat(f"{layer.name}_repeat{k}", repeat, Operand(source.type, whole))
            width = source.type.width
            found.append(Block(hardware, node.layer, (stream,), inputs[k], width, channels, None, layer.beats))
        return [*found, self._block(layer, self._hardware(layer), tuple(inputs))]

    def _margin_may_be_early(self, node: Pad) -> bool:
        """Whether no window shows before a pixel of the frame has come."""
        margin = StreamPad(node.name, node, self.graph.operand(node.inputs[0])).margin
        result = self.graph.operand(node.name)
        readers = self.graph.consumers(node.name)
        windows = [StreamWindow(r.name, r, result).gives for r in readers if isinstance(r, Windows)]
        shown = any(any(gives[: margin.index(False)]) for gives in windows)
        return len(windows) == len(readers) and node.name not in self.graph.outputs and not shown

    def _gated(self, layer: Layer, matrix: GatedMatMul) -> list[Block]:
        """Return the engine, and what follows it elementwise."""
        rest = layer.nodes[1:]
        engine = GatedEngine(f"{layer.name}_matrix" if rest else layer.name, matrix, layer.source)
        if not rest:
            return [self._block(layer, engine, layer.inputs)]
        result = self.graph.operand(matrix.name)
        result = pixel(result) if self.pixels else result
        unrolled = self._unrolled(layer.name, rest, [result], layer.result, 0)
        return [
            self._inner(layer, engine, matrix.name, result, matrix.name),
            self._block(layer, unrolled, (matrix.name,)),
        ]

    def _tagged(self, layer: Layer, tags: Tags) -> list[Block]:
        """Return what tells the windows of an average apart, and the rest."""
        x = layer.source
        if x.type.signed and x.type.width == 1:
            raise layer.nodes[0].fail("hardware for an average of -1 and 0 in a margin is not available; use 2 bits")
        hardware = StreamTag(f"{layer.name}_place", x.bounds.lo.size, x.type.width, tags)
        lo, hi = (np.append(end, np.full(tags.bits, k)) for k, end in enumerate(x.bounds))
        tagged = Operand(x.type, Bounds(frozen_array(lo), frozen_array(hi)))
        inner = f"{layer.output}: place"
        unrolled = self._unrolled(layer.name, layer.nodes, [tagged], layer.result, 0)
        return [self._inner(layer, hardware, inner, tagged), self._block(layer, unrolled, (inner,))]

    def _folded(self, layer: Layer, matrix: MatMul, pixels: int = 1) -> list[Block]:
        """Return the matrix, whose input comes in so many beats, and what follows it elementwise."""
        rest = layer.nodes[1:]
        half = rounding_half(layer.nodes, 0)
        levels = known_levels(self.graph.nodes, matrix.inputs[0])
        name = f"{layer.name}_matrix" if rest else layer.name
        folded = FoldedMatrix(name, matrix, layer.source, half, levels, pixels=pixels)
        exact = self.graph.bounds[matrix.name].channels
        if not rest:
            return [self._inner(layer, folded, layer.output, Operand(folded.result_type, exact), layer.output)]
        sums = Operand(folded.result_type, Bounds(frozen_array(exact.lo + half), frozen_array(exact.hi + half)))
        unrolled = self._unrolled(layer.name, rest, [sums], layer.result, half)
        inner = f"{layer.output}: sums"
        return [self._inner(layer, folded, inner, sums), self._block(layer, unrolled, (inner,))]

    def _reduced(self, layer: Layer, node: WindowAverage | WindowMax) -> list[Block]:
        """Return sums or maxima of a whole frame, and what follows them elementwise."""
        frame = self.graph.operand(self.graph.nodes[node.inputs[0]].inputs[0])
        pixels = [end.reshape(-1, end.shape[-1]) for end in frame.bounds]
        largest = isinstance(node, WindowMax)
        lo, hi = (end.max(axis=0) if largest else end.sum(axis=0) for end in pixels)
        covered = FixedType.from_interval(min(lo.min(), frame.type.min), max(hi.max(), frame.type.max), frame.type.frac)
        results = Operand(covered, Bounds(frozen_array(lo), frozen_array(hi)))
        # What is left of an average is the division.
        rest = layer.nodes[1:] if largest else (dataclasses.replace(node, positions=1), *layer.nodes[1:])
        name = f"{layer.name}_frame" if rest else layer.name
        given = covered if rest else layer.result.type
        hardware = StreamReduce(name, lo.size, frame.type, covered, len(pixels[0]), largest, given)
        if not rest:
            return [self._block(layer, hardware, layer.inputs)]
        inner = f"{layer.output}: frame"
        unrolled = self._unrolled(layer.name, rest, [results], layer.result, 0)
        return [self._inner(layer, hardware, inner, results), self._block(layer, unrolled, (inner,))]

    def _block(self, layer: Layer, hardware: LayerHardware, inputs: tuple[str, ...]) -> Block:
        """Return the module that gives the result of a layer."""
        width = layer.result.type.width
        return Block(
            hardware, layer.nodes[0].layer, inputs, layer.output, width, layer.n_out, layer.output, layer.beats
        )

    def _inner(
        self, layer: Layer, hardware: LayerHardware, output: str, result: Operand, probe: str | None = None
    ) -> Block:
        """Return a module whose result the same layer goes on with."""
        width, count = result.type.width, int(np.size(result.bounds.lo))
        return Block(hardware, layer.nodes[0].layer, layer.inputs, output, width, count, probe, layer.beats)

    def _unrolled(
        self, name: str, nodes: Sequence[Node], sources: Sequence[Operand], result: Operand, half: int
    ) -> UnrolledLayer:
        return UnrolledLayer(
            name,
            nodes,
            sources,
            result,
            self.clock_period,
            MODELS[self.family],
            adder_inputs(self.family),
            half,
        )
