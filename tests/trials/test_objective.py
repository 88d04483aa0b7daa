"""A user's own function as a trial: what it may give, and what is said when it gives something else."""

import math

import pytest

from spaces.errors import InvalidValue
from trials.contract import Checkpoint, Diverged, Report, Task
from trials.objective import Objective, resolve

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
        ("no_such_module_here:f", "No module named 'no_such_module_here'"),
        ("math:no_such_function", "has no attribute 'no_such_function'"),
    ],
)
def test_a_name_of_nothing(name, part):
    with pytest.raises(InvalidValue) as caught:
        resolve(name)
    assert str(caught.value).startswith(f"name = {name!r}: ")
    assert part in str(caught.value)
