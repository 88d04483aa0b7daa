"""Whose a study is, and which one a name means: several people may share a store, and each has names of their own.

A study is stored as ``owner/name``; one of a version that knew no owners as ``name`` alone, and everybody may go on
with it. This keeps people out of each other's way. It keeps nobody out: who may write is the database's affair.
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Collection, Iterable

from asha_nas.errors import InvalidValue, StudyAmbiguous, StudyNotFound, StudyOfOthers, UnknownName

ENVIRONMENT = "ASHA_NAS_OWNER"
LONGEST = 60
"""Characters of an owner."""
_FIRST, _OTHERS = "A-Za-z0-9", "A-Za-z0-9._-"


def owner() -> str:
    """``ASHA_NAS_OWNER``, else the login name with ``-`` for what an owner may not have, else ``user-`` and its number.

    Raises:
        InvalidValue: ``ASHA_NAS_OWNER`` is no owner.
    """
    text = os.environ.get(ENVIRONMENT)
    if text:
        return check(text)
    try:
        login = getpass.getuser()
    except (KeyError, ImportError, OSError):  # in a container, a number may have no name
        login = ""
    made = re.sub(f"[^{_OTHERS}]+", "-", login)
    return re.sub(f"^[^{_FIRST}]+", "", made)[:LONGEST] or f"user-{os.getuid() if hasattr(os, 'getuid') else 0}"


def check(text: str) -> str:
    """The owner itself.

    Raises:
        InvalidValue: it is none.
    """
    if not re.fullmatch(f"[{_FIRST}][{_OTHERS}]{{0,{LONGEST - 1}}}", text):
        rule = f"must be 1 to {LONGEST} letters, digits, '.', '_' or '-', the first a letter or a digit"
        raise InvalidValue(ENVIRONMENT, text, rule, "Without it, the login name is taken.")
    return text


def joined(its_owner: str, name: str) -> str:
    """The exact form: ``owner/name``, or ``name`` of a study without an owner."""
    return f"{its_owner}/{name}" if its_owner else name


def exactly(stored: str) -> str:
    """What means a study, by what the store has it by, and no other: ``owner/name``, or ``/name`` without an owner."""
    return stored if "/" in stored else f"/{stored}"


def parted(exact: str) -> tuple[str, str]:
    """Owner and name of the exact form; the owner is empty where there is none."""
    its_owner, _, name = exact.partition("/") if "/" in exact else ("", "", exact)
    return its_owner, name


def shown(exact: str, me: str) -> str:
    """How to name a study to somebody so that it can be typed: the owner is left out of one's own."""
    its_owner, name = parted(exact)
    return name if its_owner == me else exact


def candidates(text: str, me: str) -> tuple[str, ...]:
    """Stored forms that a name means whatever others have, the first one first: mine, then the one without owner.

    ``owner/name`` and ``/name``, of a study without an owner, mean just that.
    """
    return (text.removeprefix("/"),) if "/" in text else tuple(dict.fromkeys((joined(me, text), text)))


def resolve(text: str, me: str, there: Collection[str], verb: str | None = None) -> str:
    """The exact form of the study that a name means.

    Args:
        text: ``owner/name``, which means just that, or ``name``: mine, else the one without owner, else another's.
        me: who says it.
        there: exact forms of all studies.
        verb: of the command that is to write to the study, such as ``resume``; it takes another's only by its exact
            form. ``None`` for one that only reads.

    Raises:
        StudyNotFound: there is none; the message offers the nearest name.
        StudyAmbiguous: several others have one of that name.
        StudyOfOthers: another has, and it is to be written.
    """
    for exact in candidates(text, me):
        if exact in there:
            return exact
    others = [] if "/" in text else sorted(exact for exact in there if parted(exact)[1] == text)
    if not others:
        hint = UnknownName("study", text, dict.fromkeys(_names(there, me)))
        raise StudyNotFound(str(hint))
    if verb is not None:
        commands = " or ".join(f"asha-nas {verb} {exact}" for exact in others)
        owners = " and ".join(parted(exact)[0] for exact in others)
        raise StudyOfOthers(
            f"study {text!r} is {owners}'s: you ({me}) have none of that name\nGo on with another's all the same:"
            f" {commands}"
        )
    if len(others) > 1:
        raise StudyAmbiguous(
            f"study {text!r}: {len(others)} people have one of that name\nSay whose: {', '.join(others)}"
        )
    return others[0]


def check_writing(exact: str, asked: str, me: str) -> None:
    """Make sure that a study may be written that was asked for by this name.

    Raises:
        StudyOfOthers: it is another's, and its owner was not named.
    """
    its_owner, name = parted(exact)
    if its_owner not in ("", me) and asked != exact:
        raise StudyOfOthers(
            f"study {name!r} is {its_owner}'s: you ({me}) have none of that name\n"
            f"Go on with another's all the same: asha-nas resume {exact}, or asha_nas.load({exact!r})"
        )


def _names(there: Iterable[str], me: str) -> list[str]:
    return [shown(exact, me) for exact in there]
