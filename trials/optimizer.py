"""RMSProp as TensorFlow has it, which NAS-Bench-101 was trained with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class RMSProp(torch.optim.Optimizer):
    """Gradient descent by a running mean of squared gradients, with momentum.

    Of a gradient g with the L2 penalty's share in it, s ← ρ·s + (1 − ρ)·g², v ← μ·v + η·g / √(s + ε) and
    w ← w − v. It is not :class:`torch.optim.RMSprop`: ε stands *under* the root and s begins at 1, not 0. At
    ε = 1, as in NAS-Bench-101, that is near to momentum with a step of η / √2, far from the usual RMSProp.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float,
        *,
        momentum: float = 0.9,
        decay: float = 0.9,
        epsilon: float = 1.0,
        weight_decay: float = 0.0,
    ) -> None:
        """Optimise ``parameters``.

        Args:
            parameters: what is trained.
            learning_rate: η, > 0; a schedule sets ``param_groups[…]["lr"]``.
            momentum: μ, 0 <= μ < 1.
            decay: ρ, 0 <= ρ < 1.
            epsilon: ε, > 0.
            weight_decay: factor of the parameters in their gradient, >= 0.
        """
        settings = {"momentum": momentum, "decay": decay, "epsilon": epsilon, "weight_decay": weight_decay}
        super().__init__(parameters, {"lr": learning_rate, **settings})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if parameters:
                self._update(group, parameters)

    def _update(self, group: dict[str, Any], parameters: list[Tensor]) -> None:
        for parameter in parameters:
            if parameter not in self.state:
                self.state[parameter] = {"s": torch.ones_like(parameter), "v": torch.zeros_like(parameter)}
        squares = [self.state[parameter]["s"] for parameter in parameters]
        velocities = [self.state[parameter]["v"] for parameter in parameters]
        plain = [parameter.grad for parameter in parameters if parameter.grad is not None]
        gradients = torch._foreach_add(plain, parameters, alpha=group["weight_decay"])
        torch._foreach_mul_(squares, group["decay"])
        torch._foreach_addcmul_(squares, gradients, gradients, 1.0 - group["decay"])
        roots = torch._foreach_add(squares, group["epsilon"])
        torch._foreach_sqrt_(roots)
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_addcdiv_(velocities, gradients, roots, group["lr"])
        torch._foreach_sub_(parameters, velocities)
