"""Brackets: how many configurations begin at which rung, and how many of them go on. Integers throughout."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bracket:
    """One run of successive halving."""

    rung: int
    """Rung of its first stage, from 0; each stage is one rung higher."""
    sizes: tuple[int, ...]
    """Jobs of each stage, none 0: so many configurations begin, and so many go on."""


def hyperband(rungs: int, eta: int) -> tuple[Bracket, ...]:
    """The brackets of Hyperband, that which begins lowest first.

    With s halvings before it, the highest of ``rungs`` is reached by ⌊rungs/(s + 1)⌋·ηˢ configurations that begin s
    rungs below: Table 1 of Li et al. (2018, arXiv:1603.06560), and what Falkner et al. (2018, arXiv:1807.01774) use.

    >>> [bracket.sizes for bracket in hyperband(3, 2)]
    [(4, 2, 1), (2, 1), (3,)]
    """
    return tuple(halving(rungs // (s + 1) * eta**s, rungs, eta, rungs - 1 - s) for s in reversed(range(rungs)))


def halving(configs: int, rungs: int, eta: int, rung: int = 0) -> Bracket:
    """A bracket of ``configs`` configurations that begin at ``rung``; ⌊n/η⌋ of n go on, to the highest rung at most.

    >>> halving(10, 4, 3).sizes
    (10, 3, 1)
    """
    sizes = [configs]
    while len(sizes) < rungs - rung and sizes[-1] // eta:
        sizes.append(sizes[-1] // eta)
    return Bracket(rung, tuple(sizes))
