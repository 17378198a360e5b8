"""Constant matrix-vector multiplication as a shared graph of two- and three-input adders."""

from __future__ import annotations

from fpgaq.cmvm.graph import Adder, AdderGraph, Term
from fpgaq.cmvm.solve import solve

__all__ = ["Adder", "AdderGraph", "Term", "solve"]
