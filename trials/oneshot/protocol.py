"""What a one-shot optimizer is to a search."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from trials.checkpoint import State
from trials.oneshot.feed import Batch, Feed
from trials.oneshot.layers import Statistics
from trials.oneshot.shared import SharedWeights


class Optimizer(Protocol):
    """Decides which paths of a super-net are trained, and which architecture they lead to.

    A search calls, for each epoch, :meth:`begin_epoch`; :meth:`step` for each batch; :meth:`end_epoch`; then
    :meth:`evaluated` for each batch of the search part, :meth:`choose`, and :meth:`plain`. An optimizer owns its
    parameters and its randomness; the super-net, the images and the step of the weights belong to the search.
    """

    statistics: Statistics
    """Of batch normalisation, when the super-net is measured: ``running`` where one path is trained all the time,
    ``batch`` where paths change, which remembered statistics do not fit (Yu et al., 2020, section 4)."""

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Bring schedules to epoch ``epoch`` of ``epochs``, from 0."""
        ...

    def step(self, shared: SharedWeights, train: Batch, feed: Feed) -> Tensor:
        """One step of the weights on ``train`` and, if there is one, one of the architecture.

        Returns:
            What :meth:`SharedWeights.learn` does.
        """
        ...

    def end_epoch(self, shared: SharedWeights, feed: Feed) -> None:
        """What is learnt once an epoch, after the weights."""
        ...

    def evaluated(self) -> Any:
        """The path that a batch is measured with: what the super-net would be at work."""
        ...

    def choose(self, shared: SharedWeights, feed: Feed, *, last: bool) -> Any:
        """The architecture that the search would end with now: a choice, or a genotype.

        Args:
            shared: the weights.
            feed: the images.
            last: whether this is the end, when one may take more time.
        """
        ...

    def plain(self) -> dict[str, Any]:
        """The architecture parameters as plain JSON values; empty if there are none."""
        ...

    def state(self) -> State:
        """What later epochs depend on."""
        ...

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`."""
        ...
