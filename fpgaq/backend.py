"""The hls4ml backend ``fpgaq``: the Vitis project with exact types, and the integer graph beside it.

Loaded by hls4ml through its entry-point group ``hls4ml.backends``, while hls4ml itself is still being imported: this
module must therefore import nothing of hls4ml but leaf modules, and nothing of TensorFlow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hls4ml.backends.fpga.fpga_backend import FPGABackend
from hls4ml.backends.vitis.vitis_backend import VitisBackend
from hls4ml.model.flow import get_flow, register_flow
from hls4ml.writer.vitis_writer import VitisWriter

NAME = "fpgaq"

# Passes of hls4ml that only fill in attributes or change the representation in C++. Its optimisations that merge layers
# or infer types are left out: several of them silently change results, and the integer graph has its own.
_VIVADO_OPTIMIZE = ("vivado:inplace_parallel_reshape",)
_VIVADO_TYPES = (
    "vivado:transform_types",
    "vivado:register_bram_weights",
    "vivado:apply_resource_strategy",
    "vivado:set_pipeline_style",
)


class FpgaqWriter(VitisWriter):
    """Writes the Vitis HLS project, as hls4ml users know it, and the SystemVerilog beside it."""

    def write_hls(self, model: Any) -> None:
        """Write the project; a graph that belongs to a `fpgaq.Design` leaves the SystemVerilog to that."""
        super().write_hls(model)
        _tell_guards_apart(Path(model.config.get_output_dir()))
        if getattr(model, "part_of_design", False):
            _make_relocatable(Path(model.config.get_output_dir()))
        else:
            _design(model).write_hardware()


def _tell_guards_apart(folder: Path) -> None:
    """Give the header of depthwise series a guard of its own: with that of images, one of the two is never read."""
    header = folder / "firmware" / "nnet_utils" / "nnet_sepconv1d_latency.h"
    header.write_text(header.read_text().replace("SEPARABLE_CONV2D_LATENCY_H_", "SEPARABLE_CONV1D_LATENCY_H_"))


def _make_relocatable(folder: Path) -> None:
    """Take the folder's own path out of the project, and the copy of the model, which has a time stamp in it."""
    (folder / "keras_model.keras").unlink(missing_ok=True)
    config = folder / "hls4ml_config.yml"
    lines = config.read_text().splitlines()
    kept = [line.replace(str(folder), ".") for line in lines if not line.startswith("KerasModel:")]
    config.write_text("\n".join(kept) + "\n")


def _design(model: Any) -> Any:
    """Return the design whose folder is the hls4ml project's."""
    from fpgaq.config import make_options
    from fpgaq.design import Design

    options = make_options(model.config.get_config_value("Fpgaq"))
    return Design(model.derivation.graph, options, Path(model.config.get_output_dir()))


class FpgaqBackend(VitisBackend):
    """Vitis' C++ with every type exact; simulation and synthesis with open tools."""

    def __init__(self) -> None:
        # VivadoBackend and VitisBackend hard-code their names, so their constructors are skipped.
        FPGABackend.__init__(self, NAME)
        self._register_layer_attributes()
        self._register_passes()
        self._register_flows()

    def _init_file_optimizers(self) -> dict[str, Any]:
        return {}  # Vitis' passes exist under its own name; registering them again would only duplicate them

    def _register_passes(self) -> None:
        from fpgaq.hls import layers
        from fpgaq.hls.passes import PASSES

        layers.register(self)
        for name, cls in PASSES.items():
            self.register_pass(name, cls)

    def _register_flows(self) -> None:
        def flow(name: str, passes: Any, requires: list[str]) -> str:
            return str(register_flow(name, passes, requires=requires, backend=NAME))

        front = flow("exact", [f"{NAME}:{p}" for p in ("separate_head", "prepare_streams", "derive_types")], [])
        init = flow("init_layers", list(get_flow("vivado:init_layers").optimizers), [front])
        streams = flow("streams", [f"{NAME}:{p}" for p in ("copy_streams", "pack_reshapes")], [init])
        optimize = flow("representation", list(_VIVADO_OPTIMIZE), [streams])
        types = flow("specific_types", [*_VIVADO_TYPES, f"{NAME}:write_windows"], [optimize])
        own = flow("own_templates", self._get_layer_templates, [types])
        templates = flow(
            "apply_templates",
            lambda: (
                list(get_flow("vitis:apply_templates").optimizers) + list(get_flow("vivado:apply_templates").optimizers)
            ),
            [own],
        )
        calls = flow("calls", [f"{NAME}:{p}" for p in ("call_stream_windows", "check_calls")], [templates])
        check = flow("check", [f"{NAME}:check_type_names"], [types])
        self._default_flow = flow("ip", None, [front, init, streams, optimize, types, check, own, templates, calls])
        self._writer_flow = flow("write", [f"{NAME}:content_stamp", f"{NAME}:write_hls"], [self._default_flow])

    def get_custom_source(self) -> dict[str, Any]:
        return dict(self.custom_source)

    def create_initial_config(self, **kwargs: Any) -> dict[str, Any]:
        """Return the project configuration; options of fpgaq are taken out of the keyword arguments."""
        from fpgaq.config import Options, make_options

        mine = {key: value for key, value in kwargs.items() if key in Options.model_fields}
        config = super().create_initial_config(**{k: v for k, v in kwargs.items() if k not in mine or k in _SHARED})
        config["Fpgaq"] = make_options(mine).model_dump(mode="json")
        return dict(config)

    def predict(self, model: Any, x: Any, sim: str = "csim") -> Any:
        """Evaluate inputs with the compiled C++ (``sim='csim'``) or the simulated SystemVerilog (``sim='rtl'``)."""
        if sim == "csim":
            return model._predict(x)
        if sim != "rtl":
            from fpgaq.errors import ConfigError

            raise ConfigError(f"predict(sim={sim!r}): use 'csim' or 'rtl'")
        from fpgaq.stimuli import truncated_codes

        design = _design(model)
        design.write_hardware()
        values = design.rtl_values(truncated_codes(design.graph, x))
        return values[0] if not isinstance(values, list) and len(values) == 1 else values  # as hls4ml's own predict

    def build(self, model: Any, samples: int = 1000, **_: Any) -> dict[str, Any]:
        """Simulate and synthesize the SystemVerilog with open tools.

        Parameters
        ----------
        model : hls4ml.model.ModelGraph
        samples : int
            Random vectors for the RTL gate.

        Returns
        -------
        dict
            ``gate``, ``timing`` and ``resources`` as in fpgaq's report.

        Raises
        ------
        GateError
            If the SystemVerilog differs from the golden model.
        """
        from fpgaq.report.content import resources, timing
        from fpgaq.stimuli import random_codes

        design = _design(model)
        design.write_hardware()
        gate, simulation = design.rtl_gate(random_codes(design.graph, samples, design.options.seed))
        gate.require()
        return {
            "gate": gate.to_json(),
            "timing": timing(design, simulation, gate.timetable),
            "resources": resources(design, design.synth()),
        }


_SHARED = ("clock_period", "io_type")


def register(*, register_backend: Any, register_writer: Any) -> None:
    """Register writer and backend; hls4ml calls this once."""
    import fpgaq.frontend.gated_handlers
    import fpgaq.frontend.handlers
    import fpgaq.frontend.merge_handlers
    import fpgaq.frontend.recurrent_handlers
    import fpgaq.frontend.spatial_handlers  # noqa: F401  they register Keras 3 handlers

    register_writer(NAME, FpgaqWriter)  # the backend looks its writer up, so the writer comes first
    register_backend(NAME, FpgaqBackend)
