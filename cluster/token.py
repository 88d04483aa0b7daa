"""The token of a Ray cluster: a secret in a file, which whoever has it may run any code on the cluster with."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from spaces.errors import UserError

MODE: Final = "RAY_AUTH_MODE"
TEXT: Final = "RAY_AUTH_TOKEN"
FILE: Final = "RAY_AUTH_TOKEN_PATH"
"""Ray's own variables: whether tokens are used, the token itself, and the file it is in; the text goes before the
file."""


class TokenMissing(UserError):
    """There is no token, and one is needed."""


class TokenUnsafe(UserError):
    """Others than its owner may read or write the token's file."""


class TokenRejected(UserError):
    """The cluster has another token."""

    def __init__(self, where: str, source: str | None) -> None:
        """At an address; ``source`` is where the token is from that was tried, ``None`` if there was none."""
        had = "wants a token, and there is none here" if source is None else f"does not accept the token of {source}"
        super().__init__(
            f"the Ray cluster at {where} {had}\n"
            f"Copy the token file of its head to this machine, and name it with {FILE} if it is not {default_file()}."
        )


@dataclass(frozen=True, slots=True)
class Token:
    """A secret, and where it is from."""

    text: str
    source: str
    """A path, or the name of a variable."""

    def __repr__(self) -> str:
        return f"Token(from {self.source})"

    @property
    def header(self) -> str:
        """What requests carry as ``authorization``."""
        return f"Bearer {self.text}"


def default_file() -> Path:
    """Where Ray itself looks for a token, so that its own commands find the cluster too."""
    return Path("~/.ray/auth_token").expanduser()


def make(file: Path) -> None:
    """Write a new token, readable by its owner alone, unless the file is there. Atomic.

    Raises:
        TokenMissing: it cannot be written there.
    """
    if file.exists():
        return
    draft = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
            written.write(secrets.token_hex(32))
        with suppress(FileExistsError):  # another process was faster; its token counts
            os.link(draft, file)
    except OSError as error:
        remedy = f"Name another place with --token-file or {FILE}."
        raise TokenMissing(f"token file {file}: cannot be written ({error.strerror})\n{remedy}") from None
    finally:
        with suppress(OSError):
            draft.unlink()


def read(file: Path) -> Token:
    """The token in a file.

    Raises:
        TokenMissing: the file is not there, or empty.
        TokenUnsafe: it belongs to someone else, or others may read or write it.
    """
    try:
        found, text = file.stat(), file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise TokenMissing(f"token file {file}: {reason}\nCopy it from the cluster's head: {_copy(file)}") from None
    if stat.S_IMODE(found.st_mode) & 0o077 or found.st_uid not in (os.getuid(), 0):
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        raise TokenUnsafe(
            f"token file {file}: its rights are {mode}, so others can run code on the cluster as you\n"
            f"chmod 600 {file}; if someone may have read it already, delete it and start the cluster anew."
        )
    if not text:
        raise TokenMissing(f"token file {file}: it is empty\nCopy it from the cluster's head: {_copy(file)}")
    return Token(text, str(file))


def find(file: Path | None = None) -> Token | None:
    """The token to use: of a file, else of Ray's variables, else of the default file; ``None`` if there is none.

    Raises:
        TokenMissing: a file is named that is not there.
        TokenUnsafe: others may read the file.
    """
    if file is not None:
        return read(file.expanduser())
    if text := os.environ.get(TEXT):
        return Token(text, TEXT)
    if named := os.environ.get(FILE):
        return read(Path(named).expanduser())
    return read(default_file()) if default_file().exists() else None


def narrow_default() -> None:
    """Take from others the right to read Ray's default token file: Ray itself writes it readable by all."""
    file = default_file()
    if file.exists() and file.stat().st_uid == os.getuid():
        file.chmod(0o600)


def environment(token: Token) -> dict[str, str]:
    """Variables by which a process of Ray uses the token. A token in a file stays there."""
    return {MODE: "token", **({TEXT: token.text} if token.source == TEXT else {FILE: token.source})}


def use(token: Token) -> None:
    """Have this process use the token from now on, whether or not it has imported Ray."""
    os.environ.update(environment(token))
    if "ray" in sys.modules:
        from ray import _raylet  # noqa: PLC0415 - only where it is imported already

        raylet: Any = _raylet
        raylet.Config.initialize("")  # Ray reads the mode when it is imported, and keeps the token it has read
        raylet.AuthenticationTokenLoader.instance().reset_cache()


def _copy(file: Path) -> str:
    return f"scp HEAD:.ray/auth_token {file}"
