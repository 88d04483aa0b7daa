"""What a trial's end is called, and that running one never raises what it raises."""

import pytest

from trials.contract import Diverged, Failure, OutOfMemory, Report, Task, TrialFailure, classify, run, step

TASK = Task(0, {}, start=0, stop=3, seed=0, folder="/x")


class Mine(Exception):
    pass


class Mute(Exception):
    def __str__(self):
        raise ValueError


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ValueError("bad"), Failure("crashed", "ValueError: bad")),
        (ValueError(), Failure("crashed", "ValueError")),
        (Mine("x\ny"), Failure("crashed", "Mine: x\ny")),
        (Mute(), Failure("crashed", "Mute")),
        (SystemExit(1), Failure("crashed", "SystemExit: 1")),
        (TrialFailure("why"), Failure("crashed", "why")),
        (TrialFailure(), Failure("crashed", "TrialFailure")),
        (Diverged("nan"), Failure("diverged", "nan")),
        (Diverged(), Failure("diverged", "Diverged")),
        (OutOfMemory("gpu"), Failure("out_of_memory", "gpu")),
        (MemoryError("host"), Failure("out_of_memory", "MemoryError: host")),
        (type("OutOfMemoryError", (RuntimeError,), {})("cuda"), Failure("out_of_memory", "OutOfMemoryError: cuda")),
    ],
)
def test_failures_have_names(error, failure):
    assert classify(error) == failure

    def trial(task):
        yield Report(1, {})
        raise error

    reports = run(trial, TASK)
    assert step(reports) == Report(1, {})
    assert step(reports) == failure
    assert step(reports) is None  # over, not again


def test_the_memory_error_of_torch():
    torch = pytest.importorskip("torch")
    assert classify(torch.OutOfMemoryError("full")).kind == "out_of_memory"


def test_a_trial_starts_with_its_first_step():
    began = []

    def trial(task):
        began.append(task)
        return iter([Report(3, {})])

    reports = run(trial, TASK)
    assert began == []
    assert step(reports) == Report(3, {})
    assert began == [TASK]
    assert step(reports) is None


@pytest.mark.parametrize("what", [[0.5], [None], [{"loss": 1.0}], None, 3])
def test_what_is_no_report_is_a_crash(what):
    failure = step(run(lambda task: what, TASK))
    assert failure.kind == "crashed"
    assert failure.reason.startswith("TypeError: ")


def test_an_interrupt_is_not_a_failure():
    def trial(task):
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        step(run(trial, TASK))
