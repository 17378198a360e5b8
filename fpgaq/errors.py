"""Errors that fpgaq raises on purpose.

Each message is one readable paragraph: what is wrong (layer and value), and what to do about it.
"""

from __future__ import annotations


class FpgaqError(Exception):
    """Base class of every error a user can cause or mend."""


class ModelError(FpgaqError):
    """The model file or a layer of the model cannot be converted."""


class ConfigError(FpgaqError):
    """An option, a design.yaml entry or an input file is not usable."""


class ToolError(FpgaqError):
    """An external tool (g++, Verilator, yosys) is missing or failed."""


class GateError(FpgaqError):
    """An equality gate failed: two executions of the same model disagree."""
