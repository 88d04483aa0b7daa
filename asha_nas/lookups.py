"""Problems that are looked up: their trials, made sure of before anything runs. Needs no PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from asha_nas import searching
from asha_nas.schedulers import Config, ladder
from asha_nas.study import Curves, Lookup, StudySpec, Tune
from spaces import nasbench101, nasbench201
from spaces.errors import InvalidValue, UserError
from trials.folders import data_folder
from trials.table_lookup import TableLookup

if TYPE_CHECKING:
    from trials.curve_lookup import CurveLookup


def table_lookup(problem: Lookup) -> TableLookup:
    """What looks cells up, of a table that may be anywhere below the driver's data folder."""
    # The folder of the driver is that of all workers: their environment and working folder may be others.
    return TableLookup(problem.table, problem.space, problem.repeat, str(data_folder().absolute()))


def curve_lookup(problem: Curves) -> CurveLookup:
    """What replays curves."""
    from trials.curve_lookup import CurveLookup  # noqa: PLC0415 - imports ConfigSpace

    return CurveLookup(problem.curves, problem.task, str(data_folder().absolute()))


def checked_table(spec: StudySpec) -> TableLookup:
    """The look-ups of a study, of which none will fail for want of a figure.

    Raises:
        UserError: see :meth:`trials.table_lookup.TableLookup.check`; or a rung is no budget of the table.
    """
    assert isinstance(spec.problem, Lookup)
    trial = table_lookup(spec.problem)
    trial.check()
    for epochs in spec.scheduler.ladder:
        if epochs not in trial.budgets:
            known = ", ".join(map(str, trial.budgets))
            rule = f"table {spec.problem.table!r} has validation figures of every cell for {known} epochs"
            raise InvalidValue("epochs of a rung", epochs, rule, _such_as(trial.budgets))
    return trial


def checked_curves(spec: StudySpec) -> CurveLookup:
    """The curves of a study, long enough for it.

    Raises:
        UserError: see :meth:`trials.curve_lookup.CurveLookup.check`; or a rung lies beyond the end of the curves.
    """
    assert isinstance(spec.problem, Curves)
    trial = curve_lookup(spec.problem)
    trial.check()
    if trial.epochs < spec.scheduler.R:
        raise InvalidValue("R", spec.scheduler.R, f"the curves end at epoch {trial.epochs}", "Lower R.")
    return trial


def cell_of(problem: Lookup, config: Config) -> nasbench101.Cell | nasbench201.Cell:
    """The cell that a trial's configuration names."""
    parse = nasbench201.parse_cell if problem.space == "nasbench201" else nasbench101.parse_cell
    return parse(config["cell"])


def _such_as(budgets: Sequence[int]) -> str:
    """A remedy: r, R and η whose rungs are these budgets, if there are such."""
    r, R = budgets[0], budgets[-1]
    eta = 2 if len(budgets) == 1 else -(-budgets[1] // r)
    fits = ladder(r, R, eta) == tuple(budgets)
    return f"Let all rungs be among them{f': r = {r}, R = {R}, eta = {eta}' if fits else ''}; or train all to R = {R}."


def remarks(spec: StudySpec) -> tuple[str, ...]:
    """What a reader of the study's figures must know; empty where nothing is, or the table is not there any more."""
    try:
        if isinstance(spec.problem, Lookup):
            return table_lookup(spec.problem).remarks(spec.scheduler.ladder)
        scorer = searching.scorer(spec.problem) if isinstance(spec.problem, Tune) else None
        return () if scorer is None else scorer.remarks()
    except UserError:
        return ()
