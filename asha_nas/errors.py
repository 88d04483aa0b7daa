"""Every error a person can meet, in one tree.

::

UserError                     exit code 2, one or two lines: value, rule, remedy
├── InvalidValue              a value breaks a rule
├── UnknownName               no such space, data set, ladder, …; offers the nearest name
├── SpecError                 a study file or a set of options does not make a study
├── StudyExists               the name is taken
├── StudyNotFound             no study of that name in the store
├── StudyAmbiguous            several people have a study of that name
├── StudyOfOthers             another's study is to be written, and its owner was not named
├── StudyLocked               another driver is running it
├── LeaseLost                 another driver took the study over while this one ran
├── StoreUnavailable          the store cannot be opened or written
├── StudyUnreadable           a study's row or log is damaged, or in a form this version does not read
├── ReplayMismatch            this version would have decided otherwise than the log says
├── TrialNotFound             the study has no such trial
├── NoResult                  nothing has finished yet
├── TableIncomplete           a study that builds a table lacks results of some cells
├── PackagesOverwritten       another distribution took one of our package names
├── ClusterUnreachable        cluster.connection: no Ray answers at the address
├── ClusterLost               cluster.watch: the head of the cluster is gone
├── NodeNotStarted            cluster.launch: Ray failed to start
├── TokenMissing, TokenUnsafe, TokenRejected
│                             cluster.token: there is none, others may read it, it is another's
├── JobNotFound, JobExists    cluster.jobs: the cluster has no such job, or has it already
├── DataMissing, DataDamaged  trials.data: a data set is not there, or not whole
├── DataNotFetched            trials.data: a download failed, or did not give what it should
└── CheckpointMissing, CheckpointDamaged, CheckpointNotWritten
trials.checkpoint: not written or not readable; noted in a job's reports, and told in words
TrialFailure                  trials.contract: recorded, retried by policy, never fatal for a study
├── Diverged
└── OutOfMemory
ProtocolError                 a scheduler used against its protocol: our defect, not a user's
"""

from __future__ import annotations

from spaces.errors import InvalidValue, UnknownName, UserError
from trials.contract import Diverged, OutOfMemory, TrialFailure


class SpecError(UserError):
    """A study file, or a set of options, does not make a study."""


class StudyExists(UserError):
    """The name of the study is taken."""


class StudyNotFound(UserError):
    """The store has no study of that name."""


class StudyAmbiguous(UserError):
    """Several people have a study of that name."""


class StudyOfOthers(UserError):
    """Another's study is to be written, and its owner was not named."""


class StudyLocked(UserError):
    """Another driver holds the study's lease."""


class LeaseLost(UserError):
    """Another driver took the study over; this one must stop writing at once."""


class StoreUnavailable(UserError):
    """The store cannot be opened or written."""


class StudyUnreadable(UserError):
    """What the store holds of a study is damaged, or in a form that this version does not read."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(
            f"study {name!r} cannot be read: {what}\n"
            "Read it with the version of asha-nas it was made with, or bring the store back from a backup."
        )


class ReplayMismatch(UserError):
    """The log holds decisions that this version would not make."""


class TrialNotFound(UserError):
    """The study has no trial of that number."""


class NoResult(UserError):
    """Nothing has finished yet, so there is nothing to show."""


class TableIncomplete(UserError):
    """A study that builds a table lacks the results of some cells."""


class PackagesOverwritten(UserError):
    """One of our package names resolves to another distribution's code."""


__all__ = [
    "Diverged", "InvalidValue", "LeaseLost", "NoResult", "OutOfMemory", "PackagesOverwritten", "ReplayMismatch",
    "SpecError", "StoreUnavailable", "StudyAmbiguous", "StudyExists", "StudyLocked", "StudyNotFound", "StudyOfOthers",
    "StudyUnreadable", "TableIncomplete", "TrialFailure", "TrialNotFound", "UnknownName", "UserError",
]  # fmt: skip
