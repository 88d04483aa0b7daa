"""What a study is: its problem, its scheduler and where it runs, as one validated value.

A TOML file, the command line and Python all make the same :class:`StudySpec`.
"""

from asha_nas.study.lookup import Curves, Lookup
from asha_nas.study.problem import FullTraining, Objective, PartialTraining, Tabulation
from asha_nas.study.reading import make_spec, read_spec
from asha_nas.study.scheduling import Asha, Random, Sweep
from asha_nas.study.search import Search
from asha_nas.study.spec import Retries, StudySpec, Workers

__all__ = [
    "Asha", "Curves", "FullTraining", "Lookup", "Objective", "PartialTraining", "Random", "Retries", "Search",
    "StudySpec", "Sweep", "Tabulation", "Workers", "make_spec", "read_spec",
]  # fmt: skip
