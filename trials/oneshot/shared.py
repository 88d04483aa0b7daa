"""The shared weights: a super-net, its loss on a batch, and a step of stochastic gradient descent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trials.checkpoint import State
from trials.contract import Diverged
from trials.course import autocast, cosine
from trials.oneshot.feed import Batch
from trials.oneshot.layers import Statistics
from trials.search_recipe import SearchRecipe


class SharedWeights:
    """A super-net in training.

    A *path* is what the super-net is told to compute: a :class:`~trials.oneshot.mixture.Mixture` in the spaces of
    NAS-Bench-1Shot1, a genotype in the DARTS space.
    """

    def __init__(self, network: nn.Module, recipe: SearchRecipe, epochs: int, device: torch.device) -> None:
        self.network, self.device = network, device
        self._recipe, self._epochs = recipe, epochs
        self.parameters = list(network.parameters())
        for parameter in self.parameters:
            # Weights that a step does not use have a gradient of zero, not none: momentum and decay act on all.
            parameter.grad = torch.zeros_like(parameter)
        self.sgd = torch.optim.SGD(
            self.parameters, recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay, fused=True
        )

    def begin_epoch(self, epoch: int) -> None:
        """Set the learning rate of epoch ``epoch``, from 0; the cosine spans all epochs."""
        recipe = self._recipe
        self.sgd.param_groups[0]["lr"] = cosine(epoch, self._epochs, recipe.learning_rate, recipe.learning_rate_min)

    @property
    def learning_rate(self) -> float:
        """Of this epoch."""
        rate: float = self.sgd.param_groups[0]["lr"]
        return rate

    def forward(self, path: Any, images: Tensor, statistics: Statistics) -> Tensor:
        """Logits (batch, classes), float32 or float64."""
        with autocast(self.device, self._recipe.precision):
            logits: Tensor = self.network(images, path, statistics)
        return logits.float() if logits.dtype == torch.bfloat16 else logits

    def loss(self, path: Any, batch: Batch, statistics: Statistics = "batch") -> Tensor:
        """Mean cross-entropy of a batch, in nats."""
        return functional.cross_entropy(self.forward(path, batch.images, statistics), batch.labels)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """While it lasts no gradient is computed for the weights; that of the architecture costs a third less so."""
        for parameter in self.parameters:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in self.parameters:
                parameter.requires_grad_(True)

    def learn(self, path: Any, batch: Batch) -> Tensor:
        """One step of the weights; returns :func:`totals`. Nothing here waits for the device."""
        logits = self.forward(path, batch.images, "update")
        loss = functional.cross_entropy(logits, batch.labels)
        self.sgd.zero_grad(set_to_none=False)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.parameters, self._recipe.grad_clip)
        self.sgd.step()
        return totals(logits.detach(), batch.labels)

    def next_move(self, path: Any, batch: Batch) -> list[Tensor]:
        """What a step without clipping would take from the weights, by learning rate: g + λ·w + μ·v.

        g is the gradient of the loss, λ the weight decay, μ the momentum and v its buffer.
        """
        recipe = self._recipe
        gradient = torch.autograd.grad(self.loss(path, batch), self.parameters, allow_unused=True)
        moves = []
        for weight, own in zip(self.parameters, gradient, strict=True):
            move = recipe.weight_decay * weight.detach()
            if own is not None:
                move += own
            if (buffer := self.sgd.state[weight].get("momentum_buffer")) is not None:
                move += recipe.momentum * buffer
            moves.append(move)
        return moves

    def measure(self, next_path: Callable[[], Any], batches: Iterable[Batch], statistics: Statistics) -> Tensor:
        """Sums over batches of :func:`totals`, without learning; a new path for each batch."""
        sums = torch.zeros(3, dtype=torch.float64, device=self.device)
        with torch.inference_mode():
            for batch in batches:
                sums += totals(self.forward(next_path(), batch.images, statistics), batch.labels)
        return sums

    def state(self) -> State:
        """What later steps depend on."""
        return {"network": self.network.state_dict(), "sgd": self.sgd.state_dict()}

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`."""
        self.network.load_state_dict(state["network"])
        self.sgd.load_state_dict(state["sgd"])


def totals(logits: Tensor, labels: Tensor) -> Tensor:
    """(sum of losses, wrong answers, images) of a batch, float64 (3,), on its device."""
    loss = functional.cross_entropy(logits, labels, reduction="sum").double()
    wrong = (logits.argmax(dim=1) != labels).sum().double()
    return torch.stack((loss, wrong, torch.full_like(wrong, len(labels))))


def means(name: str, sums: Tensor, epoch: int) -> dict[str, float]:
    """Mean loss and error from :func:`totals`; this waits for the device.

    Raises:
        Diverged: the loss is not finite.
    """
    loss, wrong, images = sums.tolist()
    if not math.isfinite(loss):
        raise Diverged(f"{name}_loss is {loss} in epoch {epoch}")
    return {f"{name}_loss": loss / images, f"{name}_error": wrong / images}
