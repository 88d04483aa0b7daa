"""How a one-shot search runs, apart from which space, on what data and for how many epochs.

The defaults are NAS-Bench-1Shot1's on CIFAR-10 (Zela, Siems & Hutter, 2020, arXiv:2001.10422, appendix C, and its
released code), which are DARTS's (Liu et al., 2019, arXiv:1806.09055, appendix A.1) but for the batch of 96: DARTS
itself searches with 64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Final, Literal, get_type_hints

from spaces import nasbench1shot1
from spaces.errors import InvalidValue, UnknownName
from trials.ranges import check, check_word

Variant = Literal["corrected", "released"]
"""``released`` repeats what the authors' code does where a published figure depends on it."""

VARIANTS: Final[tuple[Variant, ...]] = ("corrected", "released")

SPACES: Final = (*nasbench1shot1.SPACES, "darts-cnn")
"""Spaces that can be searched; darts-cnn by random search with weight sharing only."""

EPOCHS: Final = {"cifar10": 50, "digits": 50}
"""Epochs of a search on each data set unless a study says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRecipe:
    """Settings that every one-shot optimizer has.

    Raises:
        InvalidValue: A value is of another type, or out of the range that its field names.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    channels: int = 16
    """Channels of a choice block in the first stage, 1..1024."""
    stages: int = 3
    """Stages of cells, 1..8; the map is halved and the channels double between two."""
    cells_per_stage: int = 3
    """Cells in a stage, 1..100."""
    batch_size: int = 96
    """Images in a step, 2..65536: as many for the weights as for the architecture."""
    learning_rate: float = 0.025
    """Step size of the weights in the first epoch, > 0."""
    learning_rate_min: float = 0.001
    """Step size that the cosine schedule ends in, 0 .. learning_rate."""
    momentum: float = 0.9
    """Of stochastic gradient descent on the weights, 0 <= m < 1."""
    weight_decay: float = 3e-4
    """L2 penalty on all weights, >= 0."""
    grad_clip: float = 5.0
    """Greatest Euclidean norm of the gradient of all weights together, > 0."""
    cutout_prob: float = 0.0
    """Probability 0 <= p <= 1 of cutting a square out of an image that weights learn from."""
    cutout_length: int = 16
    """Its side in pixels, >= 1."""
    crop_padding: int = 4
    """Pixels of zeros around an image before a window is cropped from it, >= 0; 0 for none."""
    flip: bool = True
    """Whether to mirror images left and right at random."""
    valid_fraction: float = 0.2
    """Share of the training set that a table's networks are validated on, 0 <= f < 1. A search never touches it."""
    search_fraction: float = 0.5
    """Share of the rest that architectures are judged on, 0 < f < 1; the other part trains the weights."""
    batch_norm_momentum: float = 0.003
    """Weight of a batch in batch normalisation's running statistics, 0 < m <= 1."""
    train_limit: int | None = None
    """Use only about this many images of the training set, >= 1, for a quick look; None for all."""
    checkpoint_minutes: float = 5.0
    """Minutes after which the next epoch's end is saved, >= 0."""
    keep_every: int | None = 10
    """Epochs between the checkpoints that are kept, >= 1; None to keep the last only."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of activations; parameters are always float32. ``bfloat16`` pays on GPUs only."""
    threads: int = 1
    """CPU threads of a trial, >= 1. Figures on a CPU may differ in the last digits with it."""

    def __post_init__(self) -> None:
        _check_types(self)
        for name in ("learning_rate", "grad_clip"):
            check(self, name, 0, above=True)
        for name, least, most in (
            ("channels", 1, 1024), ("stages", 1, 8), ("cells_per_stage", 1, 100), ("batch_size", 2, 65536),
            ("cutout_prob", 0, 1),
        ):  # fmt: skip
            check(self, name, least, most)
        if self.learning_rate < self.learning_rate_min:
            rule = f"must be at least learning_rate_min, {self.learning_rate_min:g}"
            raise InvalidValue("learning_rate", self.learning_rate, rule, "Lower that too: learning_rate_min=0.")
        for name in ("weight_decay", "learning_rate_min", "crop_padding", "checkpoint_minutes"):
            check(self, name, 0)
        for name in ("cutout_length", "threads"):
            check(self, name, 1)
        for name in ("momentum", "valid_fraction"):
            check(self, name, 0, 1, below=True)
        check(self, "search_fraction", 0, 1, above=True, below=True)
        check(self, "batch_norm_momentum", 0, 1, above=True)
        for name in ("train_limit", "keep_every"):
            if getattr(self, name) is not None:
                check(self, name, 1)
        check_word(self, "precision", "float32", "bfloat16")


@dataclass(frozen=True, slots=True, kw_only=True)
class BilevelRecipe(SearchRecipe):
    """Settings of DARTS of first and second order: two optimizers take turns on weights and architecture."""

    arch_learning_rate: float = 3e-4
    """Step size of Adam on the architecture parameters, > 0."""
    arch_weight_decay: float = 1e-3
    """L2 penalty on them, >= 0."""

    def __post_init__(self) -> None:
        SearchRecipe.__post_init__(self)
        check(self, "arch_learning_rate", 0, above=True)
        check(self, "arch_weight_decay", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GdasRecipe(BilevelRecipe):
    """Settings of GDAS (Dong & Yang, 2019, arXiv:1910.04465).

    One path is sampled, operations and edges alike, as in that paper and in Algorithm 3 of NAS-Bench-1Shot1. The code
    released with the latter mixes edges softly, as it saw gradients explode, and cools to 1 rather than to 0.1.
    """

    temperature_first: float = 10.0
    """Temperature of the Gumbel softmax in the first epoch, > 0."""
    temperature_last: float = 1.0
    """Temperature in the last epoch, > 0; it changes linearly over the epochs."""
    edges: Literal["soft", "hard"] = "hard"
    """Whether samples choose among the parents, or a Gumbel softmax mixes them all."""

    def __post_init__(self) -> None:
        BilevelRecipe.__post_init__(self)
        for name in ("temperature_first", "temperature_last"):
            check(self, name, 0, above=True)
        check_word(self, "edges", "soft", "hard")


@dataclass(frozen=True, slots=True, kw_only=True)
class PcDartsRecipe(BilevelRecipe):
    """Settings of PC-DARTS (Xu et al., 2020, arXiv:1907.05737)."""

    partial: int = 4
    """One in this many channels goes through the operations, >= 1; it divides ``channels``."""

    def __post_init__(self) -> None:
        BilevelRecipe.__post_init__(self)
        check(self, "partial", 1, self.channels)
        if self.channels % self.partial:
            raise InvalidValue("partial", self.partial, f"must divide channels = {self.channels}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnasRecipe(SearchRecipe):
    """Settings of ENAS (Pham et al., 2018, arXiv:1802.03268): a recurrent controller learns what to sample."""

    arch_learning_rate: float = 3.5e-4
    """Step size of Adam on the controller, > 0."""
    controller_hidden: int = 64
    """Units of its LSTM, 1..4096."""
    controller_steps: int = 300
    """Its updates in an epoch, >= 1."""
    controller_temperature: float = 5.0
    """What its logits are divided by, > 0."""
    controller_tanh: float = 2.5
    """What bounds them: logits are this times their hyperbolic tangent, > 0."""
    baseline_decay: float = 0.99
    """Weight of the past in the running mean of rewards that is the baseline, 0 <= d < 1."""
    entropy_weight: float = 1e-4
    """Weight of the samples' entropy in the reward, >= 0."""
    samples: int = 100
    """Architectures drawn at the end of an epoch, of which the best one is chosen, >= 1."""

    def __post_init__(self) -> None:
        SearchRecipe.__post_init__(self)
        check(self, "controller_hidden", 1, 4096)
        for name in ("arch_learning_rate", "controller_temperature", "controller_tanh"):
            check(self, name, 0, above=True)
        for name in ("controller_steps", "samples"):
            check(self, name, 1)
        check(self, "baseline_decay", 0, 1, below=True)
        check(self, "entropy_weight", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomRecipe(SearchRecipe):
    """Settings of random search with weight sharing (Li & Talwalkar, 2019, arXiv:1902.07638)."""

    batch_size: int = 64
    """Images in a step, 2..65536."""
    grad_clip: float = 0.25
    """Greatest Euclidean norm of the gradient of all weights together, > 0."""
    samples: int = 1000
    """Architectures drawn after the last epoch, >= 1."""
    samples_between: int = 100
    """Architectures drawn after every earlier epoch, >= 1."""
    sample_batches: int = 10
    """Mini-batches that each of them is judged on first, >= 1."""
    finalists: int = 5
    """The best by these, which all of the search part judges, >= 1; all of them where fewer were drawn."""

    def __post_init__(self) -> None:
        SearchRecipe.__post_init__(self)
        for name in ("samples", "samples_between", "sample_batches", "finalists"):
            check(self, name, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DartsRandomRecipe(RandomRecipe):
    """Settings of random search with weight sharing in the DARTS space, where Li & Talwalkar have it."""

    cells: int = 8
    """Cells of the super-net, 1..100; ``stages`` and ``cells_per_stage`` are for the other spaces."""
    finalists: int = 10
    """The best of each 1000, which all of the search part judges, >= 1."""
    batch_norm_momentum: float = 0.1
    """Weight of a batch in batch normalisation's running statistics, 0 < m <= 1; DARTS's."""
    valid_fraction: float = 0.0
    """Share of the training set that a search never touches, 0 <= f < 1: none, as there is no table to be fair to."""

    def __post_init__(self) -> None:
        RandomRecipe.__post_init__(self)
        check(self, "cells", 1, 100)
        for name, default in (("stages", 3), ("cells_per_stage", 3)):
            if getattr(self, name) != default:
                rule = "must be left as it is in the DARTS space, where `cells` is the number of cells"
                raise InvalidValue(name, getattr(self, name), rule)


OPTIMIZERS: Final[dict[str, type[SearchRecipe]]] = {
    "darts": BilevelRecipe,
    "darts-2nd": BilevelRecipe,
    "gdas": GdasRecipe,
    "pc-darts": PcDartsRecipe,
    "enas": EnasRecipe,
    "random-ws": RandomRecipe,
}
"""The optimizers, and what their settings are."""

_DATA: Final[dict[str, dict[str, Any]]] = {
    "cifar10": {},
    # As the table's networks on digits, so that what a search learns can carry over to them.
    "digits": {
        "channels": 8, "cells_per_stage": 1, "batch_size": 16, "cutout_length": 4, "crop_padding": 1, "flip": False,
        "valid_fraction": 0.5, "batch_norm_momentum": 0.1,
    },
}  # fmt: skip
"""What is different on a data set, for every optimizer."""

_SMALL: Final[dict[type[SearchRecipe], dict[str, Any]]] = {
    EnasRecipe: {"controller_steps": 30, "samples": 30},
    RandomRecipe: {"samples": 200, "samples_between": 20},
    # Unlike the others it has no table to be like; narrow, as the networks that `asha` trains on digits are.
    DartsRandomRecipe: {
        "samples": 200,
        "samples_between": 20,
        "cells": 3,
        "channels": 4,
        "cells_per_stage": 3,
        "valid_fraction": 0.2,
    },
}
"""What is different on digits for some: an epoch there has 23 steps, and judging should not outlast them."""


_RELEASED_TOO: Final[dict[type[SearchRecipe], dict[str, Any]]] = {
    EnasRecipe: {"samples": 1000},
    GdasRecipe: {"edges": "soft"},
}
"""And for some. The paper speaks of 100 architectures of ENAS; for GDAS see its recipe."""

NOT_FORWARDED: Final = ("cutout_prob", "grad_clip", "cutout_length", "arch_learning_rate", "arch_weight_decay")
"""Hyperparameters of CS1 to CS3 that the released code draws and then does not use."""

_RELEASED: Final[dict[str, Any]] = {"batch_norm_momentum": 0.997, "valid_fraction": 0.0}
"""What is different in the variant ``released``: TensorFlow's 0.997 taken for PyTorch's convention, and all of the
training set cut in two halves, as behind the paper's figure 2."""


def search_recipe(
    optimizer: str, data: str, space: str, given: Mapping[str, Any] | None = None, variant: str = "corrected"
) -> SearchRecipe:
    """The recipe of a search: the defaults of the data set, the optimizer and the variant, changed by what is given.

    Args:
        optimizer: A name in :data:`OPTIMIZERS`.
        data: A name in :data:`EPOCHS`.
        space: A name in :data:`SPACES`.
        given: Hyperparameters by name. ``{**dataclasses.asdict(recipe), **changes}`` changes a recipe.
        variant: A name in :data:`VARIANTS`.

    Raises:
        UnknownName: There is no such optimizer, data set, space or variant, or no optimizer has such a hyperparameter.
        InvalidValue: This optimizer cannot search the space or does not have a hyperparameter, or a value is of
            another type or out of its range.
    """
    _check_names(optimizer, data, space)
    if variant not in VARIANTS:
        raise UnknownName("variant", str(variant), VARIANTS)
    kind = DartsRandomRecipe if space == "darts-cnn" else OPTIMIZERS[optimizer]
    given = {} if given is None else given
    for name in given:
        _check_known(optimizer, kind, name)
    small = _SMALL.get(kind, {}) if data == "digits" else {}
    released = {**_RELEASED, **_RELEASED_TOO.get(kind, {})} if variant == "released" else {}
    return kind(**{**_DATA[data], **small, **released, **given})


def _check_names(optimizer: str, data: str, space: str) -> None:
    for what, name, known in (
        ("optimizer", optimizer, OPTIMIZERS),
        ("data set", data, _DATA),
        ("space", space, SPACES),
    ):
        if name not in known:
            raise UnknownName(what, str(name), known)
    if space == "darts-cnn" and optimizer != "random-ws":
        rule = f"cannot search {space}, which only random-ws can"
        raise InvalidValue("optimizer", optimizer, rule, f"{optimizer} searches {', '.join(nasbench1shot1.SPACES)}.")


def _check_known(optimizer: str, own: type[SearchRecipe], name: str) -> None:
    names = {one: {field.name for field in fields(kind)} for one, kind in {**OPTIMIZERS, optimizer: own}.items()}
    if name in names[optimizer]:
        return
    having = [one for one, its in names.items() if name in its]
    if not having:
        raise UnknownName(f"hyperparameter of {optimizer}", str(name), names[optimizer])
    verb = "has" if len(having) == 1 else "have"
    raise InvalidValue("optimizer", optimizer, f"has no hyperparameter {name}", f"{', '.join(having)} {verb} it.")


def _check_types(recipe: SearchRecipe) -> None:
    """What comes from a study file or a configuration may be anything; comparing a text with a number helps no one."""
    for name, (kinds, rule) in _types(type(recipe)).items():
        value = getattr(recipe, name)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise InvalidValue(name, value, f"must be {rule}")


def _types(kind: type[SearchRecipe]) -> dict[str, tuple[tuple[type, ...], str]]:
    hints = get_type_hints(kind)
    return {field.name: _KINDS[hints[field.name]] for field in fields(kind) if hints[field.name] in _KINDS}


_KINDS: Final[dict[Any, tuple[tuple[type, ...], str]]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    bool: ((bool,), "true or false"),
    int | None: ((int, type(None)), "a whole number or none"),
}
"""What a field may hold, by its annotation; words are checked by themselves."""
