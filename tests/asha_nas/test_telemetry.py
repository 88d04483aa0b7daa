"""The numbers that are watched: those of the log, whatever was resumed, and exported by Ray."""

import time
import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asha_nas
from asha_nas.store import Asked, Failed, Reported, Store, Told
from asha_nas.telemetry import Telemetry
from cluster import metrics
from trials.contract import Checkpoint, Failure

SPACE = {"x": {"range": [0.0, 1.0]}}


class Recorder:
    """Keeps the newest value of each gauge, and all that was counted or observed."""

    def __init__(self):
        self.gauges, self.others = {}, []

    def __call__(self, metric, value, tags):
        assert set(tags) == set(metric.tags)
        if metric.kind == "gauge":
            self.gauges[metric.name, *tags.values()] = value
        else:
            self.others.append((metric.name, value))


@pytest.fixture
def store(tmp_path):
    store = Store(str(tmp_path / "studies.db"))
    yield store
    store.close()


def study_of(store, objective, name="study", **more):
    more.setdefault("engine", asha_nas.Workers(kind="inline"))
    more.setdefault("scheduler", asha_nas.Asha(R=9, eta=3, configs=9))
    return asha_nas.objective_study(name, objective, SPACE, store=store, **more)


def parabola(task):
    from trials.contract import Report

    for epoch in range(task.start + 1, task.stop + 1):
        yield Report(epoch, {"loss": (task.config["x"] - 0.3) ** 2 + 1 / epoch})


def uneven(task):
    """Trials of which some diverge, crash once or crash for good."""
    for epoch in range(task.start + 1, task.stop + 1):
        if task.trial == 4:
            raise RuntimeError("on purpose")
        yield {"loss": float("nan") if task.trial == 5 else task.config["x"] + 1 / epoch}


def test_totals_are_those_of_the_log(store):
    study, live = study_of(store, uneven), Recorder()
    telemetry = Telemetry(study.spec, live)
    study.run([telemetry.take])
    history = study.history()
    gauges = live.gauges
    assert gauges["asha_nas_trials",] == len(history.trials) == 9
    assert gauges["asha_nas_epochs",] == history.cost().epochs
    states = [job.state for job in history.jobs.values()]
    for state in ("running", "done", "diverged", "failed"):
        assert gauges["asha_nas_jobs", state] == states.count(state)
    assert gauges["asha_nas_failed_attempts", "crashed"] == 1
    for rung in history.rungs():
        of_rung = (str(rung.rung), str(rung.epochs))
        assert gauges.get(("asha_nas_results", *of_rung), 0) == rung.results
        assert gauges.get(("asha_nas_promotions", *of_rung), 0) == rung.promoted
    assert gauges["asha_nas_best", "loss"] == history.best.loss
    assert sum(name == "asha_nas_job_overhead_seconds" for name, _ in live.others) == len(history.jobs)
    assert sum(name == "asha_nas_epoch_seconds" for name, _ in live.others) == len(study.reports())

    replayed = Recorder()
    Telemetry(study.spec, replayed).replay(store.rows(store.study("study")))
    assert replayed.gauges == gauges and not replayed.others


@given(cut=st.integers(0, 60))
def test_a_driver_that_takes_over_goes_on_from_the_totals(cut, tmp_path_factory):
    store = Store(str(tmp_path_factory.mktemp("store") / "studies.db"))
    study, whole = study_of(store, uneven), Recorder()
    study.run([Telemetry(study.spec, whole).take])
    rows = list(store.rows(store.study("study")))
    store.close()
    resumed = Recorder()
    telemetry = Telemetry(study.spec, resumed)
    telemetry.replay(rows[:cut])
    for row in rows[cut:]:
        telemetry.take(row.event)
    assert resumed.gauges == whole.gauges


def test_more_is_better_is_shown_as_it_is(store):
    study, meter = study_of(store, lambda task: task.config["x"], metric="accuracy", mode="max"), Recorder()
    study.run([Telemetry(study.spec, meter).take])
    values = [job.metrics[job.stop]["accuracy"] for job in study.history().jobs.values()]
    assert meter.gauges["asha_nas_best", "accuracy"] == max(values)


def test_overhead_is_what_reports_do_not_account_for(store):
    study, meter, now = study_of(store, uneven), Recorder(), [0.0]
    telemetry = Telemetry(study.spec, meter, clock=lambda: now[0])

    def at(seconds, event):
        now[0] = seconds
        telemetry.take(event)

    at(10.0, Asked(job=0, trial=0, rung=1, start=0, stop=3, config={}))
    at(14.0, Failed(job=0, attempt=0, failure=Failure("worker_lost", "gone")))
    kept = Checkpoint("epoch-3.ckpt", 3, "0" * 64, 1234)
    at(20.0, Reported(job=0, epoch=2, metrics={"loss": 1.0}, clock={"seconds": 4.0}))
    at(21.0, Reported(job=0, epoch=3, metrics={"loss": 1.0}, clock={"seconds": 1.5}, checkpoint=kept))
    at(22.0, Told(job=0, loss=1.0))
    assert meter.others == [
        ("asha_nas_epoch_seconds", 4.0), ("asha_nas_epoch_seconds", 1.5), ("asha_nas_checkpoint_bytes", 1234),
        ("asha_nas_job_overhead_seconds", 12.0 - 5.5),
    ]  # fmt: skip
    assert meter.gauges["asha_nas_epochs",] == 3
    assert meter.gauges["asha_nas_failed_attempts", "worker_lost"] == 1


def test_names_are_prometheus_names_and_known_once():
    names = [name for metric in metrics.METRICS for name in metric.exported]
    assert len(set(names)) == len(names)
    assert all(name.startswith("ray_asha_nas_") and name.replace("_", "").isalnum() for name in names)
    assert set(metrics.METRICS) == {each for each in vars(metrics).values() if isinstance(each, metrics.Metric)}


def exported():
    """What the agents of this Ray's nodes export of ours, by name and tags of interest."""
    import ray

    found = {}
    for node in ray.nodes():
        url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith("ray_asha_nas_"):
                    name, _, rest = line.partition("{")
                    inside, _, value = rest.rpartition("} ")
                    tags = dict(part.split("=", 1) for part in inside.split(",") if "=" in part)
                    key = [tags.get(tag, '""').strip('"') for tag in ("study", "state", "rung", "metric", "failure")]
                    found[name, *filter(None, key)] = float(value)
    return found


def wait_for(expected, seconds=60):
    """Until Ray, which passes its metrics on every ten seconds, has exported these. Gives all that it exports."""
    deadline = time.monotonic() + seconds
    while not expected.items() <= (found := exported()).items():
        assert time.monotonic() < deadline, {key: (value, found.get(key)) for key, value in expected.items()}
        time.sleep(0.5)
    return found


@pytest.mark.ray
def test_ray_exports_them(local_ray, store):
    from cluster.meter import RayMeter

    study, name = study_of(store, parabola), "by hand"
    with RayMeter(name) as meter:
        study.run([Telemetry(study.spec, meter).take])
        rungs = study.history().rungs()
        found = wait_for(
            {
                ("ray_asha_nas_trials", name): 9, ("ray_asha_nas_jobs", name, "done"): 13,
                ("ray_asha_nas_jobs", name, "running"): 0, ("ray_asha_nas_epochs", name): 21,
                ("ray_asha_nas_epoch_seconds_count", name): 21, ("ray_asha_nas_job_overhead_seconds_count", name): 13,
                **{("ray_asha_nas_results", name, str(each.rung)): each.results for each in rungs},
                **{("ray_asha_nas_promotions", name, str(each.rung)): each.promoted for each in rungs[:-1]},
            }
        )  # fmt: skip
    assert found["ray_asha_nas_best", name, "loss"] == pytest.approx(study.history().best.loss)
    known = {each for metric in metrics.METRICS for each in metric.exported}
    assert {key[0] for key in found} <= known


@pytest.mark.ray
def test_a_study_on_ray_is_measured_without_being_asked(local_ray, store):
    study = study_of(store, parabola, name="watched", engine=asha_nas.Workers(workers=2))
    assert study.run() == "done"
    counts = ("ray_asha_nas_epoch_seconds_count", "ray_asha_nas_job_overhead_seconds_count")
    wait_for(dict(zip(((count, "watched") for count in counts), (21, 13), strict=True)))


@pytest.mark.ray
def test_the_share_of_a_ray_that_others_may_use_is_measured(local_ray, store):
    def lasting(task):
        time.sleep(6.0)  # longer than it takes until gauges are set
        yield from parabola(task)

    two = {"engine": asha_nas.Workers(), "scheduler": asha_nas.Random(R=1, configs=2)}
    assert study_of(store, lasting, name="shared", **two).run() == "done"
    wait_for({("ray_asha_nas_share", "shared"): 2})


@pytest.mark.ray
def test_a_gauge_that_keeps_its_value_stays(local_ray):
    """Ray would drop it after twenty seconds."""
    from cluster.meter import RayMeter

    with RayMeter("steady") as meter:
        meter(metrics.TRIALS, 7, {})
        wait_for({("ray_asha_nas_trials", "steady"): 7})
        until = time.monotonic() + 22
        while time.monotonic() < until:
            assert exported()["ray_asha_nas_trials", "steady"] == 7
            time.sleep(1)
