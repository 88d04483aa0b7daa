"""Tabular benchmarks: the measured figures of every cell of a search space, in one memory-mapped file.

A table (``.nastable``) keeps correct images as whole numbers, so that accuracies are exact, apart by
budget and repeat, and marks what is measured and what is only estimated. It opens in milliseconds
and answers by cell or by hash. :func:`convert` makes one of published figures, :func:`write_table`
of any others.
"""

from spaces.table.bulk import Coverage, Metric
from spaces.table.columns import ABSENT, ESTIMATED, MEASURED, METRIC_COLUMNS, METRICS, SPACES, cell_parser
from spaces.table.content import SUFFIX, Column, Content, check_target, write_table
from spaces.table.convert import convert
from spaces.table.entry import Entry
from spaces.table.errors import (
    BudgetUnknown,
    CellUnknown,
    MetricAbsent,
    NotATable,
    RepeatUnknown,
    SourceDamaged,
    SourceUnknown,
    TableDamaged,
    TableMissing,
    TableNotWritten,
    TableTooNew,
)
from spaces.table.table import Table

__all__ = [
    "ABSENT",
    "ESTIMATED",
    "MEASURED",
    "METRICS",
    "METRIC_COLUMNS",
    "SPACES",
    "SUFFIX",
    "BudgetUnknown",
    "CellUnknown",
    "Column",
    "Content",
    "Coverage",
    "Entry",
    "Metric",
    "MetricAbsent",
    "NotATable",
    "RepeatUnknown",
    "SourceDamaged",
    "SourceUnknown",
    "Table",
    "TableDamaged",
    "TableMissing",
    "TableNotWritten",
    "TableTooNew",
    "cell_parser",
    "check_target",
    "convert",
    "write_table",
]
