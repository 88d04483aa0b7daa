"""SIGTERM stops a study as Ctrl-C does."""

import signal
import threading

import pytest

import asha_nas
from asha_nas.engines.stopping import sigterm_as_ctrl_c
from asha_nas.store import Closed, Reported, Store


def test_sigterm_is_ctrl_c_inside_the_block_only():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), sigterm_as_ctrl_c():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_it_goes_to_whoever_takes_ctrl_c():
    taken = []
    signal.signal(signal.SIGINT, lambda number, _frame: taken.append(number))
    with sigterm_as_ctrl_c():
        signal.raise_signal(signal.SIGTERM)
    assert taken == [signal.SIGINT]


def test_where_a_shell_has_ctrl_c_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with pytest.raises(KeyboardInterrupt), sigterm_as_ctrl_c():
        signal.raise_signal(signal.SIGTERM)


def test_another_thread_leaves_signals_alone():
    before, inside = signal.getsignal(signal.SIGTERM), []

    def other():
        with sigterm_as_ctrl_c():
            inside.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert inside == [before]


@pytest.mark.parametrize("kind", ["inline", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_study_is_interrupted_in_good_order_and_goes_on(kind, request, tmp_path):
    if kind == "ray":
        request.getfixturevalue("local_ray")
    store = Store(str(tmp_path / "studies.db"))
    engine = asha_nas.Workers(kind=kind, workers=None if kind == "inline" else 2)
    study = asha_nas.objective_study(
        "study", lambda task: task.config["x"], {"x": {"range": [0.0, 1.0]}}, asha_nas.Random(R=1, configs=6),
        engine=engine, store=store,
    )  # fmt: skip
    sent = []

    def terminate(event):
        if isinstance(event, Reported) and not sent:
            sent.append(event)
            signal.raise_signal(signal.SIGTERM)

    assert study.run([terminate]) == "interrupted"
    [closed] = [row.event for row in store.rows(store.study("study")) if isinstance(row.event, Closed)]
    assert closed.reason == "interrupted"
    assert not study.is_running()
    assert study.run() == "done"
    assert len(study.jobs()) == 6 and set(study.jobs()["state"]) == {"done"}
    store.close()
