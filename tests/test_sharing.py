"""Studies that run at the same time on one cluster get their shares of it, whoever came first, and nobody's is lost."""

import json
import subprocess
import sys
from collections import Counter
from itertools import groupby

import pytest

from asha_nas.store import Failed, Store, Told
from tests.crash.processes import born, wait_until
from tests.ray_nodes import Nodes

pytestmark = [pytest.mark.ray, pytest.mark.kill]

STUDY = """
checkpoints = "{folder}/checkpoints"
[problem]
kind = "objective"
objective = "tests.crowd:train"
space = {{ x = {{ range = [0.0, 1.0] }} }}
metric = "loss"
[scheduler]
kind = "random"
R = 1
configs = {configs}
"""
COMMAND = """
import sys
from asha_nas import sharing
sharing.TURN_SECONDS = float(sys.argv.pop(1))
from asha_nas.cli import main
main()
"""


class Crowd:
    """A cluster of one node, and drivers of studies on it, each a process."""

    def __init__(self, folder, cpus, configs, turn=30.0):
        self.folder, self.configs, self._turn = folder, configs, turn
        self._nodes = Nodes()
        self._nodes.environment |= {"CROWD_FOLDER": str(folder), "ASHA_NAS_STORE": str(folder / "studies.db")}
        self.drivers = {}
        self.file = folder / "study.toml"
        self.file.write_text(STUDY.format(folder=folder, configs=configs))
        self._nodes.start("127.0.0.1", f"--num-cpus={cpus}")

    def run(self, name, *options):
        """Begin a study, or go on with it."""
        words = ["run", str(self.file), "--name", name, "--resume", "--json", *options]
        with (self.folder / f"{name}.log").open("a") as log:
            self.drivers[name] = subprocess.Popen(
                [sys.executable, "-c", COMMAND, str(self._turn), *words],
                env={**self._nodes.environment, "RAY_ADDRESS": self._nodes.address},
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._nodes.started.append(self.drivers[name])  # ended with them

    def kill(self, name):
        """The driver dies, without a word to anybody."""
        self.drivers[name].kill()
        self.drivers.pop(name).wait()

    def running(self):
        """Jobs that run now, by study."""
        for name, driver in self.drivers.items():
            assert driver.poll() is None, f"{name} is over: {(self.folder / f'{name}.log').read_text()}"
        jobs = [path.name.split("-") for path in self.folder.glob("running-*")]
        return Counter(study for _, study, _, pid in jobs if born(int(pid)))

    def ended(self):
        """Whose jobs have ended, in order."""
        file = self.folder / "ended"
        return file.read_text().split() if file.exists() else []

    def listed(self):
        """What `asha-nas ls` says of who has how many workers."""
        words = [sys.executable, "-c", "from asha_nas.cli import main; main()", "ls", "--json"]
        rows = json.loads(subprocess.check_output(words, env=self._nodes.environment))
        return {row["name"]: row["workers"] for row in rows if row["workers"] is not None}

    def finish(self):
        """Have all that is left done quickly, and see that nothing of it is missing or wrong."""
        (self.folder / "hurry").touch()
        for name, driver in self.drivers.items():
            assert driver.wait(200) == 0, (self.folder / f"{name}.log").read_text()
        store = Store(str(self.folder / "studies.db"))
        assert store.claims() == []
        for name in self.drivers:
            events = [row.event for row in store.rows(store.study(name))]
            told = {event.job: event.loss for event in events if isinstance(event, Told)}
            assert told == {job: float(job) for job in range(self.configs)}
            assert not [event for event in events if isinstance(event, Failed)]
        store.close()

    def close(self):
        self._nodes.close()


@pytest.fixture
def crowd(tmp_path):
    made = []

    def crowd(*arguments, **named):
        made.append(Crowd(tmp_path, *arguments, **named))
        return made[0]

    yield crowd
    for each in made:
        each.close()


def test_studies_that_come_later_get_their_shares(crowd):
    crowd = crowd(cpus=4, configs=300)
    crowd.run("first")
    wait_until(lambda: crowd.running() == {"first": 4}, "the first study on the whole cluster")
    crowd.run("second")
    wait_until(lambda: crowd.running() == {"first": 2, "second": 2}, "two workers each")
    crowd.run("urgent", "--priority", "2")
    shares = {"first": 1, "second": 1, "urgent": 2}
    wait_until(lambda: crowd.running() == shares, "twice the workers for twice the priority")
    wait_until(lambda: crowd.listed() == shares, "ls saying so")
    # A driver that dies leaves a claim that lapses.
    crowd.kill("urgent")
    wait_until(lambda: crowd.running() == {"first": 2, "second": 2}, "its workers back among the others")
    crowd.run("urgent", "--priority", "6")  # it goes on
    wait_until(lambda: crowd.running() == shares, "a job for each, whatever the weights")
    assert Counter(crowd.ended())["first"] < crowd.configs
    crowd.finish()


def test_three_times_the_priority(crowd):
    crowd = crowd(cpus=4, configs=150)
    crowd.run("plain")
    wait_until(lambda: crowd.running() == {"plain": 4}, "the first study on the whole cluster")
    crowd.run("urgent", "--priority", "3")
    wait_until(lambda: crowd.running() == {"plain": 1, "urgent": 3}, "three to one")
    crowd.finish()


def test_on_one_processor_studies_take_turns(crowd):
    crowd = crowd(cpus=1, configs=100, turn=2.0)
    crowd.run("first")
    wait_until(lambda: crowd.running() == {"first": 1}, "the first study")
    crowd.run("second")
    turns = wait_until(lambda: len(found := [name for name, _ in groupby(crowd.ended())]) >= 5 and found, "five turns")
    assert turns[:5] == ["first", "second"] * 2 + ["first"]
    assert all(jobs <= 1 for jobs in crowd.running().values())
    crowd.finish()
