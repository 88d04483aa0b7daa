"""The three search spaces of NAS-Bench-1Shot1, whose every cell NAS-Bench-101 has trained.

Source: Zela, Siems & Hutter, *NAS-Bench-1Shot1: Benchmarking and Dissecting One-shot Neural
Architecture Search* (arXiv 2001.10422).
"""

from spaces.nasbench1shot1.choice import Choice, choices_of, enumerate_choices, sample_choice
from spaces.nasbench1shot1.counts import count_raw, count_with_loose_ends, count_without_loose_ends
from spaces.nasbench1shot1.decoding import ONE_SHOT_OPERATIONS, decode
from spaces.nasbench1shot1.regret import best, regret, regrets
from spaces.nasbench1shot1.space import SPACES, Parents, Space, space
from spaces.nasbench1shot1.unique import count_unique, unique_cells, unique_hashes

__all__ = [
    "ONE_SHOT_OPERATIONS",
    "SPACES",
    "Choice",
    "Parents",
    "Space",
    "best",
    "choices_of",
    "count_raw",
    "count_unique",
    "count_with_loose_ends",
    "count_without_loose_ends",
    "decode",
    "enumerate_choices",
    "regret",
    "regrets",
    "sample_choice",
    "space",
    "unique_cells",
    "unique_hashes",
]
