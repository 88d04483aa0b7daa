"""One-shot searches as jobs of a sweep, and the scorer that looks up what they find. Needs no PyTorch."""

from __future__ import annotations

from asha_nas.schedulers import Piece
from asha_nas.study import OneShot, Search, StudySpec, Sweep
from asha_nas.study.search import default_table
from spaces.errors import UnknownName, UserError
from trials import tables
from trials.folders import data_folder
from trials.scoring import Scorer


def pieces(spec: StudySpec) -> list[Piece]:
    """The jobs of a study of searches: one for each budget and seed.

    The highest budget comes first, so that no worker is left with a long job at the end.
    """
    problem, sweep = spec.problem, spec.scheduler
    assert isinstance(problem, Search)
    assert isinstance(sweep, Sweep)
    return [
        Piece({"seed": seed}, rung, sweep.budgets[rung])
        for rung in range(len(sweep.budgets) - 1, -1, -1)
        for seed in problem.seeds
    ]


def scorer(problem: OneShot) -> Scorer | None:
    """What scores the cells that are found; None for a search without a table.

    Opening it checks that it can score every cell of the space: call it before anything is searched.

    Raises:
        UserError: see :meth:`trials.scoring.Scorer.open`.
    """
    if problem.table is None:
        return None
    folder = str(data_folder().absolute())
    try:
        tables.find(problem.table, folder)
    except UnknownName as error:
        if problem.table != default_table(problem.space, problem.data):
            raise
        make = "table convert" if problem.data == "cifar10" else f"table build --space {problem.space}"
        first, hint = str(error).splitlines()
        raise UserError(f"{first}; make it: asha-nas {make}\n{hint}") from None
    return Scorer.open(problem.table, problem.space, problem.data, data_dir=folder, variant=problem.variant)
