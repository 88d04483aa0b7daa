"""A study as a job of a Ray cluster: what is asked of it, and by what name."""

from __future__ import annotations

import shlex

from asha_nas.analysis.stored import stored_spec
from asha_nas.errors import StudyExists
from asha_nas.store import Store, StudyRecord
from asha_nas.study import StudySpec, Workers
from spaces.errors import InvalidValue


def on_cluster(spec: StudySpec) -> StudySpec:
    """The study as the cluster is to run it: by workers of the cluster that it is submitted to.

    Raises:
        InvalidValue: its engine needs no cluster.
    """
    if not isinstance(spec.engine, Workers) or spec.engine.kind != "ray":
        kind = spec.engine.kind
        raise InvalidValue("engine.kind", kind, "only studies of Ray can be submitted", "Leave it out, or run it here.")
    return spec.model_copy(update={"engine": spec.engine.model_copy(update={"address": None})})


def existing(spec: StudySpec, store: Store) -> StudyRecord | None:
    """The study in the store, if its user has it already and it says the same; ``None`` if there is none of its name.

    Its priority may be another: that is the driver's, and decides nothing about the study.

    Raises:
        StudyExists: there is another one of its name.
        StudyUnreadable: there is one that this version cannot read.
    """
    record = store.mine(spec.name)
    if record is None:
        return None
    if _but_for_priority(record.spec, store.called(record)) != _but_for_priority(spec.model_dump_json(), spec.name):
        raise StudyExists(
            f"a study named {spec.name!r} exists already, and is another one\n"
            f"Choose another --name, or go on with the one that is there: asha-nas resume {spec.name}."
        )
    return record


def job_name(record: StudyRecord) -> str:
    """The name of a study's job: another store may hold a study of the same name, made at another time."""
    return f"asha-nas-{record.key.replace('/', '-')}-{round(1e6 * record.created):x}"


def job_command(record: StudyRecord, spec: StudySpec) -> str:
    """What the head is to run: by its exact name, for there somebody else may run it. It becomes the job's process, so
    that what stops the job reaches it.
    """  # noqa: D205
    asked = getattr(spec.engine, "priority", 1)
    other = asked != getattr(stored_spec(record.name, record.spec).engine, "priority", 1)
    return f"exec asha-nas resume {shlex.quote(record.exact)}" + f" --priority {asked}" * other


def _but_for_priority(text: str, name: str) -> StudySpec:
    spec = stored_spec(name, text)
    return spec.model_copy(update={"engine": spec.engine.model_copy(update={"priority": 1})})
