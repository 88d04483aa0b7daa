"""Reading what a store holds of a study. What is damaged, or of another version, is told in plain words."""

from __future__ import annotations

from pydantic import ValidationError

from asha_nas.analysis.history import History
from asha_nas.errors import StudyUnreadable, UserError
from asha_nas.store import Store, StudyRecord
from asha_nas.study import StudySpec


def stored_spec(name: str, text: str) -> StudySpec:
    """The spec of study ``name``, from the JSON in its store.

    Raises:
        StudyUnreadable: this version cannot read it.
    """
    try:
        return StudySpec.model_validate_json(text)
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(map(str, wrong["loc"]))
        raise StudyUnreadable(name, f"its spec: {place + ': ' if place else ''}{wrong['msg']}") from None
    except UserError as error:
        raise StudyUnreadable(name, f"its spec: {str(error).splitlines()[0]}") from None


def stored_history(record: StudyRecord, spec: StudySpec, store: Store) -> History:
    """The study's log, folded.

    Raises:
        StudyUnreadable: the log is damaged, or holds what this version does not know.
    """
    history = History(spec, store.called(record), record.owner)
    for row in store.rows(record):
        try:
            history.add(row.event, row.sequence, row.time)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            what = f"event {row.sequence} of its log ({row.event.key}) does not follow from those before it"
            raise StudyUnreadable(history.name, what) from error
    return history
