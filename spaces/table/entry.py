"""One cell at one budget, as a look-up returns it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spaces.table.columns import STATUSES, column_of

if TYPE_CHECKING:
    from spaces.table.table import Table


@dataclass(frozen=True, slots=True, init=False)
class Entry:
    """One cell at one budget: its figures are read from the table when they are asked for.

    Accuracies and errors are shares, 0 to 1. With ``repeat="mean"`` they are the mean over the repeats, computed
    from the sum of whole counts and so exact to the last bit; where single runs are not known, the one figure
    there is, and :meth:`aggregate` says what that stands for. Asking for a figure that is not there raises
    :class:`~spaces.table.errors.MetricAbsent`, which says what is. ``halfway_…`` is at half of the budget's
    epochs of the same run, before its learning rate has come down.
    """

    table: Table = field(repr=False, compare=False)
    """Where it was looked up."""
    row: int
    """Row in the table, 0 to N−1."""
    stage: int
    """Index of the budget in the table's budgets."""
    repeat: str | int
    """``mean``, or the number of one run."""

    def __init__(self, table: Table, row: int, stage: int, repeat: str | int) -> None:
        _set_table(self, table)
        _set_row(self, row)
        _set_stage(self, stage)
        _set_repeat(self, repeat)

    @property
    def budget(self) -> int:
        """Epochs."""
        return self.table.budgets[self.stage]

    @property
    def hash(self) -> str:
        """The cell's hash, 32 hexadecimal digits."""
        return self.table.hash_of(self.row)

    @property
    def valid_accuracy(self) -> float:
        """Accuracy on the validation images, 0 to 1."""
        return self.table.figure("valid_correct", self)

    @property
    def test_accuracy(self) -> float:
        """Accuracy on the test images, 0 to 1."""
        return self.table.figure("test_correct", self)

    @property
    def train_accuracy(self) -> float:
        """Accuracy on training images without augmentation, 0 to 1."""
        return self.table.figure("train_correct", self)

    @property
    def valid_error(self) -> float:
        """Share of validation images classified wrongly, 0 to 1."""
        return self.table.wrong("valid_correct", self)

    @property
    def test_error(self) -> float:
        """Share of test images classified wrongly, 0 to 1."""
        return self.table.wrong("test_correct", self)

    @property
    def train_error(self) -> float:
        """Share of training images classified wrongly, 0 to 1."""
        return self.table.wrong("train_correct", self)

    @property
    def seconds(self) -> float:
        """Seconds that the training took, evaluation not included."""
        return self.table.figure("seconds", self)

    @property
    def halfway_valid_accuracy(self) -> float:
        """As :attr:`valid_accuracy`, after half of the epochs."""
        return self.table.figure("halfway_valid_correct", self)

    @property
    def halfway_test_accuracy(self) -> float:
        """As :attr:`test_accuracy`, after half of the epochs."""
        return self.table.figure("halfway_test_correct", self)

    @property
    def halfway_train_accuracy(self) -> float:
        """As :attr:`train_accuracy`, after half of the epochs."""
        return self.table.figure("halfway_train_correct", self)

    @property
    def halfway_seconds(self) -> float:
        """Seconds that the first half of the epochs took."""
        return self.table.figure("halfway_seconds", self)

    @property
    def parameters(self) -> int:
        """Trainable parameters of the network."""
        return self.table.parameters_of(self.row)

    def status(self, metric: str) -> str:
        """Return ``measured``, ``estimated`` or ``absent``.

        Args:
            metric: Such as ``valid_accuracy``, ``valid_error``, ``valid``, ``halfway_seconds``, ``parameters``.

        Raises:
            UnknownName: there is no such metric.
        """
        return STATUSES[self.table.status_at(column_of(metric), self.stage, self.row)]

    def counts(self, split: str) -> tuple[int, ...]:
        """Return the correct images of all runs, whatever ``repeat`` is: one for each repeat, or one for all.

        Args:
            split: ``train``, ``valid``, ``test``, or one of them after ``halfway_``.

        Raises:
            MetricAbsent: they are not in the table.
        """
        return self.table.counts_at(split, self)

    def denominator(self, split: str) -> int:
        """Return what one of :meth:`counts` is to be divided by for an accuracy."""
        return self.table.denominator(split)

    def aggregate(self, metric: str) -> str | None:
        """Return ``mean`` or ``maximum`` if the table has only that of the runs; ``None`` if it has the runs."""
        return self.table.aggregate(metric)


# A frozen dataclass's own __init__ goes through object.__setattr__ by name, which is a good part of a look-up's time.
_SLOTS: Any = Entry
_set_table, _set_row, _set_stage, _set_repeat = (
    _SLOTS.__dict__[name].__set__ for name in ("table", "row", "stage", "repeat")
)
