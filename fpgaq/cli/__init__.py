"""The command line: a file for every group of commands."""

from __future__ import annotations

from fpgaq.cli import build, cost, explore, methods, quantize, repeat, train  # noqa: F401  registers their commands
from fpgaq.cli.common import app


def main() -> None:
    """Entry point of the ``fpgaq`` command."""
    app()
