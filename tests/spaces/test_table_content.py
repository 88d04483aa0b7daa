"""What may not be written as a table, and that nothing is."""

from dataclasses import replace

import numpy as np
import pytest

from spaces.errors import InvalidValue, UnknownName
from spaces.table import write_table
from tests.spaces.small_table import IMAGES, make


def with_column(content, name, **changes):
    return {"columns": {**content.columns, name: replace(content.columns[name], **changes)}}


def broken(content):
    valid, seconds = content.columns["valid_correct"], content.columns["seconds"]
    twice = content.hashes.copy()
    twice[3] = twice[9]
    too_many, negative = valid.values.copy(), seconds.values.copy()
    too_many[1, 2, 0], negative[1, 2, 0] = IMAGES + 1, -1
    yield {"hashes": twice}, "are in the table twice"
    yield {"hashes": content.hashes[:, :15]}, r"must be uint8 of shape \(40, 16\)"
    yield {"budgets": ()}, "ascending integers"
    yield {"budgets": (4, 108, 12)}, "ascending integers"
    yield {"budgets": (0, 4, 12)}, "ascending integers"
    yield {"budgets": (4, 12)}, r"must be uint16 or uint32 of shape \(2, 40, 3\)"
    yield {"repeats": 2}, r"must be uint16 or uint32 of shape \(3, 40, 2\)"
    yield {"repeats": 0}, "an integer >= 1"
    yield {"name": ""}, "must be text"
    yield {"space": "nasbench301"}, "unknown space 'nasbench301'"
    yield {"space": "nasbench201"}, "must be spaces.nasbench201"
    yield {"parameters": content.parameters.astype(np.int64)}, "must be int32"
    yield {"parameters": -1 - content.parameters}, ">= 0"
    yield {"columns": {}}, "at least one metric"
    yield {"columns": {"loss": valid}}, "unknown column 'loss'"
    yield {"provenance": {"x": {1, 2}}}, "what JSON can hold"
    yield {"provenance": {"x": float("nan")}}, "what JSON can hold"
    yield {"evaluated": {"train": 9984, "test": 9984}}, r"evaluated\['valid'\] = None"
    yield with_column(content, "valid_correct", values=too_many), "valid_correct = 9985: a count must be at most"
    yield with_column(content, "valid_correct", values=valid.values.astype(float)), "must be uint16 or uint32"
    yield with_column(content, "valid_correct", denominator=None), "must be a multiple"
    yield with_column(content, "valid_correct", denominator=10000), "must be a multiple"
    yield with_column(content, "valid_correct", aggregate="mean"), "for a single figure"
    yield with_column(content, "test_correct", aggregate="median"), "mean, maximum"
    yield with_column(content, "valid_correct", status="absent"), "measured, estimated"
    yield with_column(content, "valid_correct", status=valid.status + 1), "must be 0 to 2"
    yield with_column(content, "valid_correct", status=valid.status[:2]), r"shape \(3, 40\)"
    yield with_column(content, "seconds", values=negative), "finite and >= 0"
    yield with_column(content, "seconds", values=seconds.values * np.float32("nan")), "finite and >= 0"
    yield with_column(content, "seconds", denominator=1), "must be None"


def test_content_that_is_inconsistent_is_not_written(tmp_path):
    content = make()
    for changes, message in broken(content):
        with pytest.raises((InvalidValue, UnknownName), match=message):
            write_table(tmp_path / "t.nastable", replace(content, **changes))
    with pytest.raises(InvalidValue, match=r"must end in \.nastable\nSuch as t\.csv\.nastable"):
        write_table(tmp_path / "t.csv", content)
    assert list(tmp_path.iterdir()) == []
