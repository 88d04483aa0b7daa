"""Does what a study found for a one-shot optimizer hold elsewhere? Table 2 of NAS-Bench-1Shot1 (Zela et al., 2020).

The best configuration of a study that tunes one-shot searches, and the configuration it started from, are run on other
spaces with several seeds. Each is an ordinary study of searches, so that what was stopped is gone on with.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asha_nas.analysis import History, JobRecord
from asha_nas.analysis.lines import facts
from asha_nas.analysis.search import REGRET, Spread, curves, spread
from asha_nas.analysis.stored import stored_history, stored_spec
from asha_nas.errors import InvalidValue, NoResult, UnknownName, UserError
from asha_nas.store import Store
from asha_nas.study import Search, StudySpec, Tune, make_spec
from asha_nas.study.search import default_table
from spaces.nasbench1shot1 import SPACES
from trials.search_recipe import NOT_FORWARDED

DEFAULT, TRANSFERRED = "default", "transferred"
"""The two configurations."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What a study found."""

    study: StudySpec
    """The study; its problem is a :class:`Tune`."""
    trial: int
    config: Mapping[str, Any]
    """Hyperparameters of the recipe, by name."""
    epochs: int
    """Search epochs that it was best at."""

    @property
    def is_default(self) -> bool:
        """Whether it changes nothing of the recipe."""
        assert isinstance(self.study.problem, Tune)
        recipe = dataclasses.asdict(self.study.problem.recipe)
        return all(recipe.get(key) == value for key, value in _forwarded(self.study.problem, self.config).items())


@dataclass(frozen=True, slots=True)
class Part:
    """One study of a transfer: one configuration on one space."""

    space: str
    configuration: str
    """:data:`DEFAULT` or :data:`TRANSFERRED`."""
    spec: StudySpec
    history: History | None
    """Of the study of that name and spec, if there is one already."""

    @property
    def state(self) -> str:
        """``new``, ``begun`` or ``done``."""
        if self.history is None:
            return "new"
        return "done" if self.history.state == "done" else "begun"


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a part."""

    space: str
    configuration: str
    study: str
    regrets: tuple[float, ...]
    """Test regret of the cell that each search ended with, a share of images, in the order of the seeds; searches that
    diverged have none."""
    regret: Spread | None
    """Mean and standard deviation of these; None if there is none."""


def tuned(history: History, budget: int | None = None) -> Tuned:
    """The best configuration that a study found.

    Args:
        history: of the study.
        budget: search epochs; the best of those that were searched for so long. By default the best of all.

    Raises:
        InvalidValue: the study does not tune searches whose cells a table scores.
        NoResult: nothing has finished yet, or nothing at this budget.
    """
    spec = history.spec
    problem = spec.problem
    if not isinstance(problem, Tune):
        rule = "tunes no one-shot optimizer"
        raise InvalidValue("STUDY", spec.name, rule, "Name a study whose problem is of the kind tune.")
    if problem.table is None:
        raise InvalidValue("STUDY", spec.name, f"searches {problem.space}, which has no table to tell the regret")
    job = _best(history, budget)
    return Tuned(spec, job.trial, history.trial(job.trial).config, job.stop)


def _best(history: History, budget: int | None) -> JobRecord:
    if budget is None:
        return history.best
    done = [job for job in history.jobs.values() if job.loss is not None]
    at_budget = [job for job in done if job.stop == budget]
    if not at_budget:
        known = ", ".join(map(str, sorted({job.stop for job in done}))) or "none yet"
        name = history.name
        raise NoResult(f"study {name!r} has no result at {budget} epochs\nThere are results at: {known}.")
    return min(at_budget, key=lambda job: (job.loss, job.trial))


def plan(
    found: Tuned,
    to: Sequence[str],
    store: Store,
    *,
    seeds: Sequence[int],
    epochs: int | None = None,
    workers: int | None = None,
    name: str | None = None,
) -> list[Part]:
    """The studies of a transfer: on each space the default configuration, then the transferred one.

    Args:
        found: what is transferred.
        to: spaces; the one that it was tuned on may be among them.
        store: where the studies are, or will be.
        seeds: of the searches; one for each.
        epochs: of each search; by default those that it was best at.
        workers: jobs at a time, instead of as many as the tuning had.
        name: what the names of the studies begin with; ``STUDY-transfer`` by default.

    Raises:
        UnknownName: there is no such space.
        UserError: a study of that name is there already and is another one.
    """
    for space in to:
        if space not in SPACES:
            raise UnknownName("space", space, SPACES)
    if len(set(to)) < len(to) or not to:
        raise InvalidValue("--to", ",".join(to), "must be one or more different spaces")
    stem = name or f"{found.study.name}-transfer"
    parts = []
    for space in to:
        for configuration, ending in ((DEFAULT, "-default"), (TRANSFERRED, "")):
            config = found.config if configuration == TRANSFERRED else {}
            spec = _spec(found, f"{stem}-{space}{ending}", space, config, seeds, epochs or found.epochs, workers)
            history = _existing(spec, store)
            parts.append(Part(space, configuration, spec, history))
    return parts


def _spec(
    found: Tuned,
    name: str,
    space: str,
    config: Mapping[str, Any],
    seeds: Sequence[int],
    epochs: int,
    workers: int | None,
) -> StudySpec:
    study, problem = found.study, found.study.problem
    assert isinstance(problem, Tune)
    engine = study.engine.model_dump()
    return make_spec(
        {
            "name": name, "seed": study.seed, "checkpoints": study.checkpoints, "retries": study.retries.model_dump(),
            "keep": study.keep, "quota": study.quota,
            "engine": engine if workers is None else {**engine, "workers": workers},
            "scheduler": {"kind": "sweep", "budgets": [epochs]},
            "problem": {
                "kind": "search", "optimizer": problem.optimizer, "space": space, "data": problem.data,
                "variant": problem.variant, "table": _table(problem, space), "seeds": list(seeds),
                "recipe": {**dataclasses.asdict(problem.recipe), **_forwarded(problem, config)},
            },
        }
    )  # fmt: skip


def _forwarded(problem: Tune, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the tuned searches made of a configuration: the released code forwards only a part of it."""
    left_out = NOT_FORWARDED if problem.variant == "released" else ()
    return {key: value for key, value in config.items() if key != "seed" and key not in left_out}


def _table(problem: Tune, space: str) -> str | None:
    """The table of another space: the usual one where the study had the usual one, else the study's own."""
    usual = problem.table == default_table(problem.space, problem.data)
    return default_table(space, problem.data) if usual else problem.table


def _existing(spec: StudySpec, store: Store) -> History | None:
    """The history of the study of that name, if it is there already."""
    record = store.mine(spec.name)
    if record is None:
        return None
    there = stored_spec(spec.name, record.spec)
    ours, theirs = facts(spec), facts(there)
    for key in {**ours, **theirs}:
        if ours.get(key) != theirs.get(key):
            raise UserError(
                f"study {spec.name!r} is there already, with {key} = {theirs.get(key)!r} instead of {ours.get(key)!r}\n"
                "Ask for the same again to go on with it, or give the new ones another --name."
            )
    return stored_history(record, there, store)


def outcome(part: Part, history: History) -> Found:
    """What came of a part.

    Args:
        part: of a plan.
        history: of its study, as far as it is by now.
    """
    assert isinstance(part.spec.problem, Search)
    by_seed = {one.seed: one.last(REGRET) for one in curves(history) if one.state == "done"}
    regrets = tuple(by_seed[seed] for seed in part.spec.problem.seeds if seed in by_seed)
    return Found(part.space, part.configuration, part.spec.name, regrets, spread(regrets))
