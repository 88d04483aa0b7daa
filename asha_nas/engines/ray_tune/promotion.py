"""Promotion ASHA for users of Ray Tune who keep their own ``Tuner`` and trainable.

Use it so::

    searcher = PromotionASHA(space, metric="loss", R=81, eta=3, configs=100)
    tune_config = tune.TuneConfig(search_alg=searcher, num_samples=-1, reuse_actors=True)
    results = tune.Tuner(trainable, tune_config=tune_config).fit()

The trainable asks :func:`job` what to do: train from ``start`` to ``stop`` epochs and, to go on
where the trial's earlier job stopped, keep its state in ``folder``. After a crash ``folder`` may hold more
epochs than ``start``; go on from what is there. On a cluster of several nodes give the searcher a
``folder`` that all of them share: a later job of a trial may run on another node. A trainable that is
a class needs, for Tune, a ``save_checkpoint`` (which may return ``{}``) and, to reuse actors, a
``reset_config`` that returns True.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ConfigSpace import ConfigurationSpace
from ray.tune.search import Searcher

from asha_nas.samplers import Independent
from asha_nas.schedulers import ASHA, DONE, PROMOTIONS, Answer, Job, Outcome, ladder
from spaces import hyperparameters
from spaces.errors import InvalidValue, UnknownName

JOB_KEY = "asha_nas_job"
"""Key in a Ray Tune trial's config under which our part lies."""


@dataclass(frozen=True, slots=True)
class TuneJob:
    """What a user's trainable is to do."""

    trial: int
    """Number of the trial; the same in each of its jobs."""
    rung: int
    """Rung this job reaches, from 0."""
    start: int
    """Epochs trained before."""
    stop: int
    """Epochs to reach; report the metric of this epoch last."""
    folder: Path
    """The trial's own folder (existing), for the state that its next job goes on from."""


def job(config: Mapping[str, Any]) -> TuneJob:
    """What to do, from the config that Ray Tune hands to a trainable. Makes the trial's folder."""
    values = dict(config[JOB_KEY])
    folder = Path(values.pop("folder"))
    folder.mkdir(parents=True, exist_ok=True)
    return TuneJob(folder=folder, **values)


class PromotionASHA(Searcher):
    """Promotion-type ASHA as a Ray Tune search algorithm.

    Unlike Tune's own ``ASHAScheduler``, which stops trials, this pauses each at its rung and trains the
    best on later; and it keeps its rungs over ``Tuner.restore``, by replay.

    Give it to ``TuneConfig(search_alg=…, num_samples=-1)`` without a Tune scheduler, and no
    ``param_space``: configurations come from ``space``. Each Ray Tune trial is one job; see :func:`job`.
    """

    def __init__(
        self,
        space: ConfigurationSpace | Mapping[str, Any],
        metric: str,
        mode: str = "min",
        *,
        configs: int,
        r: int = 1,
        R: int = 300,
        eta: int = 4,
        rungs: str = "geometric",
        promotion: str = "capped",
        seed: int = 0,
        max_concurrent: int | None = None,
        folder: str | None = None,
    ) -> None:
        """Start an empty study.

        Args:
            space: hyperparameters, as a ConfigSpace or in :func:`spaces.hyperparameters.from_plain`'s short form.
            metric: name of the reported value to compare trials by.
            mode: ``min`` or ``max``.
            configs: configurations to start, >= 1.
            r: epochs of the lowest rung.
            R: epochs of full training.
            eta: reduction factor, >= 2.
            rungs: ``geometric`` or ``released``.
            promotion: ``capped`` or ``eager``; see :mod:`asha_nas.schedulers.asha`.
            seed: of the configurations.
            max_concurrent: jobs at a time; by default as many as Tune finds room for.
            folder: where trials keep their state. By default a new temporary folder, which serves one machine only:
                on several nodes it must be a folder that all of them share.

        Raises:
            InvalidValue: a number breaks its rule.
            UnknownName: there are no such rungs, or no such promotion.
        """
        if mode not in ("min", "max"):
            raise InvalidValue("mode", mode, "must be 'min' or 'max'")
        if configs < 1:
            raise InvalidValue("configs", configs, "must be at least 1")
        if promotion not in PROMOTIONS:
            raise UnknownName("promotion", promotion, PROMOTIONS)
        if max_concurrent is not None and max_concurrent < 1:
            raise InvalidValue("max_concurrent", max_concurrent, "must be at least 1", "Leave it out for no bound.")
        super().__init__(metric=metric, mode=mode)
        self._space = space if isinstance(space, ConfigurationSpace) else hyperparameters.from_plain(space)
        self._folder = Path(folder or tempfile.mkdtemp(prefix="asha-nas-")).expanduser().absolute()
        self._max_concurrent = max_concurrent
        self._arguments = {
            "r": r, "R": R, "eta": eta, "rungs": rungs, "configs": configs, "promotion": promotion, "seed": seed,
            "metric": metric, "mode": mode,
        }  # fmt: skip
        self._scheduler = ASHA(
            Independent(lambda rng: hyperparameters.sample(self._space, rng), seed),
            rungs=ladder(r, R, eta, rungs), eta=eta, configs=configs, promotion=promotion,
        )  # fmt: skip
        self._in_flight: dict[str, Job] = {}
        self._log: list[tuple[str, float | None, bool] | str] = []  # trial ids asked; (id, loss, diverged) told

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """The next job: the configuration, and our part under :data:`JOB_KEY`."""
        if self._max_concurrent is not None and len(self._in_flight) >= self._max_concurrent:
            return None
        answer = self._scheduler.ask()
        if isinstance(answer, Answer):
            return cast("dict[str, Any]", Searcher.FINISHED) if answer is DONE else None
        self._log.append(trial_id)
        self._in_flight[trial_id] = answer
        ours = {
            "trial": answer.trial, "rung": answer.rung, "start": answer.start, "stop": answer.stop,
            "folder": str(self._folder / f"trial-{answer.trial:05d}"),
        }  # fmt: skip
        return {**answer.config, JOB_KEY: ours}

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        """Record the job's last result; an errored job gives none, nor does a metric that is no number."""
        if trial_id not in self._in_flight:
            return
        value = None if error or result is None else _number(result.get(self.metric))
        diverged = value is not None and not math.isfinite(value)
        loss = None if value is None or diverged else -value if self.mode == "max" else value
        self._log.append((trial_id, loss, diverged))
        self._scheduler.tell(self._in_flight.pop(trial_id), Outcome(loss, diverged=diverged))

    def save(self, checkpoint_path: str) -> None:
        """Write the arguments, and the log of asks and tells, as JSON."""
        state = {"folder": str(self._folder), "arguments": self._arguments, "log": self._log}
        Path(checkpoint_path).write_text(json.dumps(state), encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Replay a saved log through this searcher, which must be new and made with the same arguments.

        Raises:
            InvalidValue: an argument that decisions depend on is another one; nothing was restored.
        """
        state = json.loads(Path(checkpoint_path).read_text(encoding="utf-8"))
        for name, saved in state["arguments"].items():
            if self._arguments[name] != saved:
                rule = f"must be {saved!r}, as in the searcher that was saved in {checkpoint_path}"
                raise InvalidValue(name, self._arguments[name], rule)
        self._folder = Path(state["folder"])
        self._max_concurrent, bound = None, self._max_concurrent
        for entry in state["log"]:
            if isinstance(entry, str):
                self.suggest(entry)
            else:
                trial_id, loss, diverged = entry
                self._log.append((trial_id, loss, diverged))
                self._scheduler.tell(self._in_flight.pop(trial_id), Outcome(loss, diverged=diverged))
        self._max_concurrent = bound


def _number(value: Any) -> float | None:
    """A reported value as a number (a tensor of one element is one); ``None`` if it is none."""
    if value is None or isinstance(value, str | bytes):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        return None
