"""A table in memory-mapped columns: look-ups by cell or hash, one at a time or many at once."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spaces.errors import InvalidValue, UnknownName
from spaces.table import bulk, file
from spaces.table.columns import (
    ABSENT,
    COUNTS,
    ESTIMATED,
    MEASURED,
    METRIC_COLUMNS,
    STATUSES,
    Cell,
    Cells,
    cell_class,
    cells_class,
    column_of,
    encoding,
    metric_of,
)
from spaces.table.entry import Entry
from spaces.table.errors import BudgetUnknown, CellUnknown, MetricAbsent, RepeatUnknown, TableDamaged
from spaces.table.figures import Figures, native

MEAN: Final = "mean"
"""The repeat that stands for all of them."""

_TOP: Final = 12
"""First bits of a hash for which it is known in advance where in the table they begin."""
_SHIFT: Final = 64 - _TOP
_FIRST_HALF: Final = struct.Struct(">Q")
_SECOND_HALF: Final = struct.Struct("=8xQ")


class Table:
    """Measured figures of every cell of a search space, read only. Made by :meth:`open`.

    The file is mapped, not loaded: opening takes milliseconds, processes of one machine share its memory, and a
    pickled table is its path, which the receiver opens again. Methods may be called from several threads.
    """

    def __init__(self, path: Path, opened: file.Opened, estimates: bool) -> None:
        header, parts = opened.header, opened.parts
        self.path = path
        self.name: str = header["name"]
        self.space: str = header["space"]
        """One of ``nasbench101``, ``s1``, ``s2``, ``s3``, ``nasbench201``."""
        self.data: str = header["data"]
        """Data set that the cells were trained on."""
        self.budgets: tuple[int, ...] = tuple(header["budgets"])
        """Epochs, ascending."""
        self.repeats: int = header["repeats"]
        """Runs of each training."""
        self.evaluated: dict[str, int] = header["evaluated"]
        """Images that one evaluation sees, by split."""
        self.licence: str = header["licence"]
        self.provenance: dict[str, Any] = header["provenance"]
        self.estimates = estimates
        """Whether estimated figures are given out."""
        self.bytes = opened.bytes
        """Size of the file."""
        self._stages = {budget: stage for stage, budget in enumerate(self.budgets)}
        self._cell = cell_class(self.space)
        self._cells: Cells = cells_class(self.space)(*[parts[name].array for name in encoding(self.space)])
        self._count = len(self._cells)
        self._prefixes = parts["prefix"].array
        self._hashes = parts["hash"].array
        self._prefix_items = native(self._prefixes)
        self._hash_bytes = native(self._hashes)
        self._hash_halves = self._hash_bytes.cast("Q")
        self._begins: list[int] = bulk.begins(self._prefixes, _TOP).tolist()
        self._figures = {
            name: Figures(name, parts[name], parts.get(f"{name}_status"))
            for name in (*METRIC_COLUMNS, "parameters")
            if name in parts
        }
        self._coverage: dict[str, bulk.Metric] | None = None
        if self._hashes.shape != (self._count, 16) or self._prefixes.shape != (self._count,):
            raise ValueError("its index and its cells differ in number")

    @classmethod
    def open(cls, path: Path | str, verify: bool = False, *, estimates: bool = True) -> Table:
        """Open a table.

        Args:
            path: The ``.nastable`` file.
            verify: Whether to compare all of it with its digests first; small files always are.
            estimates: Whether figures that are only estimates are given out; if not, they count as absent.

        Raises:
            TableMissing: there is no file.
            NotATable: it is something else.
            TableDamaged: it is cut short or altered.
            TableTooNew: a later version of the program wrote it.
        """
        path = Path(path)
        opened = file.read(path, verify)
        try:
            return cls(path, opened, estimates)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TableDamaged(path, f"its header does not describe a table ({error})") from error

    def __reduce__(self) -> tuple[Callable[..., Table], tuple[str, bool]]:
        return _open_again, (str(self.path.absolute()), self.estimates)

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {self._count} cells of {self.space}, budgets {self.budgets})"

    def __len__(self) -> int:
        return self._count

    def __contains__(self, cell: Cell | str | bytes) -> bool:
        return self._find(self._digest(cell)) >= 0

    def lookup(self, cell: Cell | str | bytes, budget: int | None = None, repeat: str | int = MEAN) -> Entry:
        """Find a cell's figures at one budget.

        Args:
            cell: A cell of the table's space, or its hash: 32 hexadecimal digits, or 16 bytes.
            budget: Epochs; the highest if not given.
            repeat: ``mean`` of all runs, or the number of one run, from 0.

        Raises:
            CellUnknown: the table has no such cell.
            BudgetUnknown: it has no such budget.
            RepeatUnknown: it has no such repeat.
            InvalidValue: ``cell`` is neither a cell of this space nor a hash.
        """
        stage = len(self.budgets) - 1 if budget is None else self._stage(budget)
        if repeat != MEAN:
            self._check_repeat(repeat)
        row = self._find(self._digest(cell))
        if row < 0:
            raise CellUnknown(self.name, self._count, self._digest(cell).hex())
        return Entry(self, row, stage, repeat)

    def entry(self, row: int, budget: int | None = None, repeat: str | int = MEAN) -> Entry:
        """As :meth:`lookup`, by row of the table.

        Raises:
            InvalidValue: there is no such row.
        """
        if not 0 <= row < self._count:
            raise InvalidValue("row", row, f"must be from 0 to {self._count - 1}")
        stage = len(self.budgets) - 1 if budget is None else self._stage(budget)
        self._check_repeat(repeat)
        return Entry(self, int(row), stage, repeat)

    def _digest(self, cell: Cell | str | bytes) -> bytes:
        if isinstance(cell, str):
            digits = cell
        elif isinstance(cell, bytes | bytearray):
            digits = cell.hex()
        elif isinstance(cell, self._cell):
            digits = cell.hash
        else:
            rule = f"must be a cell of {self.space}, or a hash as 32 hexadecimal digits or 16 bytes"
            raise InvalidValue("cell", cell, rule)
        try:
            digest = bytes.fromhex(digits)
        except ValueError:
            digest = b""
        if len(digest) != 16 or len(digits) != 32:
            raise InvalidValue("hash", digits, "must be 32 hexadecimal digits", "`str(cell.hash)` gives a cell's.")
        return digest

    def _find(self, digest: bytes) -> int:
        """Return the row of a hash, −1 if there is none: among rows whose prefixes have its first bits."""
        (key,), (rest,) = _FIRST_HALF.unpack_from(digest), _SECOND_HALF.unpack_from(digest)
        first, last = self._begins[key >> _SHIFT], self._begins[(key >> _SHIFT) + 1]
        prefixes = self._prefix_items
        row = bisect_left(prefixes, key, first, last)
        while row < last and prefixes[row] == key:
            if self._hash_halves[2 * row + 1] == rest:
                return row
            row += 1
        return -1

    def _stage(self, budget: int) -> int:
        try:
            return self._stages[budget]
        except (KeyError, TypeError):
            raise BudgetUnknown(self.name, budget, self.budgets) from None

    def _check_repeat(self, repeat: str | int) -> None:
        if repeat == MEAN:
            return
        if not isinstance(repeat, int | np.integer) or isinstance(repeat, bool) or not 0 <= repeat < self.repeats:
            raise RepeatUnknown(self.name, repeat, self.repeats)

    def figure(self, column: str, entry: Entry) -> float:
        """Return what ``column`` holds for ``entry``: an accuracy, or seconds. :class:`Entry` names them.

        Raises:
            MetricAbsent: the table does not hold it.
        """
        figures = self._there(column, entry)
        if entry.repeat == MEAN:
            return figures.mean(entry.stage, entry.row)
        self.check_single(figures)
        return figures.single(entry.stage, entry.row, int(entry.repeat))

    def wrong(self, column: str, entry: Entry) -> float:
        """Return the error to the accuracy in ``column``, as exact as :meth:`figure`."""
        figures = self._there(column, entry)
        if entry.repeat == MEAN:
            right, of = sum(figures.stored(entry.stage, entry.row)), figures.scale * figures.runs
        else:
            self.check_single(figures)
            of = figures.scale
            right = figures.stored(entry.stage, entry.row)[int(entry.repeat) if figures.runs > 1 else 0]
        error: float = (of - right) / of
        return error

    def _there(self, column: str, entry: Entry) -> Figures:
        figures = self._figures.get(column)
        if figures is None:
            raise MetricAbsent(metric_of(column), f"table {self.name!r} has none", ", ".join(self.metrics))
        status = figures.whole if figures.states is None else figures.status(entry.stage, entry.row)
        if status == MEASURED or (status == ESTIMATED and self.estimates):
            return figures
        why = f"cell {entry.hash} has {'only an estimate' if status else 'none'} at {entry.budget} epochs"
        raise MetricAbsent(figures.metric, why, self.there_is(entry.row))

    def there_is(self, row: int) -> str:
        """Return what is known of the cell in a row, for messages."""
        found = []
        for name, figures in self._figures.items():
            stages = range(len(self.budgets)) if name != "parameters" else ()
            known = [(self.budgets[stage], STATUSES[figures.status(stage, row)]) for stage in stages]
            words = [f"{budget} ({status})" for budget, status in known if status != "absent"]
            if words:
                found.append(f"{figures.metric} at {', '.join(words)}")
        return "; ".join(found) or "nothing for this cell"

    def check_single(self, figures: Figures) -> None:
        """Raise :class:`MetricAbsent` if a column has only an aggregate of its runs."""
        if figures.runs == 1 and figures.aggregate is not None:
            raise MetricAbsent(
                figures.metric, f"table {self.name!r} does not have its runs one by one", f"their {figures.aggregate}"
            )

    def counts_at(self, split: str, entry: Entry) -> tuple[int, ...]:
        """See :meth:`Entry.counts`."""
        column = column_of(split)
        if column not in COUNTS:
            raise UnknownName("split", split, [name.removesuffix("_correct") for name in COUNTS])
        return self._there(column, entry).stored(entry.stage, entry.row)

    def status_at(self, column: str, stage: int, row: int) -> int:
        """Return the status of a column, as an index into ``STATUSES``."""
        figures = self._figures.get(column)
        if figures is None:
            return ABSENT
        return figures.status(0 if column == "parameters" else stage, row)

    def hash_of(self, row: int) -> str:
        """Return the hash of the cell in a row, 32 hexadecimal digits."""
        return self._hash_bytes[16 * row : 16 * row + 16].hex()

    def parameters_of(self, row: int) -> int:
        """Return the trainable parameters of the network of the cell in a row.

        Raises:
            MetricAbsent: the table does not hold them.
        """
        if "parameters" not in self._figures:
            raise MetricAbsent("parameters", f"table {self.name!r} has none", ", ".join(self.metrics))
        count: int = self._figures["parameters"].flat[row]
        return count

    def figures(self, metric: str) -> Figures:
        """Return a column as it is stored.

        Raises:
            UnknownName: there is no such metric.
            MetricAbsent: this table has none of it.
        """
        column = column_of(metric)
        if column not in self._figures:
            raise MetricAbsent(metric_of(column), f"table {self.name!r} has none", ", ".join(self.metrics))
        return self._figures[column]

    def denominator(self, split: str) -> int:
        """Return what a stored count is to be divided by for an accuracy: images, or images × runs of a mean."""
        return self.figures(split).scale

    def aggregate(self, metric: str) -> str | None:
        """Return ``mean`` or ``maximum`` if a figure stands for several runs, else ``None``."""
        return self.figures(metric).aggregate

    @property
    def metrics(self) -> Mapping[str, bulk.Metric]:
        """What there is: for each metric its denominator and meaning, and the cells it is known for, by budget."""
        if self._coverage is None:
            self._coverage = {one.metric: bulk.describe(one, self.budgets) for one in self._figures.values()}
        return self._coverage

    def cells(self) -> Cells:
        """Return all cells in the order of rows; their arrays are views of the file."""
        return self._cells

    def cell(self, row: int) -> Cell:
        """Return the cell in a row."""
        return self._cells[row]

    def rows(self, cells: Cells | NDArray[np.uint8], *, missing: str = "error") -> NDArray[np.int64]:
        """Find many cells.

        Args:
            cells: Cells of the table's space, or their hashes, uint8 (M, 16).
            missing: ``error``, or ``-1`` to have that as the row of a cell that the table does not hold.

        Returns:
            (M,): rows.

        Raises:
            CellUnknown: names the first cell that is not there.
            InvalidValue: ``cells`` or ``missing`` is something else.
        """
        rows, hashes = bulk.find(cells, self.space, self._prefixes, self._hashes, missing)
        if missing == "error" and rows.size and rows.min() < 0:
            raise CellUnknown(self.name, self._count, hashes[int(np.argmax(rows < 0))].tobytes().hex())
        return rows

    def column(
        self,
        metric: str,
        budget: int | None = None,
        repeat: str | int = MEAN,
        rows: NDArray[np.int64] | None = None,
        *,
        absent: str = "error",
    ) -> NDArray[np.float64]:
        """Return one metric of many cells.

        Args:
            metric: ``valid_accuracy``, ``test_accuracy``, ``train_accuracy``, ``seconds``, one of them after
                ``halfway_``, or ``parameters``.
            budget: Epochs; the highest if not given.
            repeat: ``mean``, or the number of one run.
            rows: (M,) rows as :meth:`rows` gives them; all if not given.
            absent: ``error``, or ``nan`` to have that where there is no figure, or only an estimate that is not
                to be given out.

        Returns:
            float64 (M,), equal to what single look-ups give.

        Raises:
            MetricAbsent: a figure is not there.
            BudgetUnknown, RepeatUnknown, UnknownName: an argument is out of its range.
        """
        stage = len(self.budgets) - 1 if budget is None else self._stage(budget)
        self._check_repeat(repeat)
        return bulk.column(self, metric, stage, repeat, rows, absent)

    def best(
        self,
        metric: str = "test_accuracy",
        budget: int | None = None,
        repeat: str = MEAN,
        rows: NDArray[np.int64] | None = None,
    ) -> Entry:
        """Return the entry of the highest accuracy, an estimated one too unless the table was opened without them.

        Args:
            metric: An accuracy.
            budget: Epochs; the highest if not given.
            repeat: ``mean`` for the best mean, ``best`` for the best single run; its number is in the entry.
            rows: (M,) rows to choose among, such as those of a sub-space; all if not given. Of equal figures the
                first one is taken, in the order of rows.

        Raises:
            MetricAbsent: no figure is there, or the runs are not known one by one.
            InvalidValue: ``metric`` is no accuracy, or ``repeat`` neither of the two.
        """
        stage = len(self.budgets) - 1 if budget is None else self._stage(budget)
        row, run = bulk.best(self, metric, stage, repeat, rows)
        return Entry(self, row, stage, run)


def _open_again(path: str, estimates: bool) -> Table:
    return Table.open(path, estimates=estimates)
