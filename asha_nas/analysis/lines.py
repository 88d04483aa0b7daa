"""Which studies belong together in a comparison, and what they are called: pure functions of their specs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asha_nas.analysis.history import History
from asha_nas.analysis.trajectory import Trajectory
from asha_nas.errors import InvalidValue, NoResult, UserError
from asha_nas.study import StudySpec

_IGNORED: Final = ("name", "seed", "engine", "retries", "checkpoints", "keep", "quota", "version")
"""What may differ between two repeats: nothing of it is what the study is about."""
_SIMULATED: Final = ("workers", "stragglers", "failures")
"""What counts of an engine after all where it is simulated, as there it is chosen to see what it does."""
_GROUND: Final = ("table", "space", "data", "curves", "task", "objective")
"""Fields of a problem that say what its results are measured on."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A study that is compared."""

    spec: StudySpec
    trajectories: tuple[Trajectory, ...]
    """Of its repeats if it was simulated repeatedly, else its own; none of them empty."""
    empty: int = 0
    """Repeats that are left out, since no job of theirs gave a result."""
    called: str = ""
    """How it was asked for; by default the name of its spec."""

    @property
    def name(self) -> str:
        """What it is called: as it was asked for."""
        return self.called or self.spec.name

    @classmethod
    def of(cls, history: History, called: str = "") -> Entry:
        """The study of a history, which was asked for by a name.

        Raises:
            NoResult: nothing has given a result, in the study or in any of its repeats.
        """
        name = called or history.name
        found = [one for _, one in sorted(history.repeats.items())] or [history.trajectory]
        full = tuple(one for one in found if len(one))
        if not full:
            if history.state == "done":
                raise NoResult(f"study {name!r} has no result\nSee why: asha-nas show {name}")
            raise NoResult(f"study {name!r} has no result yet\nGo on with it: asha-nas resume {name}")
        return cls(history.spec, full, len(found) - len(full), called)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a picture: a study, or several that differ by their seed alone."""

    label: str
    entries: tuple[Entry, ...]

    @property
    def studies(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(entry.name for entry in self.entries)

    @property
    def trajectories(self) -> tuple[Trajectory, ...]:
        """Of all repeats of all its studies."""
        return tuple(one for entry in self.entries for one in entry.trajectories)


def lines(entries: Sequence[Entry], labels: Mapping[str, str] | None = None) -> list[Line]:
    """Put studies together into lines, in the order of their first studies.

    Studies form a line if their specs differ in name and seed alone, or in what they really ran on. A label says what
    distinguishes a line, such as ``bohb gdas cs2`` or ``evolution``.

    Args:
        entries: the studies.
        labels: label by name of study, for lines that are made and called by hand.
    """
    labels = labels or {}
    grouped: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        given = labels.get(entry.name)
        key = ("given", given) if given is not None else ("alike", json.dumps(facts(entry.spec), sort_keys=True))
        grouped.setdefault(key, []).append(entry)
    free = [group[0] for (how, _), group in grouped.items() if how == "alike"]
    named = iter(_labels(free, set(labels.values())))
    return [Line(key if how == "given" else next(named), tuple(group)) for (how, key), group in grouped.items()]


def differences(line: Line) -> list[str]:
    """Settings in which studies of one line differ though they should not; possible where it was made by hand."""
    found = [facts(entry.spec) for entry in line.entries]
    return [name for name in _names(found) if len({_text(each.get(name)) for each in found}) > 1]


def common_ground(entries: Sequence[Entry]) -> dict[str, str]:
    """What all studies measure their results on, by field: the table and the space, or the data set.

    Raises:
        UserError: it is not the same for all.
    """
    grounds = [ground(entry.spec) for entry in entries]
    for entry, other in zip(entries, grounds, strict=True):
        if other != grounds[0]:
            first, second = (", ".join(f"{k} {v}" for k, v in each.items()) for each in (grounds[0], other))
            raise UserError(
                f"{entries[0].name} is about {first}, and {entry.name} about {second}: results of different"
                " problems do not compare\nLeave one of them out, or say --anyway."
            )
    return grounds[0] if grounds else {}


def ground(spec: StudySpec) -> dict[str, str]:
    """What a study measures its results on."""
    problem = spec.problem.model_dump()
    # A table knows its data set, which studies of look-ups do not name.
    left_out = ("data",) if problem.get("table") else ()
    found = {name: _text(problem[name]) for name in _GROUND if name not in left_out and problem.get(name) is not None}
    return found if "table" in found or "curves" in found else {"problem": spec.problem.kind, **found}


def facts(spec: StudySpec) -> dict[str, Any]:
    """What a study is, as flat settings by dotted name, without what may differ between repeats."""
    values = spec.model_dump(mode="json", exclude=set(_IGNORED))
    engine = spec.engine.model_dump(mode="json")
    if engine["kind"] == "simulator":
        values["engine"] = {name: engine[name] for name in _SIMULATED}
    flat = dict(_flattened(values))
    flat.pop("problem.recipe.threads", None)  # follows from the engine
    return flat


def _flattened(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in values.items():
        inner = isinstance(value, Mapping) and value
        found += _flattened(value, f"{prefix}{name}.") if inner else [(f"{prefix}{name}", value)]
    return found


def _names(found: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for each in found for name in each))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


# --- what lines are called -------------------------------------------------------------------------


_LONGEST: Final = 48
"""Characters of a label; a study that would need more is called by its own name."""


def _labels(entries: Sequence[Entry], taken: set[str]) -> list[str]:
    """A short name for each, all different."""
    specs = [entry.spec for entry in entries]
    several_spaces = len({_text(ground(spec)) for spec in specs}) > 1
    short = [_short(spec, several_spaces) for spec in specs]
    made = []
    for entry, spec, label in zip(entries, specs, short, strict=True):
        alike = [other for other, its in zip(specs, short, strict=True) if its == label]
        words = " ".join([label, *_distinguishing(spec, alike)])
        made.append(entry.name if words in taken or len(words) > _LONGEST else words)
    return made


def _short(spec: StudySpec, with_space: bool) -> str:
    """The scheduler, unless it is a mere sweep, and of the problem the optimizer and the configuration space."""
    problem = spec.problem
    words: list[str] = [] if spec.scheduler.kind == "sweep" else [spec.scheduler.kind]
    fields = ("optimizer", "config_space", *(("space", "data") if with_space else ()))
    words += [value for name in fields if isinstance(value := getattr(problem, name, None), str)]
    return " ".join(words) or problem.kind


def _distinguishing(spec: StudySpec, alike: Sequence[StudySpec]) -> list[str]:
    """``name=value`` of each setting in which it differs from others of the same short name."""
    found = [facts(other) for other in alike]
    own = facts(spec)
    differing = [name for name in _names(found) if len({_text(each.get(name)) for each in found}) > 1]
    short = [name.rpartition(".")[2] for name in differing]
    shown = short if len(set(short)) == len(short) else differing
    return [f"{words}={_text(own[name])}" for words, name in zip(shown, differing, strict=True) if name in own]


def parse(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Names of studies, and labels by name, out of ``STUDY`` and ``LABEL=STUDY,STUDY,…``.

    Raises:
        InvalidValue: a study is named twice, or a label has no study.
    """
    names: list[str] = []
    labels: dict[str, str] = {}
    for argument in arguments:
        label, equals, rest = argument.rpartition("=")
        for name in rest.split(","):
            if not name or (equals and not label):
                raise InvalidValue("STUDY", argument, "must be STUDY, or LABEL=STUDY, or LABEL=STUDY,STUDY")
            if name in names:
                raise InvalidValue("STUDY", name, "is named twice", "Name each study once.")
            names.append(name)
            if equals:
                labels[name] = label
    return names, labels
