"""Models and data that cannot be trained with are refused before anything is trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from fpgaq.errors import ConfigError, ModelError
from fpgaq.frontend.supported import check_model
from fpgaq.quantize.executable import LARGEST_INPUT, require_executable, require_names
from fpgaq.quantize.requantize import matrices
from fpgaq.quantize.training.loss import class_numbers


def check_trainable(model: Any) -> None:
    """Refuse a model that cannot be trained, or not converted then.

    Parameters
    ----------
    model : keras.Model
        Without nested ones.

    Raises
    ------
    ModelError
        Naming the layer, the value and a way out.
    """
    check_model(model)
    require_names(model)
    require_executable(model)
    for name in matrices(model):
        if getattr(model.get_layer(name), "padding", None) == "causal":
            raise ModelError(
                f"layer {name!r}: padding='causal' cannot be trained: QKeras cannot compute it; use ZeroPadding1D and "
                "padding='valid'"
            )


def checked(model: Any, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return data of a model as arrays; targets that tell classes as class numbers.

    Raises
    ------
    ModelError
        If the model has several inputs.
    ConfigError
        If data do not fit the model, or each other.
    """
    if len(model.inputs) != 1:
        raise ModelError(f"model {model.name!r} has {len(model.inputs)} inputs; training data are for one")
    if len(model.outputs) != 1:
        raise ConfigError(f"model {model.name!r} has {len(model.outputs)} outputs; targets are for one")
    x, y, shape = np.asarray(x), np.asarray(y), tuple(model.inputs[0].shape[1:])
    if x.dtype.kind not in "iubf" or y.dtype.kind not in "iubf":
        raise ConfigError(f"inputs and targets are numbers, not {x.dtype} and {y.dtype}")
    fits = x.ndim == len(shape) + 1 and all(want in (None, have) for want, have in zip(shape, x.shape[1:], strict=True))
    if not fits:
        raise ConfigError(f"inputs of shape {list(x.shape)} do not fit; expected {('samples', *shape)}")
    if y.ndim == 0 or len(x) != len(y) or not len(x):
        count = len(y) if y.ndim else "no"
        raise ConfigError(f"{count} targets for {len(x)} inputs; give as many, and at least one")
    for what, values in (("inputs", x), ("targets", y)):
        if not np.isfinite(values).all():
            raise ConfigError(f"{what} contain NaN or infinity")
        if np.abs(values).max() > LARGEST_INPUT:
            raise ConfigError(f"{what} of up to {np.abs(values).max():.3g} are too large; scale them to below 2^31")
    return x.astype(np.float32), class_numbers(model, y)
