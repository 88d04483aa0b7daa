"""What a trial's end is called, and that running one never raises what it raises."""

from itertools import count

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


def test_the_report_of_stop_ends_a_trial_and_closes_it():
    done = []

    def endless(task):
        try:
            for epoch in count(1):
                yield Report(epoch, {})
                done.append(epoch)
        finally:
            done.append("closed")

    reports = run(endless, TASK)
    assert [step(reports) for _ in range(3)] == [Report(1, {}), Report(2, {}), Report(3, {})]
    assert done == [1, 2]  # nothing happens to a trial before it is asked again
    assert step(reports) is None
    assert done == [1, 2, "closed"]
    assert step(reports) is None


def test_a_trial_is_closed_when_it_breaks_the_contract_and_when_it_is_given_up():
    for given_up in (False, True):
        closed = []

        def trial(task, closed=closed):
            try:
                yield Report(2, {})
                yield Report(1, {})
            finally:
                closed.append(True)

        reports = run(trial, TASK)
        assert step(reports) == Report(2, {})
        if given_up:
            reports.close()
        else:
            assert step(reports).kind == "crashed"
        assert closed == [True]


@pytest.mark.parametrize("epochs", [(3,), (1, 3), (1, 2, 3)])
@pytest.mark.parametrize("start", [0, 1, 2])
def test_epochs_before_the_start_may_be_trained_again(start, epochs):
    task = Task(0, {}, start=start, stop=3, seed=0, folder="/x")
    given = [Report(epoch, {}) for epoch in epochs]
    assert list(run(lambda task: iter(given), task)) == given


def test_nothing_is_left_to_do():
    assert list(run(lambda task: iter(()), TASK)) == []


@pytest.mark.parametrize(
    ("epochs", "reason"),
    [
        ((0,), "reported epoch 0; epochs are integers from 1 on"),
        ((-1,), "reported epoch -1; epochs are integers"),
        ((1.0,), "reported epoch 1.0; epochs are integers"),
        (("1",), "reported epoch '1'; epochs are integers"),
        ((True,), "reported epoch True; epochs are integers"),
        ((None,), "reported epoch None; epochs are integers"),
        ((4,), "reported epoch 4; it was to stop at epoch 3"),
        ((1, 2, 2), "reported epoch 2 after epoch 2; epochs must increase"),
        ((2, 1), "reported epoch 1 after epoch 2; epochs must increase"),
    ],
)
def test_epochs_that_break_the_contract_are_a_crash(epochs, reason):
    reports = run(lambda task: iter([Report(epoch, {}) for epoch in epochs]), TASK)
    for epoch in epochs[:-1]:
        assert step(reports) == Report(epoch, {})
    failure = step(reports)
    assert failure.kind == "crashed"
    assert failure.reason.startswith("ValueError: a trial ") and reason in failure.reason
