"""The live view of searches: a line each, with curves in characters."""

import io
import math

import pytest
from rich.console import Console

from asha_nas.analysis import History
from asha_nas.live import LiveView, shown
from asha_nas.live_search import MOST_LINES, SEARCH, sparkline
from asha_nas.store import Asked, Opened, Reported, Told
from asha_nas.study import make_spec


@pytest.mark.parametrize(
    ("values", "width", "drawn"),
    [
        ((), 5, ""),
        ((1.0,), 5, "▁"),
        ((2.0, 2.0), 5, "▁▁"),
        ((0.0, 1.0), 5, "▁█"),
        (range(8), 8, "▁▂▃▄▅▆▇█"),
        ((3.0, math.nan, 1.0), 5, "█ ▁"),
        ((math.nan,), 5, " "),
        ((0, 0, 7, 7), 2, "▁█"),
        (range(100), 4, "▁▃▆█"),
    ],
)
def test_sparklines(values, width, drawn):
    assert sparkline(values, width) == drawn


def view(events, seeds=(0, 1), **problem):
    values = {"kind": "search", "seeds": seeds, **problem}
    spec = make_spec({"name": "x", "problem": values, "scheduler": {"budgets": [50]}})
    made = LiveView(History(spec), None, SEARCH)
    for event in (Opened(session=0), *events):
        made.take(event)
    return made


def asked(job):
    return Asked(job=job, trial=job, rung=0, start=0, stop=50, config={"seed": job})


def reported(job, epoch, error, **more):
    return Reported(job=job, epoch=epoch, metrics={"one_shot_valid_error": error, **more})


def text_of(made):
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(made)
    return console.export_text()


def test_a_search_that_runs_shows_its_epoch_its_figures_and_their_curves():
    made = view([asked(0), asked(1), *(reported(0, e, 0.5 / e, valid_error=0.1, regret=0.2 / e) for e in range(1, 5))])
    row = next(line for line in text_of(made).splitlines() if "4/50" in line)
    assert "12.50 %" in row
    assert "5.00 %" in row
    assert row.count("█▅▂▁") == 2
    assert "0/50" in text_of(made)
    assert made.line().startswith(
        "0 of 2 searches done · seed 0 epoch 4/50 one-shot valid error 12.50 %, test regret 5.00 % · seed 1 epoch 0/50"
    )


def test_a_search_without_a_table_shows_no_regret():
    made = view([asked(0), reported(0, 1, 0.25)], optimizer="random-ws", space="darts-cnn")
    assert "regret" not in text_of(made)
    assert "25.00 %" in text_of(made)
    assert "regret" not in made.line()


def test_searches_that_run_are_seen_however_many_have_ended():
    done = []
    for job in range(40):
        done += [asked(job), reported(job, 50, 0.1, valid_error=0.1), Told(job=job, loss=0.1)]
    page = text_of(view([*done, asked(40), asked(41)], seeds=range(60)))
    rows = [line for line in page.splitlines() if "/50" in line]
    assert len(rows) == MOST_LINES
    assert [line.split()[0] for line in rows[-2:]] == ["40", "41"]
    assert "done" in rows[0]
    many = view([asked(job) for job in range(20)], seeds=range(60))
    assert len([line for line in text_of(many).splitlines() if "/50" in line]) == MOST_LINES
    assert many.line().count("epoch 0/50") == 3
    assert "and 17 more" in many.line()


def test_without_a_terminal_epochs_are_news_but_not_each_a_line(monkeypatch, capsys):
    from asha_nas import live

    now = [1000.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    made = view([])
    with shown(made, Console(force_terminal=False)) as listener:
        listener(asked(0))
        for epoch in range(1, 41):
            now[0] += 0.5
            listener(reported(0, epoch, 0.1, valid_error=0.1, regret=0.01))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5  # 20 seconds, one each five, and the first
    assert "epoch 40/50" in lines[-1]
