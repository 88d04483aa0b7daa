"""The Ray Tune engine keeps the guarantees of engines, and leaves no trace of Tune."""

import os
from pathlib import Path

import pytest

from asha_nas.engines.ray_tune import RayTuneEngine
from tests.contracts.engine import EngineContract, Source, make_trial

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]


class TestRayTune(EngineContract):
    workers = 2
    own_processes = True

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, local_ray):  # noqa: ARG003 - asked for, so that Ray is there first
        return RayTuneEngine(workers=2)

    def test_a_failing_source_does_not_wait_for_an_epoch_that_takes_an_hour(self, engine):
        source = Source(["stuck", "one"], self.workers, fails=("ended", 1))
        with pytest.raises(RuntimeError, match="the source failed in ended"):
            engine.run(source, make_trial())


def test_without_a_number_there_are_as_many_workers_as_fit():
    source = Source(["one"] * 6, workers=2)  # a Ray of two CPUs
    RayTuneEngine().run(source, make_trial())
    assert source.most_in_flight == 2


def test_nothing_of_tune_stays_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TUNE_MAX_PENDING_TRIALS_PG", "7")
    home = Path("~/ray_results").expanduser()
    had = home.exists()
    before = dict(os.environ)
    RayTuneEngine(workers=1).run(Source(["one"], workers=1), make_trial())
    assert dict(os.environ) == before
    assert not list(tmp_path.glob("asha-nas-tune-*"))
    assert home.exists() == had
