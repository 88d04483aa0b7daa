"""A study in a line."""

from __future__ import annotations

from asha_nas.cli import search_view
from asha_nas.study import (
    AnyProblem,
    Curves,
    FullTraining,
    Lookup,
    Objective,
    PartialTraining,
    Search,
    StudySpec,
    Tabulation,
    Tune,
)


def described(spec: StudySpec) -> str:
    """What a study does, in a line."""
    problem, ladder = spec.problem, ", ".join(map(str, spec.scheduler.ladder))
    if isinstance(problem, Tabulation):
        cells = "every cell" if problem.cells is None else f"{problem.cells} cells"
        return f"a table of {cells} of {problem.space} on {problem.data}, for {ladder} epochs"
    if isinstance(problem, Search):
        seeds = f"{len(problem.seeds)} seeds" if len(problem.seeds) > 1 else f"seed {problem.seeds[0]}"
        scored = f"cells looked up in {problem.table}" if problem.table else "no table"
        return f"{search_view.title(problem)}, {seeds}, {ladder} epochs; {scored}"
    rungs = f"rungs at {ladder} epochs" if len(spec.scheduler.ladder) > 1 else f"{ladder} epochs each"
    if isinstance(problem, FullTraining):
        seeds = getattr(spec.scheduler, "configs", "")
        return f"{seeds} seeds of one architecture on {problem.data} ({_network(problem)}), {rungs}"
    return f"{spec.scheduler.kind} over {_what(problem)}, {rungs}"


def _what(problem: AnyProblem) -> str:
    """What configurations are of."""
    if isinstance(problem, Objective):
        return problem.objective
    if isinstance(problem, Lookup):
        return f"cells of {problem.space}, looked up in {problem.table}"
    if isinstance(problem, Curves):
        return f"recorded trainings of {problem.task}"
    if isinstance(problem, Tune):
        tuned = problem.config_space if isinstance(problem.config_space, str) else "hyperparameters"
        scored = f"cells looked up in {problem.table}" if problem.table else "no table"
        return f"{tuned} of {problem.optimizer} in {problem.space} on {problem.data} ({scored})"
    assert isinstance(problem, PartialTraining)  # all others are not tried one after the other
    return f"DARTS cells on {problem.data} ({_network(problem)})"


def _network(problem: PartialTraining | FullTraining) -> str:
    return f"{problem.recipe.cells} cells, {problem.recipe.channels} channels"
