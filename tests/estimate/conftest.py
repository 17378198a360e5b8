"""Puts the folder of the hardware tests on the path: matrices of every format are made there."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "rtl"))
