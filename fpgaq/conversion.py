"""Converting a Keras model: the Python entry point."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fpgaq.config import Options, make_options
from fpgaq.design import Design, Origin
from fpgaq.errors import ConfigError
from fpgaq.folding import at_pace, with_folding
from fpgaq.rtl.verilog import KEYWORDS


def convert(model: Any, *, output: str | Path | None = None, name: str | None = None, **options: Any) -> Design:
    """Convert a model to HLS C++ and SystemVerilog.

    Parameters
    ----------
    model : keras.Model, str or Path
        A model, or the path of a model file.
    output : path, optional
        Folder to write to; ``build/NAME`` by default.
    name : str, optional
        Name of the design; by default the last part of `output`, or the model's name.
    **options
        See `fpgaq.config.Options`.

    Returns
    -------
    Design
        Golden model, C++ simulation and RTL simulation of the network.

    Raises
    ------
    FpgaqError
        Naming the layer or option, its value, and the way out.
    """
    checked = make_options(options)
    if isinstance(model, (str, Path)):
        from fpgaq.frontend.load import load_model

        name = name or (Path(output).name if output else Path(model).stem)
        model = load_model(Path(model))
    name = name or (Path(output).name if output else str(getattr(model, "name", "design")))
    folder = Path(output) if output else Path("build") / name
    design = lower(model, name, checked, folder)
    design.write()
    return design


def lower(model: Any, name: str, options: Options, folder: Path) -> Design:
    """Convert without writing anything."""
    from fpgaq.frontend.flatten import flattened
    from fpgaq.frontend.lower import to_hls_graph
    from fpgaq.quantize.freeze import freeze

    check_options(options)
    options, model = with_folding(options), freeze(flattened(model))

    def lowered(schedules: Options) -> Design:
        hls_graph = to_hls_graph(model, design_name(name), schedules, folder / "hls")
        origin = Origin(model, hls_graph.derivation, hls_graph)
        return Design(hls_graph.derivation.graph, options, folder, origin)

    return lowered(options) if options.wanted_ii is None else at_pace(options, options.wanted_ii, lowered)


def check_options(options: Options) -> None:
    """Refuse option values that exist but are not available yet, and combinations that contradict each other."""
    from fpgaq.rtl.delays import MODELS

    if options.family not in MODELS:
        raise ConfigError(f"family {options.family!r} is unknown; known are {', '.join(MODELS)}")


def design_name(name: str) -> str:
    """Return a name that is legal as a C++ and Verilog identifier."""
    legal = re.sub(r"[^A-Za-z0-9_]", "_", name)
    if not legal or not legal[0].isalpha() or legal.lower() in KEYWORDS:
        legal = f"design_{legal}"
    return legal
