"""Which Keras layers can be converted, and what is said about the others."""

from __future__ import annotations

from typing import Any

from fpgaq.errors import ModelError

#: Layers of several tensors.
MERGING_LAYERS = ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract")
#: Layers with a meaning of their own.
SUPPORTED_LAYERS = (
    "Activation",
    "Add",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Cropping1D",
    "Cropping2D",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Dropout",
    "ELU",
    "Flatten",
    "GRU",
    "GatedConv1D",
    "GatedConv2D",
    "GatedDense",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "InputLayer",
    "LSTM",
    "LeakyReLU",
    "MaxPooling1D",
    "MaxPooling2D",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "QActivation",
    "QBatchNormalization",
    "QConv1D",
    "QConv2D",
    "QConv2DBatchnorm",
    "QDense",
    "QDenseBatchnorm",
    "QDepthwiseConv2D",
    "QDepthwiseConv2DBatchnorm",
    "QGRU",
    "QLSTM",
    "QSeparableConv1D",
    "QSeparableConv2D",
    "QSimpleRNN",
    "ReLU",
    "Rescaling",
    "Reshape",
    "SeparableConv1D",
    "SeparableConv2D",
    "SimpleRNN",
    "Softmax",
    "Subtract",
    "UpSampling1D",
    "UpSampling2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
)
#: Layers that do nothing at inference; Dropout is one too, which hls4ml leaves out by itself.
IDLE_LAYERS = (
    "ActivityRegularization",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "SpatialDropout1D",
    "SpatialDropout2D",
)
#: Models, alone or nested in others.
GRAPH_CLASSES = ("Functional", "Model", "Sequential")
#: Layers with states.
RECURRENT_LAYERS = ("GRU", "LSTM", "QGRU", "QLSTM", "QSimpleRNN", "SimpleRNN")
#: Functions that clip, with their limits.
CLIPPING_FUNCTIONS = {"hard_tanh": (-1.0, 1.0), "relu6": (0.0, 6.0)}
#: Functions that are a rectifier with a slope for negative values: Keras' default.
LEAKY_FUNCTIONS = {"leaky_relu": 0.2}
#: Functions that become staircases of a stated number of bits; none of them falls anywhere.
CURVES = ("elu", "exponential", "hard_sigmoid", "selu", "sigmoid", "softsign", "tanh")
#: Functions that ``activation=...`` may name besides QKeras quantizers.
SUPPORTED_FUNCTIONS = ("linear", "relu", "softmax", *CLIPPING_FUNCTIONS, *LEAKY_FUNCTIONS, *CURVES)
#: The name that no layer may have, inputs included.
_RESERVED = "input"
SUPPORTED_CLASSES = frozenset((*SUPPORTED_LAYERS, *IDLE_LAYERS, "TimeDistributed"))


def hls_name(name: str) -> str:
    """Return the name that hls4ml's parser gives a layer: one-letter names of 'input' are taken there."""
    return f"{name}_0" if name in set("input") else name


def graph_of(model: Any) -> Any:
    """Return the graph of layers of a Sequential or functional model, None for what is none."""
    graph = getattr(model, "_functional", model)
    return graph if hasattr(graph, "_nodes_by_depth") else None


def unsupported(name: str, kind: str) -> ModelError:
    """Return the error for a layer class that cannot be converted."""
    why = " (its code would have to be executed)" if kind == "Lambda" else ""
    return ModelError(
        f"layer {name!r}: {kind} layers are not supported{why}; supported are {', '.join(sorted(SUPPORTED_CLASSES))}. "
        "Replace the layer or leave it outside the converted part of the model"
    )


def require_model(model: Any) -> None:
    """Refuse what is not a model of Keras with a graph of layers.

    Raises
    ------
    ModelError
        Saying what is expected.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise ModelError(f"expected a keras.Model or the path of a model file, not {type(model).__name__}")
    if not isinstance(model, keras.Sequential) and not hasattr(model, "_nodes_by_depth"):
        raise ModelError(f"model {model.name!r} is a subclassed model; use Sequential or the functional API")
    if not model.built:
        raise ModelError(f"model {model.name!r} is not built; call it once or give it an Input")


def check_model(model: Any) -> None:
    """Refuse a model that cannot be converted, before any work starts.

    Raises
    ------
    ModelError
        Naming the layer, the value and a way out.
    """
    import keras

    require_model(model)
    calls = [node.operation for nodes in graph_of(model)._nodes_by_depth.values() for node in nodes]
    for operation in calls:
        if operation.name == _RESERVED:
            raise ModelError(f"layer {_RESERVED!r}: hls4ml keeps this name for itself; give the layer another one")
    for layer in model.layers:
        if calls.count(layer) > 1:
            raise ModelError(f"layer {layer.name!r} is used more than once; give every use a layer of its own")
        kind = type(layer).__name__
        if kind not in SUPPORTED_CLASSES or not type(layer).__module__.startswith(("keras.", "qkeras.", "fpgaq.")):
            raise unsupported(layer.name, kind)
        _check_layer(layer, kind)
    for operation in calls:
        if not isinstance(operation, keras.Layer):
            raise ModelError(
                f"operation {operation.name!r} ({type(operation).__name__}) is not a layer; use one instead of a "
                "function of keras.ops or an operator, such as Add for +"
            )


def _check_layer(layer: Any, kind: str) -> None:
    if kind == "ReLU":
        _check_rectifier(layer)
    if kind == "PReLU" and any(n != 1 for n in layer.alpha.shape[:-1]):
        axes = list(range(1, len(layer.alpha.shape)))
        raise ModelError(
            f"layer {layer.name!r}: a PReLU whose slopes differ between pixels is not supported: every pixel goes "
            f"through the same hardware; use shared_axes={axes}"
        )
    if kind == "ELU" and layer.alpha != 1.0:
        raise ModelError(f"layer {layer.name!r}: ELU with alpha={layer.alpha} is not supported; use alpha=1")
    if kind == "Permute" and len(layer.dims) > 3:
        raise ModelError(f"layer {layer.name!r}: Permute of {len(layer.dims)} axes is not supported; use at most 3")
    if getattr(layer, "interpolation", "nearest") != "nearest":
        raise ModelError(
            f"layer {layer.name!r}: interpolation={layer.interpolation!r} is not supported: it makes new values; use "
            "'nearest'"
        )
    if kind in MERGING_LAYERS:
        _check_merging(layer, kind)
    if kind in RECURRENT_LAYERS:
        _check_recurrent(layer, kind)
    _check_spatial(layer)
    if kind in ("Activation", "Dense") or ("Conv" in kind and not kind.startswith(("Gated", "Q"))):
        name = getattr(layer.activation, "__name__", type(layer.activation).__name__)
        if name not in SUPPORTED_FUNCTIONS:
            raise ModelError(
                f"layer {layer.name!r}: activation {name!r} is not supported; use {', '.join(SUPPORTED_FUNCTIONS)} "
                "or a "
                "QActivation with quantized_relu, quantized_bits, quantized_tanh, binary or ternary"
            )


def _check_rectifier(layer: Any) -> None:
    if layer.threshold != 0.0:
        raise ModelError(
            f"layer {layer.name!r}: ReLU with threshold={layer.threshold} is not supported; use QActivation"
        )
    most = layer.max_value
    if most not in (None, float("inf")) and not (0 < most < 2.0**31 and float(most) * 2.0**16 % 1 == 0):
        raise ModelError(
            f"layer {layer.name!r}: ReLU with max_value={most} is not supported; use a multiple of 2^-16 between "
            "0 and 2^31, which hardware can represent"
        )


def _check_merging(layer: Any, kind: str) -> None:
    tensors = layer.input
    if not isinstance(tensors, (list, tuple)) or len(tensors) < 2:
        raise ModelError(f"layer {layer.name!r}: {kind} of one tensor is not supported; leave the layer out")
    axes = len(layer.output.shape)
    if kind == "Concatenate" and layer.axis in (0, -axes):
        raise ModelError(
            f"layer {layer.name!r}: axis={layer.axis} puts samples behind each other; use an axis of the tensors, 1 to "
            f"{axes - 1} or -1"
        )


def _check_recurrent(layer: Any, kind: str) -> None:
    for option, way_out in _RECURRENT_OPTIONS.items():
        if getattr(layer, option, False):
            raise ModelError(f"layer {layer.name!r}: {option}=True is not supported; {way_out}")
    if len(layer._inbound_nodes[0].arguments.keras_tensors) > 1:
        raise ModelError(
            f"layer {layer.name!r}: {kind} with an initial_state is not supported; every frame starts with states of "
            "zero: leave it out"
        )


_RECURRENT_OPTIONS = {
    "go_backwards": "give the series in the other order",
    "return_state": "use the last result, or return_sequences=True",
    "stateful": "every frame starts with states of zero: give the whole series as one",
    "zero_output_for_mask": "there are no masks in hardware: cut or fill the series in front of the model",
}


def _check_spatial(layer: Any) -> None:
    if getattr(layer, "data_format", None) == "channels_first":
        raise ModelError(
            f"layer {layer.name!r}: data_format='channels_first' is not supported: all channels of a pixel travel "
            "together, pixel by pixel; use channels_last"
        )
    if getattr(layer, "groups", 1) != 1:
        raise ModelError(
            f"layer {layer.name!r}: groups={layer.groups} is not supported; use a convolution of all channels, groups=1"
        )
    if getattr(layer, "depth_multiplier", 1) != 1:
        raise ModelError(
            f"layer {layer.name!r}: depth_multiplier={layer.depth_multiplier} is not supported: the C++ has one filter "
            "for each channel; use depth_multiplier=1, or a convolution of all channels"
        )
    if getattr(layer, "_mask", None) is not None:
        raise ModelError(f"layer {layer.name!r}: a kernel mask is not supported; use weights that are zero")
    if None in getattr(layer.output, "shape", ())[1:]:
        raise ModelError(
            f"layer {layer.name!r}: its result has the shape {list(layer.output.shape[1:])}; hardware needs numbers: "
            "give the Input a fixed shape"
        )
