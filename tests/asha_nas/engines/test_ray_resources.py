"""What a job may use: processors, and whole or shared GPUs."""

import importlib

import pytest

from asha_nas.engines import Assignment
from asha_nas.samplers import Independent
from asha_nas.schedulers import ASHA, Answer, Outcome
from spaces.errors import InvalidValue
from trials.contract import Report, Task

pytestmark = pytest.mark.ray


class Source:
    """Hands out ``configs`` jobs of one epoch, and keeps what they report."""

    def __init__(self, configs):
        self.scheduler = ASHA(Independent(lambda rng: {}, 0), rungs=(1,), eta=2, configs=configs)
        self.reports = []
        self.failures = []

    def ask(self):
        job = self.scheduler.ask()
        return job if isinstance(job, Answer) else Assignment(job, 0, Task(job.trial, {}, 0, 1, 0, "/none"))

    def report(self, assignment, report):
        self.reports.append(report)

    def leave(self):
        return False

    def ended(self, assignment, failure):
        self.failures.append(failure)
        self.scheduler.tell(assignment.job, Outcome(0.0))


def resources(task):
    import ray

    mine = ray.get_runtime_context().get_assigned_resources()
    yield Report(task.stop, {"cpu": mine.get("CPU", 0.0), "gpu": mine.get("GPU", 0.0)})


@pytest.mark.parametrize(("cpus", "gpus"), [(1.0, 0.0), (0.5, 0.5), (1.0, 1.0), (2.0, 0.25)])
def test_each_job_has_what_it_was_promised(local_ray, cpus, gpus):
    from asha_nas.engines.ray_tune import RayTuneEngine

    source = Source(4)
    RayTuneEngine(cpus_per_trial=cpus, gpus_per_trial=gpus).run(source, resources)
    assert source.failures == [None] * 4
    assert {(report.metrics["cpu"], report.metrics["gpu"]) for report in source.reports} == {(cpus, gpus)}


def test_two_jobs_share_a_gpu(local_ray, tmp_path):
    """Each waits for the other to have begun, so they can end only if they run together."""
    from asha_nas.engines.ray_tune import RayTuneEngine

    folder = str(tmp_path)

    def meet(task):
        import time
        from pathlib import Path

        (Path(folder) / str(task.trial)).touch()
        deadline = time.monotonic() + 60
        while len(list(Path(folder).iterdir())) < 2:
            if time.monotonic() > deadline:
                raise TimeoutError("the other job never began")
            time.sleep(0.01)
        yield Report(task.stop, {"loss": 0.0})

    source = Source(2)
    RayTuneEngine(cpus_per_trial=1.0, gpus_per_trial=0.5).run(source, meet)
    assert source.failures == [None, None]


@pytest.mark.parametrize(("cpus", "gpus"), [(3.0, 0.0), (1.0, 2.0)])
def test_a_job_that_can_never_run_is_told(local_ray, cpus, gpus):
    from asha_nas.engines.ray_tune import RayTuneEngine

    with pytest.raises(InvalidValue, match=r"Ray has only 2 CPUs and 1 GPUs"):
        RayTuneEngine(cpus_per_trial=cpus, gpus_per_trial=gpus).run(Source(1), resources)


def test_a_trial_that_workers_cannot_load_fails_with_its_reason(local_ray):
    from asha_nas.engines.ray_tune import RayTuneEngine

    source = Source(1)
    RayTuneEngine(workers=1).run(source, Unloadable())
    [failure] = source.failures
    assert failure.kind == "crashed"
    assert "No module named 'only_on_the_driver'" in failure.reason


class Unloadable:
    """A trial of a module that workers lack."""

    def __reduce__(self):
        return importlib.import_module, ("only_on_the_driver",)
