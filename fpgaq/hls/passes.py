"""The hls4ml passes of the fpgaq backend."""

from __future__ import annotations

import hashlib
from typing import Any

from hls4ml.model.optimizer import ModelOptimizerPass

from fpgaq.config import make_options
from fpgaq.errors import ModelError


class SeparateHead(ModelOptimizerPass):
    """Take a final softmax off the integer network: leave it out, or end in the class index, softmax or not."""

    def __init__(self) -> None:
        self.name = "separate_head"

    def transform(self, model: Any) -> bool:
        head = make_options(model.config.get_config_value("Fpgaq")).head
        for layer in list(model.get_layers()):
            if layer.class_name != "Softmax":
                continue
            if layer.name not in model.outputs:
                raise ModelError(
                    f"layer {layer.name!r}: softmax inside the network is not integer arithmetic; it is only supported "
                    "as the last layer"
                )
            if head == "logits":
                model.remove_node(layer)
            elif head == "argmax":
                model.replace_node(layer, model.make_node("ArgMax", layer.name, {}, list(layer.inputs)))
        last = model.graph[model.outputs[0]]
        if head == "argmax" and last.class_name != "ArgMax":
            model.insert_node(model.make_node("ArgMax", f"{last.name}_argmax", {}, [last.name]))
        return False


class DeriveTypes(ModelOptimizerPass):
    """Freeze the parameters, build the integer graph and write its exact types into the layers."""

    def __init__(self) -> None:
        self.name = "derive_types"

    def transform(self, model: Any) -> bool:
        from fpgaq.hls.derive import Deriver

        options = make_options(model.config.get_config_value("Fpgaq"))
        model.derivation = Deriver(model, options).run()
        return False


class ContentStamp(ModelOptimizerPass):
    """Name the simulation library after the integer graph, where hls4ml would use a random number."""

    def __init__(self) -> None:
        self.name = "content_stamp"

    def transform(self, model: Any) -> bool:
        from fpgaq.ir.files import dumps

        trace = "trace" if model.config.trace_output else ""
        digest = hashlib.sha256(dumps(model.derivation.graph).encode() + trace.encode()).hexdigest()
        model.config.config["Stamp"] = digest[:12]
        return False


PASSES = {"separate_head": SeparateHead, "derive_types": DeriveTypes, "content_stamp": ContentStamp}
