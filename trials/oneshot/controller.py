"""ENAS's controller (Pham et al., 2018, arXiv:1802.03268, section 2.2) for the spaces of NAS-Bench-1Shot1.

A recurrent network decides vertex by vertex, the parents of a block before its operation, and knows what it decided:
what goes into its next step is an embedding of the last decision. A vertex with as many parents as there are vertices
before it decides nothing.

- *Operation* of a block: logits are a linear map of the state h.
- *Parents*: vertex i has the logit ``v · tanh(W₁ aᵢ + W₂ h)``, aᵢ being the state of the network when vertex i was
  complete. A set of k parents has the sum of their logits as its own, and a softmax over all sets of k gives its
  probability. That is the distribution of k independent draws from the softmax over vertices, given that they differ:
  unlike draws one after another without replacement it knows no order, so a set's probability is a closed form.

Logits ℓ are divided by a temperature and bounded: ``c · tanh(ℓ / T)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from spaces.nasbench1shot1 import ONE_SHOT_OPERATIONS, Choice, Space
from spaces.nasbench1shot1.space import parent_sets

INITIAL_RANGE = 0.1
"""Weights start uniform between minus and plus this, as in the code released by Pham et al."""

Pick = Callable[[Tensor], Tensor]
"""Says for log-probabilities (samples, options) of a decision which option each sample takes, (samples,)."""


class Controller(nn.Module):
    """A distribution over the choices of a space. It stays on the CPU: what is run depends on what it draws.

    Args:
        space: the space.
        hidden: units of the LSTM, >= 1.
        temperature: what logits are divided by, > 0.
        tanh: what bounds them, > 0.
        seed: of the initial weights.
    """

    def __init__(
        self, space: Space, *, hidden: int = 64, temperature: float = 5.0, tanh: float = 2.5, seed: int
    ) -> None:
        super().__init__()
        self.space = space
        self._temperature, self._tanh = temperature, tanh
        # One matrix of zeros and ones, (sets, vertices before), for each vertex that chooses its parents.
        self._sets = dict(enumerate(parent_sets(space), start=1))
        self._members = {vertex: _members(sets, vertex) for vertex, sets in self._sets.items() if len(sets) > 1}
        with torch.random.fork_rng(devices=[]):  # the layers' own initialisation is not what is wanted
            self.lstm = nn.LSTMCell(hidden, hidden)
            self.of_operation = nn.Linear(hidden, len(ONE_SHOT_OPERATIONS), bias=False)
            self.of_vertex = nn.Linear(hidden, hidden, bias=False)
            self.of_state = nn.Linear(hidden, hidden, bias=False)
            self.attention = nn.Linear(hidden, 1, bias=False)
            self.embeddings = nn.Embedding(1 + len(ONE_SHOT_OPERATIONS), hidden)  # of the start of a vertex, first
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-INITIAL_RANGE, INITIAL_RANGE, generator=generator)

    def draw(self, count: int, generator: torch.Generator) -> tuple[list[Choice], Tensor]:
        """Draw choices.

        Args:
            count: how many, >= 1.
            generator: source of all randomness, on the CPU.

        Returns:
            The choices, and their log-probabilities (count,), with a gradient where that is enabled.
        """

        def drawn(log_probabilities: Tensor) -> Tensor:
            return torch.multinomial(log_probabilities.detach().exp(), 1, generator=generator)[:, 0]

        picks, log_probabilities = self._decide(count, drawn)
        return [self._choice(row) for row in torch.stack(picks, dim=1).tolist()], log_probabilities

    def log_probability(self, choices: Sequence[Choice]) -> Tensor:
        """Log-probabilities of given choices, (choices,)."""
        columns = iter(torch.tensor([self._picks(choice) for choice in choices]).T)
        return self._decide(len(choices), lambda _: next(columns))[1]

    def _decide(self, count: int, pick: Pick) -> tuple[list[Tensor], Tensor]:
        """Take all decisions, for ``count`` samples at a time; returns what was picked, and its log-probability."""
        picks: list[Tensor] = []
        total = self.embeddings.weight.new_zeros(count)
        start = self.embeddings.weight[:1].expand(count, -1)
        state = self.lstm(start)
        vertices = [state[0]]
        for vertex in self._sets:
            x = start
            if vertex in self._members:
                state = self.lstm(x, state)
                members = self._members[vertex].to(x.dtype)
                known = torch.stack(vertices, dim=1)  # (samples, vertices, hidden)
                taken, gained = _taken(self._bounded(self._vertex_logits(known, state[0])) @ members.T, pick)
                picks, total = [*picks, taken], total + gained
                of_set = members[taken] / members[0].sum()
                x = torch.einsum("sv,svh->sh", of_set, known)
            if vertex <= self.space.blocks:
                state = self.lstm(x, state)
                taken, gained = _taken(self._bounded(self.of_operation(state[0])), pick)
                picks, total = [*picks, taken], total + gained
                state = self.lstm(self.embeddings(1 + taken), state)
                vertices.append(state[0])
        return picks, total

    def _vertex_logits(self, known: Tensor, h: Tensor) -> Tensor:
        logits: Tensor = self.attention(torch.tanh(self.of_vertex(known) + self.of_state(h)[:, None]))[..., 0]
        return logits

    def _bounded(self, logits: Tensor) -> Tensor:
        return self._tanh * torch.tanh(logits / self._temperature)

    def _choice(self, picks: list[int]) -> Choice:
        """The choice that was picked; of a vertex first the parents, if it chooses them, then the operation."""
        left = iter(picks)
        operations, parents = [], []
        for vertex, sets in self._sets.items():
            parents.append(sets[next(left) if vertex in self._members else 0])
            if vertex <= self.space.blocks:
                operations.append(ONE_SHOT_OPERATIONS[next(left)])
        *inner, output = parents
        return Choice(tuple(operations), tuple(inner), output)

    def _picks(self, choice: Choice) -> list[int]:
        """Undo :meth:`_choice`."""
        picks = []
        for (vertex, sets), parents in zip(self._sets.items(), (*choice.parents, choice.output), strict=True):
            if vertex in self._members:
                picks.append(sets.index(parents))
            if vertex <= self.space.blocks:
                picks.append(ONE_SHOT_OPERATIONS.index(choice.operations[vertex - 1]))
        return picks


def _members(sets: Sequence[tuple[int, ...]], vertices: int) -> Tensor:
    return torch.tensor([[float(vertex in each) for vertex in range(vertices)] for each in sets])


def _taken(logits: Tensor, pick: Pick) -> tuple[Tensor, Tensor]:
    """What is picked of (samples, options), and its log-probability; (samples,) both."""
    log_probabilities = torch.log_softmax(logits, dim=1)
    taken = pick(log_probabilities)
    return taken, log_probabilities.gather(1, taken[:, None])[:, 0]
