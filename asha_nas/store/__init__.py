"""The store: studies and their logs, in a database. The only package that imports SQLAlchemy."""

from asha_nas.store.events import Asked, Closed, Event, Failed, Listener, Opened, Repeated, Reported, Told
from asha_nas.store.lease import Lease
from asha_nas.store.log import Row, Store, StudyRecord

__all__ = [
    "Asked", "Closed", "Event", "Failed", "Lease", "Listener", "Opened", "Repeated", "Reported", "Row", "Store",
    "StudyRecord", "Told",
]  # fmt: skip
