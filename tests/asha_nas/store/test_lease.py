"""Whose lease may be taken at once: only that of a process which this one would see if it were there."""

import os
import socket
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from asha_nas.errors import StudyLocked
from asha_nas.store import Store
from asha_nas.store.lease import Holder
from asha_nas.store.schema import leases

pytestmark = pytest.mark.skipif(not Holder.me().born, reason="this system does not tell when a process started")


@pytest.fixture
def gone():
    """The holder that a process was which is not there any more."""
    code = "from asha_nas.store.lease import Holder; h = Holder.me(); print(h.host, h.pid, h.born)"
    host, pid, born = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    return Holder(host, int(pid), born)


def elsewhere(born):
    """The same process number and time, in another PID namespace of this boot."""
    boot, namespace, start = born.split(":")
    return f"{boot}:{int(namespace) + 1}:{start}"


def test_this_process_is_not_gone():
    me = Holder.me()
    assert len(me.born) <= 40  # the column
    assert not me.surely_gone()
    assert Holder(me.host, me.pid, me.born + "1").surely_gone()  # its number was given to another process


def test_an_ended_process_is_gone(gone):
    assert gone.surely_gone()


def test_a_process_that_could_not_be_seen_is_never_surely_gone(gone):
    boot, namespace, start = gone.born.split(":")
    for host, born in [
        (gone.host, elsewhere(gone.born)),
        ("another-host", gone.born),
        (gone.host, f"00000000-0000:{namespace}:{start}"),  # another machine of the same name
        (gone.host, f"{boot}:{start}"),
        (gone.host, ""),
    ]:
        assert not Holder(host, gone.pid, born).surely_gone()


def test_no_proc_of_our_own(gone, monkeypatch):
    """In a PID namespace of our own behind the /proc of another one, pids name other processes."""
    monkeypatch.setattr(os, "getpid", lambda: 10**6)
    assert Holder.me().born == ""
    assert not gone.surely_gone()


@pytest.mark.parametrize("since", [-100, 100], ids=["long ago", "before the clock was set back"])
@pytest.mark.parametrize(("where", "free"), [("here", True), ("another container", False)])
def test_the_lease_of_a_holder_that_is_not_seen(tmp_path, gone, where, free, since):
    store = Store(str(tmp_path / "studies.db"))
    study = store.create("nas", "{}", "{}")
    born = gone.born if free else elsewhere(gone.born)
    row = {"token": "theirs", "host": socket.gethostname(), "pid": gone.pid, "born": born, "renewed": time.time()}
    with store._database.engine.begin() as connection:
        connection.execute(leases.insert().values(study=study.id, **row))
    assert store.is_leased(study) == (not free)
    if not free:
        with pytest.raises(StudyLocked, match="is being run by another driver"):
            store.lease(study)
        with store._database.engine.begin() as connection:
            connection.execute(sa.update(leases).values(renewed=time.time() + since))
    store.lease(study).release()
    store.close()
