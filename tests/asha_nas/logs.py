"""Logs written by hand: studies as a store holds them, without running any."""

from asha_nas.provenance import provenance
from asha_nas.store import Asked, Closed, Opened, Reported, Told
from asha_nas.store.events import to_json


def write(store, spec, events, closed="done"):
    """Put a study with these events into a store."""
    record = store.create(spec.name, spec.model_dump_json(), to_json(provenance()))
    lease = store.lease(record)
    ending = [Closed(session=0, reason=closed)] if closed else []
    for event in [Opened(session=0), *events, *ending]:
        store.append(lease, event)
    lease.release()


def job(number, trial, stop, metrics, loss, config=None, clock=None):
    """One job from scratch, from asking to telling."""
    return (
        Asked(job=number, trial=trial, rung=0, start=0, stop=stop, config=config),
        Reported(job=number, epoch=stop, metrics=metrics, clock=clock or {"seconds": 10.0}),
        Told(job=number, loss=loss),
    )
