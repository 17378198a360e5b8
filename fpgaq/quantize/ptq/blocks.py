"""Blocks: after the layers, the weights of several layers are tuned together for what comes out of the last of them.

Source: BRECQ (arXiv 2102.05426): the blocks, and AdaRound's descent for all weights of a block. Own: every weight keeps
the place that its layer was rounded to or takes the next one towards the float weight, and the best of what the descent
passes counts, so that a block never becomes worse on the calibration data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from fpgaq.quantize.ptq.adam import Adam
from fpgaq.quantize.ptq.adaround import HIGH, LOW, regularizer_slope
from fpgaq.quantize.ptq.grid import Grid
from fpgaq.quantize.ptq.patches import as_kernel, as_matrix
from fpgaq.quantize.requantize import free_kernels, matrices

Real = NDArray[np.float64]

_ITERATIONS = 500
_EVERY = 25
_BATCH = 256
_RATE = 5e-2
#: Shares of a gap that weights begin with: rounded they are what the layers made of them, and none is far from moving.
_LEAST, _MOST = 0.2, 0.49


@dataclass(frozen=True)
class TunedBlock:
    """What became of a block.

    Parameters
    ----------
    names : sequence of str
        Its layers with a matrix.
    before, after : float
        Mean squared error of its outputs on the calibration data.
    """

    names: Sequence[str]
    before: float
    after: float


def blocks(model: Any) -> Iterator[tuple[Any, Any, list[str]]]:
    """Give the input, the output and the matrices of every block.

    A block ends where a single tensor holds all that goes on: in front of a branch, or after two matrices and what
    follows them without one. What is left at the end belongs to the last one.
    """
    named, layers = set(matrices(model)), [layer for layer in model.layers if layer.name not in _inputs(model)]
    readers: dict[int, int] = {}
    for layer in layers:
        for tensor in _listed(layer.input):
            readers[id(tensor)] = readers.get(id(tensor), 0) + 1
    live = {id(model.inputs[0]): readers[id(model.inputs[0])]}
    start, inside, found = model.inputs[0], list[str](), list[tuple[Any, Any, list[str]]]()
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        inside += [layer.name] if layer.name in named else []
        for tensor in _listed(layer.input):
            live[id(tensor)] -= 1
        live[id(layer.output)] = readers.get(id(layer.output), 0)
        alone = [key for key, left in live.items() if left] == [id(layer.output)]
        branches = readers.get(id(layer.output), 0) > 1
        if following is not None and alone and inside and (branches or (len(inside) > 1 and following.name in named)):
            found.append((start, layer.output, inside))
            start, inside = layer.output, []
    if found and len(inside) < 2:
        start, _, before = found.pop()
        inside = before + inside
    yield from [*found, (start, model.outputs[0], inside)]


def tuned(
    original: Any, copy: Any, grids: Mapping[str, Grid], data: Any, rng: np.random.Generator
) -> Iterator[TunedBlock]:
    """Tune block after block of a quantized model; those of one layer stay.

    Parameters
    ----------
    original, copy : keras.Model
        The float model, and the quantized one, whose kernels are on their grids and are replaced.
    grids : mapping of Grid
        By layer.
    data : float array, shape (samples, ...)
    rng : numpy.random.Generator
    """
    import keras

    free = free_kernels(copy)
    # A sequential model from a file has called its first layer twice: a clone's tensors follow one another.
    floating = keras.models.clone_model(original)
    floating.set_weights(original.get_weights())
    wanted_model = {name: tensor for (_, tensor, names) in blocks(floating) for name in names}
    for start, end, names in blocks(free):
        if len(names) < 2:
            continue
        inputs = keras.Model(free.inputs, start).predict(data, verbose=0) if start is not free.inputs[0] else data
        wanted = keras.Model(floating.inputs, wanted_model[names[0]]).predict(data, verbose=0)
        block = _Block(keras.Model(start, end), [free.get_layer(name) for name in names], inputs, wanted)
        floats = [np.asarray(original.get_layer(name).get_weights()[0], np.float64) for name in names]
        steps = [
            _step(original.get_layer(name), kernel, weights, grids[name])
            for name, kernel, weights in zip(names, block.kernels(), floats, strict=True)
        ]
        before = block.error()
        kernels, after = _descended(block, floats, steps, before, rng)
        block.assign(kernels)
        for name, kernel in zip(names, kernels, strict=True):
            copy.get_layer(name).set_weights([kernel, *copy.get_layer(name).get_weights()[1:]])
        yield TunedBlock(names, before, after)


class _Block:
    """A part of the network with free kernels, what goes in, and what should come out."""

    def __init__(self, model: Any, layers: Sequence[Any], inputs: Any, wanted: Any) -> None:
        self.inputs, self.wanted = inputs, wanted
        self._variables = [layer.weights[0] for layer in layers]
        self._slopes = _slopes_of(model, self._variables)
        self._model = model

    def kernels(self) -> list[Real]:
        """Return the kernels as they are."""
        return [np.asarray(variable, np.float64) for variable in self._variables]

    def assign(self, kernels: Sequence[Real]) -> None:
        """Put other kernels in."""
        for variable, kernel in zip(self._variables, kernels, strict=True):
            variable.assign(kernel.astype(np.float32))

    def error(self) -> float:
        """Return the mean squared error of the outputs."""
        outputs = np.asarray(self._model.predict(self.inputs, batch_size=256, verbose=0), np.float64)
        return float(np.mean((outputs - self.wanted) ** 2))

    def slopes(self, rows: NDArray[np.int64]) -> list[Real]:
        """Return the derivatives of the error of some samples by the kernels."""
        return [np.asarray(slope, np.float64) for slope in self._slopes(self.inputs[rows], self.wanted[rows])]


def _slopes_of(model: Any, variables: Sequence[Any]) -> Callable[[Any, Any], list[Any]]:
    import tensorflow as tf

    @tf.function(autograph=False)
    def slopes(x: Any, y: Any) -> list[Any]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(x, training=False) - y) ** 2)
        return list(tape.gradient(loss, variables, unconnected_gradients="zero"))

    return lambda x, y: slopes(tf.constant(x, tf.float32), tf.constant(y, tf.float32))


def _descended(
    block: _Block, floats: Sequence[Real], steps: Sequence[Real], error: float, rng: np.random.Generator
) -> tuple[list[Real], float]:
    """Return the best kernels that the descent passes with their weights moved by a step or not, and their error."""
    best, least = block.kernels(), error
    if error == 0:
        return best, error
    base = best
    shares = [
        np.clip((weights - kernel) / np.where(step == 0, 1, step), _LEAST, _MOST)
        for kernel, weights, step in zip(base, floats, steps, strict=True)
    ]
    logits = [-np.log((HIGH - LOW) / (share - LOW) - 1) for share in shares]
    adams = [Adam() for _ in logits]
    for iteration in range(1, _ITERATIONS + 1):
        soft = [expit(each) for each in logits]
        wide = [LOW + (HIGH - LOW) * each for each in soft]
        moved = [np.clip(each, 0, 1) for each in wide]
        block.assign([k + h * s for k, h, s in zip(base, moved, steps, strict=True)])
        slopes = block.slopes(rng.integers(0, len(block.inputs), _BATCH))
        for k, slope in enumerate(slopes):
            total = slope * steps[k] / error + regularizer_slope(moved[k], iteration / _ITERATIONS)
            inner = np.where((wide[k] > 0) & (wide[k] < 1), (HIGH - LOW) * soft[k] * (1 - soft[k]), 0.0)
            logits[k] = logits[k] + adams[k].step(total * inner, _RATE)
        if iteration % _EVERY == 0:
            kernels = [k + (each >= 0) * s for k, each, s in zip(base, logits, steps, strict=True)]
            block.assign(kernels)
            found = block.error()
            if found < least:
                best, least = kernels, found
    return best, least


def _step(layer: Any, kernel: Real, weights: Real, grid: Grid) -> Real:
    """Return the way from every rounded weight to the next number towards the float weight."""
    rounded, wanted = as_matrix(layer, kernel), as_matrix(layer, weights)
    places = grid.nearest(rounded) + np.sign(wanted - rounded)
    return as_kernel(layer, grid.values(places) - rounded)


def _inputs(model: Any) -> set[str]:
    return {layer.name for layer in model.layers if type(layer).__name__ == "InputLayer"}


def _listed(tensors: Any) -> list[Any]:
    return list(tensors) if isinstance(tensors, (list, tuple)) else [tensors]
