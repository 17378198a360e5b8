"""Puts the folder of `random_layers` on the path: random graphs are built from the same operations here."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "rtl"))
