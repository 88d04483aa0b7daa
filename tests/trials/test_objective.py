"""A user's own function as a trial: what it may give, and what is said when it gives something else."""

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from spaces.errors import InvalidValue
from trials.contract import Checkpoint, Diverged, Report, Task, run, step
from trials.objective import Objective, resolve, resolve_function

TASK = Task(0, {"x": 2.0}, start=1, stop=4, seed=0, folder="/x")


def reports(function, metric="loss"):
    return list(Objective(function, metric)(TASK))


def plain(found):
    return [(report.epoch, dict(report.metrics)) for report in found]


@pytest.mark.parametrize(
    ("value", "metrics"),
    [
        (0.5, {"loss": 0.5}),
        (3, {"loss": 3.0}),
        (True, {"loss": 1.0}),
        ({"loss": 1, "accuracy": 0.5}, {"loss": 1.0, "accuracy": 0.5}),
        ({"loss": 1, "unknown": math.inf}, {"loss": 1.0, "unknown": math.inf}),
    ],
)
def test_a_value_that_is_returned_stands_for_the_last_epoch(value, metrics):
    (report,) = reports(lambda task: value)
    assert plain([report]) == [(4, metrics)]
    assert all(type(item) is float for item in report.metrics.values())
    assert report.seconds >= 0


def test_values_that_are_yielded_are_epochs():
    def function(task):
        for epoch in range(task.start + 1, task.stop + 1):
            yield {"loss": epoch * task.config["x"]}

    assert plain(reports(function)) == [(2, {"loss": 4.0}), (3, {"loss": 6.0}), (4, {"loss": 8.0})]


def test_whole_reports_go_through_as_they_are():
    checkpoint = Checkpoint("c", 3, "0" * 64, 1)
    given = [Report(3, {"loss": 1.0}, 9.0, checkpoint, {"a": 1}), Report(4, {"loss": 2.0}, 8.0)]
    assert reports(lambda task: iter(given)) == given

    def mixed(task):
        yield Report(3, {"loss": 1.0})
        yield 0.5

    assert plain(reports(mixed)) == [(3, {"loss": 1.0}), (4, {"loss": 0.5})]


def test_a_whole_report_may_be_returned():
    given = Report(4, {"loss": 1.0}, 9.0, Checkpoint("c", 4, "0" * 64, 1), {"a": 1})
    assert reports(lambda task: given) == [given]


@pytest.mark.parametrize("number", [np.float32, np.float64, np.int64, np.array, torch.tensor])
@pytest.mark.parametrize("wrap", [iter, lambda given: given[0]])
def test_numbers_of_any_kind_become_plain(number, wrap):
    checkpoint = Checkpoint("c", number(4), "0" * 64, number(9))
    given = Report(number(4), {"loss": number(2), "other": number(3)}, number(1), checkpoint, {"a": (1, None)})
    (report,) = reports(lambda task: wrap([given]))
    expected = Report(4, {"loss": 2.0, "other": 3.0}, 1.0, Checkpoint("c", 4, "0" * 64, 9), {"a": [1, None]})
    assert report == expected
    assert json.loads(json.dumps(asdict(report))) == asdict(expected)
    assert type(report.epoch) is int and type(report.seconds) is float and type(report.metrics["loss"]) is float


@pytest.mark.parametrize("loss", [np.float32(0.5), torch.tensor(0.5), np.array(0.5)])
def test_numbers_of_any_kind_beside_reports(loss):
    assert plain(reports(lambda task: loss)) == [(4, {"loss": 0.5})]
    assert plain(reports(lambda task: iter([{"loss": loss}]))) == [(2, {"loss": 0.5})]


CIRCULAR: list = []
CIRCULAR.append(CIRCULAR)


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (
            Report(4, {"loss": 1.0}, notes={"fine": 1, "where": Path("/x")}),
            "a note 'where' that JSON cannot hold: .*Path",
        ),
        (Report(4, {"loss": 1.0}, notes={"weights": np.zeros(3)}), "a note 'weights' that JSON .*ndarray"),
        (Report(4, {"loss": 1.0}, notes={"loop": CIRCULAR}), "a note 'loop' that JSON .*[Cc]ircular"),
        (Report(4, {"loss": 1.0}, notes=[1]), r"notes = \[1\]; it must be a mapping"),
        (Report(4, {"loss": "high"}), "it must give a number"),
        (Report(4, {"loss": np.zeros(3)}), "it must give a number"),
        (Report(4, {"loss": 10**400}), "it must give a number"),
        (Report(2.5, {"loss": 1.0}), "epoch = 2.5; it must be an integer"),
        (Report("4", {"loss": 1.0}), "epoch = '4'; it must be an integer"),
        (Report(math.nan, {"loss": 1.0}), "epoch = nan; it must be an integer"),
        (Report(4, {"loss": 1.0}, seconds=None), "seconds = None; it must be a number"),
        (Report(4, {"loss": 1.0}, checkpoint="c.ckpt"), "checkpoint = 'c.ckpt'; it must be a Checkpoint"),
        (Report(4, {"loss": 1.0}, checkpoint=Checkpoint("c", "4", "0" * 64, 1)), "checkpoint.epoch = '4'"),
    ],
)
def test_a_report_that_cannot_be_kept_crashes_its_trial(report, reason):
    with pytest.raises(TypeError, match=reason):
        reports(lambda task: report)
    failure = step(run(Objective(lambda task: iter([report]), "loss"), TASK))
    assert failure.kind == "crashed"


def test_a_report_is_a_copy():
    metrics, notes = {"loss": 1.0}, {"seen": [1]}
    (report,) = reports(lambda task: Report(4, metrics, notes=notes))
    metrics["loss"] = 2.0
    notes["seen"].append(2)
    assert (report.metrics, report.notes) == ({"loss": 1.0}, {"seen": [1]})


def test_an_objective_without_end_ends_at_stop_and_is_closed():
    closed = []

    def endless(task):
        try:
            while True:
                yield 0.5
        finally:
            closed.append(True)

    assert [report.epoch for report in run(Objective(endless, "loss"), TASK)] == [2, 3, 4]
    assert closed == [True]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_finite_is_divergence(bad):
    found = Objective(lambda task: iter([0.5, bad, 0.5]), "loss")(TASK)
    assert plain([next(found)]) == [(2, {"loss": 0.5})]
    with pytest.raises(Diverged, match=f"loss = {bad} at epoch 3"):
        next(found)


@pytest.mark.parametrize("value", [None, "high", {"loss": "high"}, {"loss": None}, object(), {"loss": [1]}, 1j])
def test_a_value_that_is_no_number(value):
    with pytest.raises(TypeError, match="it must give a number, a mapping of numbers, or Reports"):
        reports(lambda task: value)


def test_a_metric_that_is_not_among_the_values():
    with pytest.raises(KeyError, match=r"no 'loss' at epoch 4, only .*accuracy"):
        reports(lambda task: {"accuracy": 1.0})


def test_a_function_by_name():
    assert resolve("math:fabs") is math.fabs
    assert resolve("trials.contract:Task.__name__") == "Task"
    with pytest.raises(TypeError, match="must be real number, not Task"):  # so it was found, and called with the task
        reports("math:fabs")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("math", "must be 'installed_module:attribute'"),
        ("math:", "must be 'installed_module:attribute'"),
        (":fabs", "must be 'installed_module:attribute'"),
        (".foo:bar", "must be 'installed_module:attribute'"),
        ("no_such_module_here:f", "No module named 'no_such_module_here'"),
        ("math:no_such_function", "has no attribute 'no_such_function'"),
    ],
)
def test_a_name_of_nothing(name, part):
    with pytest.raises(InvalidValue) as caught:
        resolve(name)
    assert str(caught.value).startswith(f"name = {name!r}: ")
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ("def f(:", "importing broken_module raised SyntaxError: "),
        ("1 / 0", "importing broken_module raised ZeroDivisionError: division by zero"),
        ("import math; math.nothing", "importing broken_module raised AttributeError: module 'math' has no"),
        ("raise ValueError('two\\nlines')", "importing broken_module raised ValueError: two\nMend it"),
        ("raise KeyError", "importing broken_module raised KeyError\n"),
        ("import sys; sys.exit(3)", "importing broken_module raised SystemExit: 3"),
        ("import no_such_module_here", "No module named 'no_such_module_here'"),
    ],
)
def test_a_module_that_cannot_be_imported(source, part, tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidValue) as caught:
        resolve("broken_module:f")
    assert part in str(caught.value)
    assert str(caught.value).count("\n") == 1


def test_a_name_of_something_that_cannot_be_called():
    assert resolve_function("math:fabs") is math.fabs
    with pytest.raises(InvalidValue, match=r"^name = 'math:pi': must name a function; it names float 3\.14"):
        resolve_function("math:pi")
    with pytest.raises(InvalidValue, match="must name a function"):
        reports("math:pi")
