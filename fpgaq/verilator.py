"""Compiling Verilator models; what is the same for every model is compiled once and kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from fpgaq import cache, toolchain
from fpgaq.processes import run_logged

FLAGS = (
    *("-cc", "--exe", "--vpi", "--prefix", "Vtop", "-Wno-fatal", "--timescale", "1ns/1ps", "-O3"),
    *("--x-assign", "fast", "--x-initial", "unique", "--output-split", "20000", "--output-split-cfuncs", "2000"),
)
#: For make. 1000 vectors take a second either way; optimizing what runs once, and Verilator's own library, took a third
#: of the compile time.
MAKE_FLAGS = ("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0")

#: Without a bench that looks inside. Compiled like the other one: -O2, -Os and -march=native gain less than a tenth.
BULK_FLAGS = ("-cc", "--exe", "--prefix", "Vtop", "-Wno-fatal", "-O3", "--x-assign", "fast", "--x-initial", "unique")

# Not verilator.o: cocotb's main program is compiled against the model's own class.
_RUNTIME = ("verilated.o", "verilated_dpi.o", "verilated_threads.o", "verilated_vpi.o")
_runtime_lock = threading.Lock()


def tools() -> tuple[str, ...]:
    """Return the versions of everything that makes a compiled model what it is."""
    versions = toolchain.versions()
    return tuple(f"{tool} {versions[tool]}" for tool in ("verilator", "cocotb", "g++"))


def compile_model(top: str, sources: Sequence[Path], control: Path, work: Path) -> None:
    """Compile a model with cocotb's main program into ``work / top``.

    Parameters
    ----------
    top : str
        Top module.
    sources : sequence of Path
        SystemVerilog files.
    control : Path
        Verilator control file: what the bench may see.
    work : Path
        An existing folder for everything that is made.

    Raises
    ------
    ToolError
        If Verilator or the C++ compiler fails; the message holds the end of the log.
    """
    import cocotb_tools.config

    libs = cocotb_tools.config.libs_dir
    main = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
    link = ("-LDFLAGS", f"-Wl,-rpath,{libs} -L{libs} -lcocotbvpi_verilator")
    _verilate([*FLAGS, *link, str(control), str(main), *map(str, sources)], top, work)
    place_runtime(work)
    _make(work, MAKE_FLAGS)


def compile_bulk(top: str, sources: Sequence[Path], driver: Path, work: Path) -> None:
    """Compile a model with the C++ driver of bulk simulation into ``work / top``; errors as `compile_model`."""
    options = ("-CFLAGS", f"-I{work.resolve()}", "-LDFLAGS", "-pthread", "--output-split", "20000")
    _verilate([*BULK_FLAGS, *options, str(driver), *map(str, sources)], top, work)
    place_runtime(work)
    _make(work, MAKE_FLAGS)


def place_runtime(work: Path) -> None:
    """Put Verilator's own library where the make of a model looks for it, and finds it newer than its sources."""
    runtime = prepare_runtime()
    for name in _RUNTIME:
        shutil.copy(runtime / name, work / name)


def prepare_runtime() -> Path:
    """Compile Verilator's own library unless a build did before; return the folder of its object files.

    They take three quarters of the compile time of a small design.
    """
    flags = hashlib.sha256(" ".join((*FLAGS, *MAKE_FLAGS)).encode()).hexdigest()[:8]
    facts = "-".join(text.split(" ", 1)[1] for text in tools())
    folder = cache.folder(f"verilator-runtime/{facts}-{flags}")
    with _runtime_lock:
        if not all((folder / name).is_file() for name in _RUNTIME):
            with tempfile.TemporaryDirectory(prefix="fpgaq-runtime-") as work:
                _compile_runtime(Path(work), folder)
    return folder


def _compile_runtime(work: Path, folder: Path) -> None:
    source = work / "empty.sv"
    source.write_text("module empty (input logic aclk);\nendmodule\n")
    _verilate([*FLAGS, str(source)], "empty", work)
    _make(work, [*MAKE_FLAGS, *_RUNTIME])
    for name in _RUNTIME:  # another process may do the same at the same time
        partial = folder / f"{name}.{os.getpid()}"
        shutil.copy(work / name, partial)
        partial.rename(folder / name)


def _verilate(arguments: Sequence[str], top: str, work: Path) -> None:
    fixed = [str(toolchain.verilator()), "-o", top, "--top-module", top, "-Mdir", str(work)]
    run_logged([*fixed, *arguments], work / "verilate.log", "Verilator", env=toolchain.environment())


def _make(work: Path, arguments: Sequence[str]) -> None:
    command = [str(toolchain.make()), "-j2", "-C", str(work), "-f", "Vtop.mk", *arguments]
    what = "the C++ build of the Verilator model"
    run_logged(command, work / "compile.log", what, env=toolchain.environment())
    for header in work.glob("*.gch"):  # precompiled, 70 MB each, and of no use any more
        header.unlink()
