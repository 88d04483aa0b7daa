"""What is decided: the schedulers a study can have, and what bounds it."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from asha_nas.schedulers import Bracket, halving, hyperband, ladder
from asha_nas.study.part import Part
from spaces.errors import InvalidValue


class _Limits(Part):
    max_epochs: int | None = Field(default=None, ge=1)
    """Epochs to hand out in all."""
    max_hours: float | None = Field(default=None, gt=0)
    """Hours a study may run, over all its sessions; jobs in flight at that time are finished."""


class _Bounds(_Limits):
    configs: int | None = Field(default=None, ge=1)
    """Configurations to start."""

    @model_validator(mode="after")
    def _bounded(self) -> _Bounds:
        if self.configs is None and self.max_epochs is None and self.max_hours is None:
            raise ValueError("a study must end: give configs, max_epochs or max_hours")
        return self


class _Ladder(Part):
    r: int = 1
    """Epochs of the lowest rung."""
    R: int = 300
    """Epochs of full training."""
    eta: int = 4
    """Reduction factor η: about one in η goes up."""
    rungs: Literal["geometric", "released"] = "geometric"
    """r·ηᵏ capped by R, or R divided down by η."""

    @model_validator(mode="after")
    def _sound_ladder(self) -> _Ladder:
        ladder(self.r, self.R, self.eta, self.rungs)
        return self

    @property
    def ladder(self) -> tuple[int, ...]:
        """Epochs of each rung, ascending."""
        return ladder(self.r, self.R, self.eta, self.rungs)


class Model(Part):
    """BOHB's model of which configurations are good (Falkner et al., 2018, arXiv:1807.01774); see there."""

    sampler: Literal["kde", "hpbandster"] = "kde"
    """Our kernel densities, or HpBandSter's own generator."""
    top_n_percent: int = Field(default=15, ge=1, le=99)
    """Per cent of the results that count as good."""
    samples: int = Field(default=64, ge=1)
    """Candidates of which the most promising one is proposed."""
    random_fraction: float = Field(default=1 / 3, ge=0, le=1)
    """Probability of a random configuration instead."""
    bandwidth_factor: float = Field(default=3.0, gt=0)
    """What widens the bandwidths that candidates are drawn with."""
    min_bandwidth: float = Field(default=1e-3, gt=0, le=1)
    """Least bandwidth, in units of the range of a hyperparameter."""
    min_points: int | None = Field(default=None, ge=2)
    """Results that a budget needs before it has a model; by default, and at least, hyperparameters + 1 good ones."""
    default_first: bool = True
    """Whether the space's default configuration is tried first, if it has one."""


# --- asynchronous: promotions whenever a worker is free ----------------------------------------------------


class Promoting(_Ladder, _Bounds):
    """What promotes trials one by one; see :mod:`asha_nas.schedulers.asha`."""

    promotion: Literal["capped", "eager"] = "capped"
    """See :mod:`asha_nas.schedulers.asha`."""

    @property
    def first_rungs(self) -> int:
        """Brackets: how many of the rungs a trial may begin at."""
        return 1


class Asha(Promoting):
    """Promotion-type ASHA. Defaults are Li & Talwalkar's (r = 1, R = 300, η = 4)."""

    kind: Literal["asha"] = "asha"


class _Bracketed(Promoting):
    brackets: Annotated[int, Field(ge=1)] | Literal["all"] = "all"
    """How many of the rungs trials may begin at, from the lowest."""

    @model_validator(mode="after")
    def _fitting_brackets(self) -> _Bracketed:
        most = len(self.ladder)
        if self.brackets != "all" and self.brackets > most:
            raise InvalidValue("brackets", self.brackets, f"must be at most {most}, the number of rungs")
        return self

    @property
    def first_rungs(self) -> int:
        """Brackets: how many of the rungs a trial may begin at."""
        return len(self.ladder) if self.brackets == "all" else self.brackets


class AsyncHyperband(_Bracketed):
    """Asynchronous Hyperband: a bracket of ASHA from each rung on, with equal shares of the epochs."""

    kind: Literal["async-hyperband"] = "async-hyperband"


class AsyncBohb(_Bracketed, Model):
    """Asynchronous BOHB: ASHA, or asynchronous Hyperband, of configurations that a model proposes."""

    kind: Literal["async-bohb"] = "async-bohb"
    brackets: Annotated[int, Field(ge=1)] | Literal["all"] = 1
    """How many of the rungs trials may begin at, from the lowest."""


# --- synchronous: whole stages of brackets -------------------------------------------------------------


class Halving(_Ladder, _Limits):
    """What halves brackets stage by stage; see :mod:`asha_nas.schedulers.synchronous`."""

    eta: int = 3
    """Reduction factor η: one in η goes on."""
    rungs: Literal["geometric", "released"] = "released"
    """R divided down by η, not below r; or r·ηᵏ capped by R."""
    iterations: int | None = Field(default=None, ge=1)
    """Brackets to run; by default each one once."""

    @property
    def brackets(self) -> tuple[Bracket, ...]:
        """What is run in turn."""
        return hyperband(len(self.ladder), self.eta)

    @property
    def runs(self) -> int:
        """Brackets to run."""
        return len(self.brackets) if self.iterations is None else self.iterations


class SuccessiveHalving(Halving):
    """Synchronous successive halving: one bracket, or the same one several times."""

    kind: Literal["successive-halving"] = "successive-halving"
    configs: int = Field(default=27, ge=1)
    """Configurations that a bracket begins with, at the lowest rung."""

    @property
    def brackets(self) -> tuple[Bracket, ...]:
        """The one bracket."""
        return (halving(self.configs, len(self.ladder), self.eta),)


class Hyperband(Halving):
    """Hyperband (Li et al., 2018, arXiv:1603.06560)."""

    kind: Literal["hyperband"] = "hyperband"


class Bohb(Halving, Model):
    """BOHB: Hyperband of configurations that a model proposes."""

    kind: Literal["bohb"] = "bohb"


# --- one rung: every configuration is trained to R ------------------------------------------------------------


class Full(_Bounds):
    """What trains every configuration to R."""

    R: int = Field(default=300, ge=1)
    """Epochs of full training."""

    @property
    def ladder(self) -> tuple[int, ...]:
        """One rung, at R."""
        return (self.R,)


class Random(Full):
    """Random search."""

    kind: Literal["random"] = "random"


class Evolution(Full):
    """Regularized evolution (Real et al., 2019, arXiv:1802.01548); see :mod:`asha_nas.samplers.evolution`."""

    kind: Literal["evolution"] = "evolution"
    population: int = Field(default=100, ge=1)
    """Configurations that are alive; so many are drawn at random first."""
    sample: int = Field(default=10, ge=1)
    """Of how many drawn ones the best becomes a parent."""

    @model_validator(mode="after")
    def _fitting_sample(self) -> Evolution:
        if self.sample > self.population:
            rule = f"must be at most population = {self.population}"
            raise InvalidValue("sample", self.sample, rule, "Lower it, or raise the population.")
        return self


class Reinforce(Full):
    """REINFORCE as in NAS-Bench-101 (Ying et al., 2019, arXiv:1902.09635); see :mod:`asha_nas.samplers.reinforce`."""

    kind: Literal["reinforce"] = "reinforce"
    learning_rate: float = Field(default=0.1, gt=0)
    """Step size on the logits of the policy."""
    baseline_decay: float = Field(default=0.9, ge=0, lt=1)
    """Weight of the past in the running mean of rewards that is the baseline."""


class Tpe(Full):
    """Tree-structured Parzen estimators, through Optuna (extra ``tpe``)."""

    kind: Literal["tpe"] = "tpe"
    startup: int = Field(default=10, ge=1)
    """Results before the model is used; until then configurations are drawn at random."""


class Smac(Full):
    """Random forests and expected improvement, through SMAC3 (extra ``smac``)."""

    kind: Literal["smac"] = "smac"
    startup: int = Field(default=10, ge=1)
    """Results before the model is used; until then configurations are drawn at random."""


# --- no choice: a list -------------------------------------------------------------------------------------


class Sweep(Part):
    """Every cell of a table, or one search, at every budget as often as there are repeats; nothing is left out."""

    kind: Literal["sweep"] = "sweep"
    budgets: tuple[int, ...] = (1, 2, 4)
    """Epochs, ascending; each is a training, or a search, of its own from scratch. For a search by default those of
    its data set (:data:`trials.search_recipe.EPOCHS`)."""
    repeats: int = Field(default=3, ge=1)
    """Trainings of each cell at each budget, with different seeds; for a search the number of its seeds, which is
    filled in."""
    max_hours: float | None = Field(default=None, gt=0)
    """Hours a study may run, over all its sessions; jobs in flight at that time are finished."""

    @field_validator("budgets")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or value[0] < 1 or any(low >= high for low, high in pairwise(value)):
            raise ValueError("must be one or more numbers of epochs, from 1 on, ascending")
        return value

    @property
    def ladder(self) -> tuple[int, ...]:
        """The budgets."""
        return self.budgets

    @property
    def R(self) -> int:  # noqa: N802 - as the others call it
        """The highest budget."""
        return self.budgets[-1]


AnyScheduler = (
    Asha
    | AsyncHyperband
    | AsyncBohb
    | SuccessiveHalving
    | Hyperband
    | Bohb
    | Random
    | Evolution
    | Reinforce
    | Tpe
    | Smac
    | Sweep
)
"""Every kind of scheduler."""

LEARNING = (Model, Evolution, Reinforce, Tpe, Smac)
"""Kinds whose configurations depend on results: they need a space to look for them in."""
