"""The search space of NAS-Bench-201: four nodes, six edges, five operations, 15,625 cells.

Source: Dong & Yang, *NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
Search* (arXiv 2001.00326).
"""

from spaces.nasbench201.cell import EDGES, NODES, OPERATIONS, Cell, parse_cell
from spaces.nasbench201.cells import Cells, enumerate_cells, hash_cells
from spaces.nasbench201.sampling import mutate, sample_cell
from spaces.nasbench201.topology import count_topologies, topology

__all__ = [
    "EDGES",
    "NODES",
    "OPERATIONS",
    "Cell",
    "Cells",
    "count_topologies",
    "enumerate_cells",
    "hash_cells",
    "mutate",
    "parse_cell",
    "sample_cell",
    "topology",
]
