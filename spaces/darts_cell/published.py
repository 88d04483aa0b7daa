"""Genotypes that papers report for CIFAR-10 or ImageNet, exactly as their authors released them.

The order of the two edges of a node is the authors' own. Genotypes with other shapes, such as
those of NASNet and AmoebaNet (five nodes, repeated sources, other operations), are not in this space.
"""

from __future__ import annotations

from typing import Final

from spaces.darts_cell.cell import Cell, Genotype

_SEP3, _SEP5, _DIL3, _DIL5 = "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"
_SKIP, _MAX, _AVG = "skip_connect", "max_pool_3x3", "avg_pool_3x3"

PUBLISHED: Final[dict[str, Genotype]] = {
    # Liu et al., arXiv 1806.09055: first-order and second-order search on CIFAR-10.
    "DARTS_V1": Genotype(
        Cell.of(
            *((_SEP3, 1), (_SEP3, 0)),
            *((_SKIP, 0), (_SEP3, 1)),
            *((_SKIP, 0), (_SEP3, 1)),
            *((_SEP3, 0), (_SKIP, 2)),
        ),
        Cell.of(
            *((_MAX, 0), (_MAX, 1)),
            *((_SKIP, 2), (_MAX, 0)),
            *((_MAX, 0), (_SKIP, 2)),
            *((_SKIP, 2), (_AVG, 0)),
        ),
    ),
    "DARTS_V2": Genotype(
        Cell.of(
            *((_SEP3, 0), (_SEP3, 1)),
            *((_SEP3, 0), (_SEP3, 1)),
            *((_SEP3, 1), (_SKIP, 0)),
            *((_SKIP, 0), (_DIL3, 2)),
        ),
        Cell.of(
            *((_MAX, 0), (_MAX, 1)),
            *((_SKIP, 2), (_MAX, 1)),
            *((_MAX, 0), (_SKIP, 2)),
            *((_SKIP, 2), (_MAX, 1)),
        ),
    ),
    # Xie et al., arXiv 1812.09926: SNAS with the mild resource constraint, CIFAR-10.
    "SNAS_mild": Genotype(
        Cell.of(
            *((_SEP3, 0), (_SEP3, 1)),
            *((_SKIP, 0), (_DIL3, 1)),
            *((_SKIP, 0), (_SKIP, 1)),
            *((_SKIP, 0), (_SEP3, 1)),
        ),
        Cell.of(
            *((_MAX, 0), (_MAX, 1)),
            *((_MAX, 1), (_SKIP, 2)),
            *((_MAX, 1), (_SKIP, 2)),
            *((_MAX, 0), (_DIL5, 2)),
        ),
    ),
    # Dong & Yang, CVPR 2019: GDAS on CIFAR-10.
    "GDAS_V1": Genotype(
        Cell.of(
            *((_SKIP, 0), (_SKIP, 1)),
            *((_SKIP, 0), (_SEP5, 2)),
            *((_SEP3, 3), (_SKIP, 0)),
            *((_SEP5, 4), (_SEP3, 3)),
        ),
        Cell.of(
            *((_SEP5, 0), (_SEP3, 1)),
            *((_SEP5, 2), (_SEP5, 1)),
            *((_DIL5, 2), (_SEP3, 1)),
            *((_SEP5, 0), (_SEP5, 1)),
        ),
    ),
    # Chen et al., arXiv 1904.12760: P-DARTS on CIFAR-10.
    "PDARTS": Genotype(
        Cell.of(
            *((_SKIP, 0), (_DIL3, 1)),
            *((_SKIP, 0), (_SEP3, 1)),
            *((_SEP3, 1), (_SEP3, 3)),
            *((_SEP3, 0), (_DIL5, 4)),
        ),
        Cell.of(
            *((_AVG, 0), (_SEP5, 1)),
            *((_SEP3, 0), (_DIL5, 2)),
            *((_MAX, 0), (_DIL3, 1)),
            *((_DIL3, 1), (_DIL5, 3)),
        ),
    ),
    # Xu et al., arXiv 1907.05737: PC-DARTS on CIFAR-10, and on ImageNet.
    "PC_DARTS_cifar": Genotype(
        Cell.of(
            *((_SEP3, 1), (_SKIP, 0)),
            *((_SEP3, 0), (_DIL3, 1)),
            *((_SEP5, 0), (_SEP3, 1)),
            *((_AVG, 0), (_DIL3, 1)),
        ),
        Cell.of(
            *((_SEP5, 1), (_MAX, 0)),
            *((_SEP5, 1), (_SEP5, 2)),
            *((_SEP3, 0), (_SEP3, 3)),
            *((_SEP3, 1), (_SEP3, 2)),
        ),
    ),
    "PC_DARTS_image": Genotype(
        Cell.of(
            *((_SKIP, 1), (_SEP3, 0)),
            *((_SEP3, 0), (_SKIP, 1)),
            *((_SEP3, 1), (_SEP3, 3)),
            *((_SEP3, 1), (_DIL5, 4)),
        ),
        Cell.of(
            *((_SEP3, 0), (_SKIP, 1)),
            *((_DIL5, 2), (_MAX, 1)),
            *((_SEP3, 2), (_SEP3, 1)),
            *((_SEP5, 0), (_SEP3, 3)),
        ),
    ),
}
"""Genotypes by the name their authors gave them."""
