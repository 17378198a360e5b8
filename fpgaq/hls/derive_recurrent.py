"""Recurrent layers of an hls4ml graph: a matrix on every position of the series, and a graph for the steps in a loop.

All products and sums of a step are exact. What is rounded is what the model says, and what would get longer with every
step: a state without quantizer gets a stated type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hls4ml.model.types import NamedType

from fpgaq.errors import ConfigError
from fpgaq.hls.derive_matrix import holds, required_reuse
from fpgaq.hls.freeze import to_hls, user_precision
from fpgaq.hls.recurrent_matrix import freeze_matrix
from fpgaq.hls.recurrent_step import RecurrentStep
from fpgaq.ir import ops
from fpgaq.ir.graph import Graph
from fpgaq.ir.ops import Function
from fpgaq.ir.types import FixedType

if TYPE_CHECKING:
    from fpgaq.hls.derive import Deriver


def lower_recurrent(deriver: Deriver, layer: Any) -> None:
    """Lower a recurrent layer to the matrix of its inputs and a loop over its steps."""
    reuse = _reuse_factor(deriver, layer)
    of_input = freeze_matrix(deriver, layer, "", ("w", "b"), reuse)
    of_state = freeze_matrix(deriver, layer, "recurrent_", ("u", "v"), reuse)
    step = RecurrentStep(deriver, layer, of_state)
    frac = max(step.state_type("hidden_state").frac + of_state.frac, of_state.bias.frac)
    kernel = of_input.emit(deriver, f"{layer.name}_kernel", layer.inputs[0], slice(None), frac)
    _set_type(layer, "x_sum", kernel.type)
    step.begin(kernel)
    _CELLS[layer.get_attr("cell")](step)
    loop = ops.Scan(
        name=layer.name,
        inputs=(kernel.name,),
        type=step.operands[step.output].type,
        layer=layer.name,
        step=Graph(f"{layer.name}_step", step.nodes, (step.output, *step.following)),
        initial=tuple(step.initial),
        sequences=bool(layer.get_attr("return_sequences")),
    )
    _set_type(layer, "h_sum", step.sum_type)
    deriver.finish(layer, loop, None)


def _set_type(layer: Any, what: str, exact: FixedType) -> None:
    """Give the C++ the type of an accumulator; one that the user wants has to hold it."""
    wanted = user_precision(layer, "accum")
    if wanted is not None and not holds(wanted[0], exact):
        raise ConfigError(
            f"layer {layer.name!r}: accumulator {wanted[0]} does not hold the exact sums of a recurrent layer; "
            f"{exact} does"
        )
    layer.set_attr(f"{what}_t", NamedType(f"layer{layer.index}_{what}_t", to_hls(exact)))


def _reuse_factor(deriver: Deriver, layer: Any) -> int:
    """Return the reuse factor of all matrices of a layer; 1 where nothing but a wanted pace or a strategy says it.

    The steps wait for each other, so that folding them would cost the pace.
    """
    own = deriver.options.layers.get(layer.name)
    strategy = (own.strategy if own is not None else None) or deriver.options.strategy
    of_all = own is None or own.reuse_factor is None
    reuse = int(layer.model.config.get_reuse_factor(layer))
    if strategy == "auto" or (of_all and deriver.options.wanted_ii is not None):
        reuse = 1
    else:
        sizes, legal = _matrix_sizes(layer), layer.model.config.backend.get_valid_reuse_factors
        common = set.intersection(*(set(legal(*size)) for size in sizes))
        required_reuse(layer, strategy, reuse, sorted(common), " and ".join(f"{n}x{m}" for n, m in sizes))
    layer.model.config.layer_name_rf[layer.name.lower()] = reuse
    return reuse


def _matrix_sizes(layer: Any) -> list[tuple[int, int]]:
    """Return inputs and outputs of the matrices of a layer, each once."""
    units, gates = int(layer.get_attr("units")), int(layer.get_attr("gates"))
    recurrent = [(units, 2 * units), (units, units)] if layer.get_attr("cell") == "gru" else [(units, gates * units)]
    return list(dict.fromkeys([(int(layer.get_attr("n_in")), gates * units), *recurrent]))


def _simple_rnn(step: RecurrentStep) -> None:
    """``h' = activation(x + h U)``."""
    sums = step.merge("sum", Function.ADD, step.x, step.matrix("recurrent", step.state("hidden_state"), 0, 1))
    step.finish_state("hidden_state", step.activation("output", sums), is_result=True)


def _lstm(step: RecurrentStep) -> None:
    """``c' = f c + i g`` and ``h' = o activation(c')``, with the gates i, f, o and the candidate g."""
    hidden, cell = step.state("hidden_state"), step.state("cell_state")
    sums = step.merge("sum", Function.ADD, step.x, step.matrix("recurrent", hidden, 0, 4))
    order = ("input_gate", "forget_gate", "candidate", "output_gate")
    i, f, g, o = (step.activation(part, step.part(part, sums, k)) for k, part in enumerate(order))
    kept, new = step.merge("kept", Function.MULTIPLY, f, cell), step.merge("new", Function.MULTIPLY, i, g)
    after = step.finish_state("cell_state", step.merge("cell", Function.ADD, kept, new))
    result = step.merge("hidden", Function.MULTIPLY, o, step.activation("output", after))
    step.finish_state("hidden_state", result, is_result=True)


def _gru(step: RecurrentStep) -> None:
    """``h' = g + z (h - g)``, which is ``z h + (1 - z) g`` with one product less."""
    hidden = step.state("hidden_state")
    sums = step.merge("sum", Function.ADD, step.part("x_gates", step.x, 0, 2), step.matrix("gates", hidden, 0, 2))
    z, r = (step.activation(part, step.part(part, sums, k)) for k, part in enumerate(("update_gate", "reset_gate")))
    if step.layer.get_attr("reset_after"):
        recurrent = step.merge("reset", Function.MULTIPLY, r, step.matrix("recurrent", hidden, 2, 1))
    else:
        recurrent = step.matrix("recurrent", step.merge("reset", Function.MULTIPLY, r, hidden), 2, 1)
    total = step.merge("total", Function.ADD, step.part("x_candidate", step.x, 2), recurrent)
    g = step.activation("candidate", total)
    kept = step.merge("kept", Function.MULTIPLY, z, step.merge("distance", Function.SUBTRACT, hidden, g))
    step.finish_state("hidden_state", step.merge("hidden", Function.ADD, g, kept), is_result=True)


_CELLS: dict[str, Callable[[RecurrentStep], None]] = {"gru": _gru, "lstm": _lstm, "simple_rnn": _simple_rnn}
