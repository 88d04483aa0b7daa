"""PromotionASHA in a user's own Tuner: what the module's docstring shows, resuming, and replay."""

import functools
import inspect
import itertools
import json
import math
import signal
import textwrap
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ray import tune
from ray.tune.search import Searcher

from asha_nas.engines.ray_tune import PromotionASHA, TuneJob, job, promotion
from asha_nas.schedulers import survivors
from spaces.errors import InvalidValue, UserError

SPACE = {"lr": {"range": [1e-3, 1.0], "log": True}, "op": {"choices": ["a", "b"]}}


# --- in a Tuner ----------------------------------------------------------------------------------------


def function_trainable():
    """A user's function. Its state says in which job each epoch was trained."""

    def train(config):
        todo = job(config)
        state = todo.folder / "state.json"
        epochs = json.loads(state.read_text()) if state.exists() else []
        assert len(epochs) >= todo.start, "the state of the earlier job is missing"
        for epoch in range(len(epochs), todo.stop):
            epochs.append(todo.rung)
            state.write_text(json.dumps(epochs))
            tune.report({"loss": abs(config["lr"] - 0.1) / (epoch + 1)})

    return train


def class_trainable():
    """The same as a class, for reused actors."""

    class Train(tune.Trainable):
        def setup(self, config):
            self.reset_config(config)

        def reset_config(self, config):
            self.lr, self.todo = config["lr"], job(config)
            self.state = self.todo.folder / "state.json"
            self.epochs = json.loads(self.state.read_text()) if self.state.exists() else []
            assert len(self.epochs) >= self.todo.start, "the state of the earlier job is missing"
            return True

        def step(self):
            if len(self.epochs) < self.todo.stop:
                self.epochs.append(self.todo.rung)
                self.state.write_text(json.dumps(self.epochs))
            loss = abs(self.lr - 0.1) / len(self.epochs)
            return {"loss": loss, "done": len(self.epochs) == self.todo.stop}

        def save_checkpoint(self, folder):
            return {}  # Tune saves every class at its end; the state is in the trial's own folder already

    return Train


TRAINABLES = {"function": function_trainable, "class": class_trainable}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Where Tune keeps its results, and we what trials save."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("RAY_AIR_NEW_OUTPUT", "0")
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # they leave files open when interrupted
    return tmp_path


def three_lines():
    """The example of the module's docstring, with a smaller study."""
    text = inspect.getdoc(promotion).split("::\n\n")[1].split("\n\n")[0]
    return textwrap.dedent(text).replace("R=81", "R=9").replace("configs=100", "configs=9")


def rungs_of(results):
    return Counter(result.config[promotion.JOB_KEY]["rung"] for result in results)


def check_a_whole_study(results, home):
    """Rungs of 9, 3 and 1 trials; each trial was trained on from its saved state, every epoch once."""
    assert rungs_of(results) == dict(enumerate(survivors(9, 3, 3)))
    jobs = [result.config[promotion.JOB_KEY] for result in results]
    assert len({(one["trial"], one["rung"]) for one in jobs}) == len(jobs) == 13
    expected = {0: [0], 1: [0, 1, 1], 2: [0, 1, 1, *[2] * 6]}  # the rung whose job trained each epoch
    (folder,) = {Path(one["folder"]).parent for one in jobs}
    for trial in range(9):
        deepest = max(one["rung"] for one in jobs if one["trial"] == trial)
        assert json.loads((folder / f"trial-{trial:05d}" / "state.json").read_text()) == expected[deepest]
    for result in results:
        todo = result.config[promotion.JOB_KEY]
        assert result.metrics["loss"] == abs(result.config["lr"] - 0.1) / todo["stop"]
    assert folder.is_relative_to(home)


@pytest.mark.ray
@pytest.mark.parametrize("kind", TRAINABLES)
def test_the_three_lines_of_the_docstring(local_ray, home, kind):
    elsewhere = tune.RunConfig(storage_path=str(home), verbose=0)  # else in ~/ray_results
    tuner = functools.partial(tune.Tuner, run_config=elsewhere)
    names = {"tune": SimpleNamespace(TuneConfig=tune.TuneConfig, Tuner=tuner), "space": SPACE,
             "PromotionASHA": PromotionASHA, "trainable": TRAINABLES[kind]()}  # fmt: skip
    lines = three_lines()
    assert len(lines.splitlines()) == 3
    exec(lines, names)
    results = names["results"]
    assert not results.errors
    check_a_whole_study(results, home)
    # With its second promotion from rung 0 decided among more trials, the best at the end is still the best.
    deepest = max(results, key=lambda result: result.config[promotion.JOB_KEY]["rung"])
    assert deepest.metrics["loss"] == min(result.metrics["loss"] for result in results)


class PressCtrlC(tune.Callback):
    """Interrupts the run at its n-th result, but only the first run: Tune keeps callbacks over a restore."""

    def __init__(self, at, pressed):
        self.at = at
        self.pressed = pressed

    def on_trial_result(self, iteration, trials, trial, result, **info):
        self.at -= 1
        if self.at == 0 and not self.pressed.exists():
            self.pressed.touch()
            signal.raise_signal(signal.SIGINT)


@pytest.mark.ray
def test_an_interrupted_run_is_restored_with_its_rungs(local_ray, home):
    trainable = function_trainable()
    pressed = home / "pressed"
    searcher = PromotionASHA(SPACE, metric="loss", R=9, eta=3, configs=9)
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(search_alg=searcher, num_samples=-1, reuse_actors=True),
        run_config=tune.RunConfig(name="mine", storage_path=str(home), verbose=0, callbacks=[PressCtrlC(7, pressed)]),
    )
    first = tuner.fit()
    assert pressed.exists()
    assert 0 < len(first) < 13
    results = tune.Tuner.restore(str(home / "mine"), trainable).fit()
    assert not results.errors
    check_a_whole_study(results, home)


# --- without a Tuner -----------------------------------------------------------------------------------


def make(tmp_path, **options):
    options = {"metric": "loss", "R": 9, "eta": 3, "configs": 9, "folder": str(tmp_path / "trials"), **options}
    return PromotionASHA(SPACE, **options)


def loss_of(config):
    return abs(config["lr"] - 0.1)


def drive(searcher, log, asked=0, in_flight=(), workers=3):
    """Run to the end as Tune would; `log` gets what was decided. Yields after every step."""
    in_flight = dict(in_flight)
    while True:
        while len(in_flight) < workers:
            answer = searcher.suggest(f"t{asked}")
            if answer is None or answer == Searcher.FINISHED:
                break
            in_flight[f"t{asked}"] = answer
            asked += 1
            log.append(answer)
            yield asked, in_flight
        if not in_flight:
            assert answer == Searcher.FINISHED
            return
        trial_id = sorted(in_flight, key=lambda name: int(name[1:]))[len(log) % len(in_flight)]
        config = in_flight.pop(trial_id)
        loss = loss_of(config)
        todo = config[promotion.JOB_KEY]
        if todo["trial"] == 4:
            searcher.on_trial_complete(trial_id, error=True)
        else:
            searcher.on_trial_complete(trial_id, {"loss": math.nan if todo["trial"] == 5 else loss})
        yield asked, in_flight


def test_a_searcher_restored_at_any_moment_decides_the_same(tmp_path):
    whole = []
    steps = sum(1 for _ in drive(make(tmp_path), whole))
    assert len(whole) > 9
    for moment in range(steps):
        log = []
        original = make(tmp_path)
        asked, in_flight = next(itertools.islice(drive(original, log), moment, None))
        original.save(str(tmp_path / "state"))
        restored = make(tmp_path, folder=None, max_concurrent=2)
        restored._max_concurrent = None if moment % 2 else 3
        restored.restore(str(tmp_path / "state"))
        for _ in drive(restored, log, asked, in_flight):
            pass
        assert log == whole
        restored.save(str(tmp_path / "again"))
        assert len(json.loads((tmp_path / "again").read_text())["log"]) == 2 * len(whole)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("r", 3), ("R", 27), ("eta", 2), ("rungs", "released"), ("configs", 10), ("promotion", "eager"), ("seed", 1),
        ("metric", "error"), ("mode", "max"),
    ],
)  # fmt: skip
def test_a_searcher_of_other_arguments_restores_nothing(tmp_path, name, other):
    original = make(tmp_path)
    original.suggest("a")
    original.save(str(tmp_path / "state"))
    searcher = make(tmp_path, **{name: other})
    with pytest.raises(InvalidValue, match=f"^{name} = {other!r}: must be .*, as in the searcher that was saved in"):
        searcher.restore(str(tmp_path / "state"))
    assert job(searcher.suggest("a")).trial == 0


def test_the_folder_is_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = make(tmp_path, folder="here").suggest("a")
    monkeypatch.chdir("/")  # as a worker may be
    assert job(config).folder == tmp_path / "here" / "trial-00000"


def test_the_example_of_the_guide_goes_on_from_its_state(tmp_path, monkeypatch):
    guide = Path(__file__).resolve().parents[3] / "docs/guide.md"
    code = guide.read_text(encoding="utf-8").split("```python notest\n")[1].split("space = ")[0]
    reports, names = [], {}
    exec(compile(code, "guide.md", "exec"), names)
    monkeypatch.setattr(names["tune"], "report", reports.append)
    config = {"x": 0.0, promotion.JOB_KEY: {"trial": 0, "rung": 0, "start": 0, "stop": 2, "folder": str(tmp_path)}}
    for _ in range(2):  # the second time as after a crash behind the last epoch
        names["trainable"](config)
    config[promotion.JOB_KEY] |= {"rung": 1, "start": 2, "stop": 3}
    names["trainable"](config)
    assert reports == [{"loss": pytest.approx(0.9**n), "epochs": n} for n in (2, 2, 3)]
    (tmp_path / "state.json").unlink()
    with pytest.raises(FileNotFoundError, match="the state of epoch 2 is gone"):
        names["trainable"](config)


def test_a_job_says_what_to_do(tmp_path):
    config = make(tmp_path).suggest("a")
    todo = job(config)
    assert todo == TuneJob(trial=0, rung=0, start=0, stop=1, folder=tmp_path / "trials" / "trial-00000")
    assert todo.folder.is_dir()
    assert set(config) == {"lr", "op", promotion.JOB_KEY}
    json.dumps(config)


@pytest.mark.parametrize(("mode", "best"), [("min", 0), ("max", 2)])
def test_the_direction(tmp_path, mode, best):
    searcher = make(tmp_path, mode=mode, configs=3)
    for number in range(3):
        searcher.suggest(f"t{number}")
        searcher.on_trial_complete(f"t{number}", {"loss": float(number)})
    assert job(searcher.suggest("up")).trial == best


@pytest.mark.parametrize(
    ("result", "error", "counts"),
    [
        ({"loss": math.nan}, False, True),  # diverged: a result, ranked last
        ({"loss": math.inf}, False, True),
        ({"loss": 0.0}, True, False),  # errored: nothing was learned
        (None, False, False),
        ({"other": 0.0}, False, False),
        ({"loss": "0.5"}, False, False),  # no number
        ({"loss": [0.5, 1.0]}, False, False),
        ({"loss": 10**400}, False, False),
        ({"loss": np.float32(3.0)}, False, True),
    ],
)
def test_a_job_without_a_loss(tmp_path, result, error, counts):
    searcher = make(tmp_path, configs=3)
    for number in range(3):
        searcher.suggest(f"t{number}")
    searcher.on_trial_complete("t0", {"loss": 1.0})
    searcher.on_trial_complete("t1", {"loss": 2.0})
    searcher.on_trial_complete("t2", result, error=error)
    answer = searcher.suggest("up")
    if counts:  # 3 results, 3 // 3 = 1 goes up
        assert job(answer).trial == 0
    else:
        assert answer == Searcher.FINISHED
    searcher.on_trial_complete("unknown", {"loss": 1.0})


def test_no_more_than_max_concurrent_at_a_time(tmp_path):
    searcher = make(tmp_path, max_concurrent=2)
    assert [searcher.suggest(name) is None for name in "abc"] == [False, False, True]
    searcher.on_trial_complete("a", {"loss": 1.0})
    assert searcher.suggest("d") is not None
    assert searcher.suggest("e") is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "lowest"}, "mode = 'lowest': must be 'min' or 'max'"),
        ({"eta": 1}, "eta = 1: the reduction factor must be an integer >= 2"),
        ({"r": 10}, "r = 10: must not exceed R = 9"),
        ({"configs": 0}, "configs = 0: must be at least 1"),
        ({"max_concurrent": 0}, "max_concurrent = 0: must be at least 1"),
        ({"promotion": "keen"}, "unknown promotion 'keen'"),
        ({"rungs": "even"}, "unknown ladder 'even'"),
    ],
)
def test_values_that_make_no_study(tmp_path, options, message):
    with pytest.raises(UserError) as caught:
        make(tmp_path, **options)
    assert str(caught.value).startswith(message)


def test_a_space_that_is_none():
    with pytest.raises(InvalidValue, match=r"space\.lr = .*must be"):
        PromotionASHA({"lr": {"between": [0, 1]}}, metric="loss", configs=1)
