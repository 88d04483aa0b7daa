"""Rungs: at how many epochs trials are compared, and how many of them reach each rung."""

from __future__ import annotations

from spaces.errors import InvalidValue, UnknownName

LADDERS = ("geometric", "released")


def geometric(r: int, R: int, eta: int) -> tuple[int, ...]:
    """Rungs r·ηᵏ below R, then R itself (Li et al., arXiv 1810.05834), in integers.

    >>> geometric(1, 300, 4)
    (1, 4, 16, 64, 256, 300)
    """
    rungs = []
    epochs = r
    while epochs < R:
        rungs.append(epochs)
        epochs *= eta
    return (*rungs, R)


def released(r: int, R: int, eta: int) -> tuple[int, ...]:
    """R divided down by η and rounded down, not below r, as in the code Li & Talwalkar released.

    >>> released(1, 300, 4)
    (1, 4, 18, 75, 300)
    """
    rungs = [R]
    while rungs[-1] // eta >= r:
        rungs.append(rungs[-1] // eta)
    return tuple(reversed(rungs))


def ladder(r: int, R: int, eta: int, kind: str = "geometric") -> tuple[int, ...]:
    """The epochs of each rung, strictly ascending, the last one R.

    Raises:
        InvalidValue: not 1 <= r <= R, or η < 2.
        UnknownName: ``kind`` is not one of ``LADDERS``.
    """
    if r < 1:
        raise InvalidValue("r", r, "the lowest rung must train at least 1 epoch", "Set r = 1 or more.")
    if r > R:
        raise InvalidValue("r", r, f"must not exceed R = {R}", "Lower r or raise R.")
    if eta < 2:
        raise InvalidValue("eta", eta, "the reduction factor must be an integer >= 2", "The papers use 3 or 4.")
    if kind not in LADDERS:
        raise UnknownName("ladder", kind, LADDERS)
    return (geometric if kind == "geometric" else released)(r, R, eta)


def survivors(configs: int, rungs: int, eta: int) -> tuple[int, ...]:
    """How many trials reach each rung when ``configs`` start and none fails: ⌊n/η⌋ go up from n.

    >>> survivors(700, 6, 4)
    (700, 175, 43, 10, 2, 0)
    """
    counts = [configs]
    for _ in range(rungs - 1):
        counts.append(counts[-1] // eta)
    return tuple(counts)
