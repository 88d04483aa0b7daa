"""The spaces of cells that tables are of, and parts of them that can be searched, by name. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

CELL_SPACES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "nasbench101": 423_624, "nasbench101-4": 91, "nasbench101-5": 2_532, "nasbench101-6": 64_542,
        "s1": 2_685, "s2": 7_773, "s3": 55_854, "nasbench201": 15_625,
    }
)  # fmt: skip
"""How many cells of different hash each has. ``nasbench101-5`` are the cells of at most five vertices."""
