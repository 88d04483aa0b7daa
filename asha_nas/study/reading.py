"""From plain values or a TOML file to a spec, with mistakes told in words."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from asha_nas.errors import SpecError, UserError
from asha_nas.study.scheduling import AnyScheduler
from asha_nas.study.simulation import Simulation
from asha_nas.study.spec import AnyProblem, Retries, StudySpec, Workers

Model = TypeVar("Model", bound=BaseModel)


def make_spec(values: Mapping[str, Any]) -> StudySpec:
    """The spec that plain values make.

    Raises:
        SpecError: a value is missing, unknown or breaks a rule; one line for each.
        UserError: a name is unknown, or r, R and η make no ladder.
    """
    return _validated(StudySpec, values)


def read_spec(path: Path, *, priority: int | None = None, **overrides: Any) -> StudySpec:
    """The spec in a TOML file; ``priority`` of its engine and top-level ``overrides`` win over it if they are not None.

    Raises:
        SpecError: no such file, not TOML, or not a study.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"study file {path}: {getattr(error, 'strerror', None) or error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"study file {path}: not TOML: {error}") from None
    values.setdefault("name", path.stem)
    if priority is not None and isinstance(values.setdefault("engine", {}), dict):
        values["engine"]["priority"] = priority
    try:
        return make_spec({**values, **{key: value for key, value in overrides.items() if value is not None}})
    except UserError as error:
        raise SpecError(f"study file {path}: {error}") from None


def _validated(model: type[Model], values: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise SpecError("\n".join(_in_words(model, problem) for problem in error.errors()[:5])) from None


def _in_words(model: type[BaseModel], problem: Mapping[str, Any]) -> str:
    """One line: where, what was given, the rule."""
    # pydantic puts the chosen member of a union second in the location; a reader knows it only as `kind`.
    place = [str(part) for n, part in enumerate(problem["loc"]) if n != 1 or part not in _BY_KIND]
    where = ".".join(place) or "study"
    if problem["type"] == "extra_forbidden":
        return f"unknown key {where!r}{_nearest(place[-1], _keys(model, problem['loc'][:-1]))}"
    if problem["type"] == "union_tag_invalid":
        kinds = [kind.strip("'") for kind in problem["ctx"]["expected_tags"].split(", ")]
        return f"{where}.kind = {problem['ctx']['tag']!r}: unknown kind{_nearest(problem['ctx']['tag'], kinds)}"
    if problem["type"] == "missing":
        return f"{where} is missing"
    rule = problem["msg"].removeprefix("Value error, ")
    given = problem["input"]
    return f"{where}: {rule}" if isinstance(given, Mapping) else f"{where} = {given!r}: {rule}"


_BY_KIND: dict[str, type[BaseModel]] = {
    **{model.model_fields["kind"].default: model for model in (*get_args(AnyProblem), *get_args(AnyScheduler))},
    "ray": Workers, "inline": Workers, "simulator": Simulation,
}  # fmt: skip
"""Members of the unions, by what a reader knows them as."""


def _keys(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """The keys known at a place in the spec."""
    by_place: dict[Any, type[BaseModel]] = {**_BY_KIND, "retries": Retries}
    found = next((by_place[part] for part in reversed(location) if part in by_place), model)
    return list(found.model_fields)


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else f" (known: {', '.join(known)})"
