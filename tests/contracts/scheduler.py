"""The suite every scheduler core passes: the guarantees of `asha_nas.schedulers.protocol`.

A law is a function of `(make, play)`. `make()` gives a fresh core, always with the same arguments; a
`Play` says how many workers there are, in which order jobs end, and how. A test module runs every law
of `LAWS` over its cores with `plays()`; see `tests/asha_nas/schedulers/test_contract.py`.
"""

import dataclasses
import math
from dataclasses import dataclass

import pytest
from hypothesis import strategies as st

from asha_nas.schedulers import DONE, WAIT, Job, Outcome, ProtocolError

CRASHED = Outcome(None)
DIVERGED = Outcome(None, diverged=True)


@dataclass(frozen=True)
class Play:
    """How a study goes: the i-th job to end is `which` of those in flight, and ends with `outcome`."""

    workers: int
    ends: tuple[tuple[int, Outcome], ...]  # repeated from the start when used up
    asks: int = 40  # jobs to hand out at most, for cores without a bound

    def end(self, number, in_flight):
        """The job that ends next, and how it ends."""
        which, outcome = self.ends[number % len(self.ends)]
        return in_flight[which % len(in_flight)], outcome


def outcomes():
    """Losses with many ties, very close and very large ones, crashes, and divergence."""
    few = st.integers(0, 3).map(float)
    many = st.floats(-1e300, 1e300) | st.sampled_from([0.0, -0.0, 1.0, math.nextafter(1.0, 2.0), 5e-324])
    return st.one_of(few.map(Outcome), few.map(Outcome), many.map(Outcome), st.sampled_from([CRASHED, DIVERGED]))


def plays(max_workers=9):
    """Any number of workers, any order of ends, any outcomes."""
    ends = st.lists(st.tuples(st.integers(0, max_workers - 1), outcomes()), min_size=1, max_size=30)
    return st.builds(Play, st.integers(1, max_workers), ends.map(tuple))


class Table:
    """Runs a core by a play, and writes down what happened: jobs asked, and (job, outcome) told."""

    def __init__(self, core, play):
        self.core = core
        self.play = play
        self.log = []
        self.in_flight = []
        self.answers = []  # every answer that was no job, with how many jobs were in flight
        self.told = 0
        self.over = False

    def turn(self):
        """Fill the free workers, then let one job end. Sets `over` when there is nothing left to do."""
        answer = None
        asked = sum(isinstance(entry, Job) for entry in self.log)
        while len(self.in_flight) < self.play.workers and asked < self.play.asks:
            answer = self.core.ask()
            if not isinstance(answer, Job):
                self.answers.append((answer, len(self.in_flight)))
                break
            asked += 1
            self.log.append(answer)
            self.in_flight.append(answer)
        if self.in_flight:
            job, outcome = self.play.end(self.told, self.in_flight)
            self.in_flight.remove(job)
            self.core.tell(job, outcome)
            self.log.append((job, outcome))
            self.told += 1
        else:
            self.over = True

    def finish(self):
        """Turn until the study is over, or has handed out as many jobs as the play allows."""
        while not self.over:
            self.turn()
        return self


def feed(core, log):
    """Ask and tell what a log says, and insist on the same jobs."""
    for entry in log:
        if isinstance(entry, Job):
            assert core.ask() == entry
        else:
            core.tell(*entry)
    return core


def jobs_of(log):
    return [entry for entry in log if isinstance(entry, Job)]


# --- the laws, numbered as in the protocol -------------------------------------------------------------


def replaying_any_prefix_gives_the_same_core(make, play):
    """1: whatever part of the log a fresh core is fed, it goes on as the one that wrote it did."""
    log = Table(make(), play).finish().log
    for length in range(len(log) + 1):
        core = feed(make(), log[:length])
        feed(core, log[length:])


def two_cores_share_nothing(make, play):
    """1: two cores that are driven turn by turn in one process do not feel each other."""
    alone = Table(make(), play).finish()
    first, second = Table(make(), play), Table(make(), play)
    while not (first.over and second.over):
        for table in (first, first, second):
            if not table.over:
                table.turn()
    assert first.log == second.log == alone.log
    assert first.answers == second.answers == alone.answers


def waiting_changes_nothing(make, play):
    """2: asking again and again where the answer is WAIT or DONE leaves every later answer as it was."""

    class Impatient:
        def __init__(self):
            self.core = make()
            self.tell = self.core.tell

        def ask(self):
            answer = self.core.ask()
            if not isinstance(answer, Job):
                assert [self.core.ask() for _ in range(3)] == [answer] * 3
            return answer

    impatient = Table(Impatient(), play).finish()
    patient = feed(make(), impatient.log)  # asks only where there was a job
    if jobs_of(impatient.log) and len(jobs_of(impatient.log)) < play.asks:
        assert patient.ask() is DONE


def wait_ends(make, play):
    """3: WAIT only while a job is in flight; once all are told, there is a job or DONE."""
    table = Table(make(), play)
    while not table.over and table.told < 12:
        table.turn()
        core = feed(make(), table.log)
        for number, job in enumerate(table.in_flight):
            core.tell(job, play.end(number, [job])[1])
        assert core.ask() is not WAIT
    table.finish()
    assert all(answer is DONE or in_flight > 0 for answer, in_flight in table.answers)


def done_is_final(make, play):
    """4: DONE is answered only when nothing is in flight, and then for ever."""
    table = Table(make(), play).finish()
    assert all(in_flight == 0 for answer, in_flight in table.answers if answer is DONE)
    if len(jobs_of(table.log)) < play.asks:
        assert table.answers[-1] == (DONE, 0)
        assert [table.core.ask() for _ in range(5)] == [DONE] * 5
        for job in jobs_of(table.log):
            with pytest.raises(ProtocolError):
                table.core.tell(job, Outcome(0.0))
        assert table.core.ask() is DONE


def every_job_once(make, play):
    """5: jobs count 0, 1, 2, …; trials count in the order of their first job; no (trial, rung) twice."""
    jobs = jobs_of(Table(make(), play).finish().log)
    assert [job.number for job in jobs] == list(range(len(jobs)))
    first = list(dict.fromkeys(job.trial for job in jobs))
    assert first == list(range(len(first)))
    assert len({(job.trial, job.rung) for job in jobs}) == len(jobs)
    assert all(0 <= job.start < job.stop and job.epochs == job.stop - job.start for job in jobs)
    assert all(job.start == 0 <= job.rung for job in jobs if job.number == _first_job_of(job.trial, jobs))
    assert all(job.origin == "" for job in jobs if job.number != _first_job_of(job.trial, jobs))


def a_trial_is_one_thread(make, play):
    """6: at most one job of a trial at a time; the next one goes on where that stopped, or at 0, after a result."""
    trained, configs, in_flight, ended = {}, {}, set(), {}
    for entry in Table(make(), play).finish().log:
        if isinstance(entry, Job):
            assert entry.trial not in in_flight
            assert entry.start in (0, trained.get(entry.trial, 0))
            assert entry.config == configs.setdefault(entry.trial, dict(entry.config))
            if entry.trial in ended:
                job, outcome = ended[entry.trial]
                assert outcome.loss is not None
                assert entry.rung > job.rung
            in_flight.add(entry.trial)
        else:
            job, _ = entry
            in_flight.remove(job.trial)
            trained[job.trial] = job.stop
            ended[job.trial] = entry


def told_once(make, play):
    """7: a job is told while it is in flight, once; anything else raises and changes nothing."""
    table = Table(make(), play).finish()
    core = make()
    known, in_flight = [], []
    for entry in table.log:
        if isinstance(entry, Job):
            assert core.ask() == entry
            known.append(entry)
            in_flight.append(entry)
        else:
            core.tell(*entry)
            in_flight.remove(entry[0])
        lies = [job for job in known if job not in in_flight][-2:]
        lies += [dataclasses.replace(job, number=len(known) + 7) for job in known[-1:]]
        lies += [dataclasses.replace(job, **{field: getattr(job, field) + 1})
                 for job in in_flight[:1] for field in ("trial", "rung", "start", "stop")]  # fmt: skip
        for lie in lies:
            with pytest.raises(ProtocolError, match=str(lie.number)):
                core.tell(lie, Outcome(0.0))


def finished_is_final(make, play):
    """8: who is named as finished never has a job again, and asking for them at any moment decides nothing."""
    table = Table(make(), play).finish()
    for every in (1, 3):
        core, named, in_flight = make(), [], set()
        for number, entry in enumerate(table.log):
            if isinstance(entry, Job):
                assert core.ask() == entry
                assert entry.trial not in named
                in_flight.add(entry.trial)
            else:
                core.tell(*entry)
                in_flight.remove(entry[0].trial)
            if number % every == 0:
                found = list(core.finished())
                assert found[: len(named)] == named
                assert len(set(found)) == len(found)
                assert not in_flight.intersection(found)
                assert {job.trial for job in jobs_of(table.log[: number + 1])}.issuperset(found)
                named = found


def who_failed_is_finished(make, play):
    """8: at once, as nothing goes on from a failure."""
    table = Table(make(), play)
    while not table.over:
        told = table.told
        table.turn()
        if table.told > told:
            job, outcome = table.log[-1]
            if outcome.loss is None:
                assert job.trial in table.core.finished()


def in_the_end_all_are_finished(make, play):
    """8: when the study is over, no trial is left that something is kept for."""
    table = Table(make(), play).finish()
    if table.core.ask() is DONE:
        assert sorted(table.core.finished()) == sorted({job.trial for job in jobs_of(table.log)})


def _first_job_of(trial, jobs):
    return next(job.number for job in jobs if job.trial == trial)


LAWS = (
    replaying_any_prefix_gives_the_same_core,
    two_cores_share_nothing,
    waiting_changes_nothing,
    wait_ends,
    done_is_final,
    every_job_once,
    a_trial_is_one_thread,
    told_once,
    finished_is_final,
    who_failed_is_finished,
    in_the_end_all_are_finished,
)
