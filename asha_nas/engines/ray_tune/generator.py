"""How a job becomes a Ray Tune trial, without what Tune repeats for each that is the same for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray.tune import Trainable
from ray.tune.experiment import Trial
from ray.tune.registry import get_trainable_cls
from ray.tune.search import Searcher
from ray.tune.search.search_generator import SearchGenerator


class JobGenerator(SearchGenerator):
    """Tune's own wrapper of a searcher, with a shorter way to a trial.

    For each trial Tune would fetch and unpickle the trainable from the cluster's head several times,
    run its options through a command-line parser, and copy the configuration and print it into a name. All
    trials here have one trainable and one set of options, and nobody reads their names: that was
    about a third of the time a job cost.
    """

    def __init__(self, searcher: Searcher) -> None:
        super().__init__(searcher)
        self._trial_class: type[Trial] | None = None

    def create_trial_if_possible(self, experiment_spec: Mapping[str, Any]) -> Trial | None:
        """The searcher's next job as a trial, ``None`` if there is none now or none any more."""
        trial_id: str = Trial.generate_id()  # type: ignore[no-untyped-call]
        config: Any = self.searcher.suggest(trial_id)
        if config == Searcher.FINISHED:
            self.set_finished()  # type: ignore[no-untyped-call]
            return None
        if config is None:
            return None
        self._counter += 1
        if self._trial_class is None:
            self._trial_class = _trials_of(get_trainable_cls(experiment_spec["run"]))  # type: ignore[no-untyped-call]
        return self._trial_class(
            experiment_spec["run"],
            config=config,
            trial_id=trial_id,
            experiment_tag=str(self._counter),
            storage=experiment_spec["storage"],
            placement_group_factory=experiment_spec.get("resources_per_trial"),
            checkpoint_config=experiment_spec.get("checkpoint_config"),
            stub=True,  # the trainable is known to be there
        )


def _trials_of(trainable: type[Trainable]) -> type[Trial]:
    """Trials that know their trainable. In the class, because Tune writes what is in a trial to a file."""

    class JobTrial(Trial):
        def get_trainable_cls(self) -> type[Trainable]:
            return trainable

    return JobTrial
