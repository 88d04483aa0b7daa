"""The NAS-Bench-101 search space: small graphs of convolutions and pooling, 423,624 architectures in all.

Sources: Ying et al., *NAS-Bench-101: Towards Reproducible Neural Architecture Search* (arXiv
1902.09635), which defines cells, their hash and the network; Yu et al., *Evaluating the Search Phase of
Neural Architecture Search* (arXiv 1902.08142) and Yu, Ranftl & Salzmann, *How to Train Your Super-Net*
(arXiv 2003.04276), which define its sub-spaces and ways of sampling from it.
"""

from spaces.nasbench101.batch import hash_cells
from spaces.nasbench101.cell import INPUT, MAX_EDGES, MAX_VERTICES, OPERATIONS, OUTPUT, Cell, hash_cell
from spaces.nasbench101.cells import Cells
from spaces.nasbench101.enumeration import at_most_vertices, edges_into_output, enumerate_cells
from spaces.nasbench101.parameters import count_parameters, count_parameters_batch, vertex_channels
from spaces.nasbench101.sampling import mutate, sample_encoding, sample_unique
from spaces.nasbench101.text import parse_cell

__all__ = [
    "INPUT",
    "MAX_EDGES",
    "MAX_VERTICES",
    "OPERATIONS",
    "OUTPUT",
    "Cell",
    "Cells",
    "at_most_vertices",
    "count_parameters",
    "count_parameters_batch",
    "edges_into_output",
    "enumerate_cells",
    "hash_cell",
    "hash_cells",
    "mutate",
    "parse_cell",
    "sample_encoding",
    "sample_unique",
    "vertex_channels",
]
