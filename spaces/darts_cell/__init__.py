"""The DARTS search space for image networks: a normal and a reduction cell of four nodes each.

Sources: Liu et al., *DARTS: Differentiable Architecture Search* (arXiv 1806.09055), which defines
the cell and its eight operations; Li & Talwalkar, *Random Search and Reproducibility for Neural
Architecture Search* (arXiv 1902.07638), whose baselines sample from it uniformly.
"""

from spaces.darts_cell.cell import (
    CELL_INPUTS,
    CELL_NODES,
    OPERATIONS,
    Cell,
    Edge,
    Genotype,
)
from spaces.darts_cell.published import PUBLISHED
from spaces.darts_cell.sampling import OPERATION_SETS, count_genotypes, resolve_operations, sample_genotype
from spaces.darts_cell.text import parse_genotype

__all__ = [
    "CELL_INPUTS",
    "CELL_NODES",
    "OPERATIONS",
    "OPERATION_SETS",
    "PUBLISHED",
    "Cell",
    "Edge",
    "Genotype",
    "count_genotypes",
    "parse_genotype",
    "resolve_operations",
    "sample_genotype",
]
