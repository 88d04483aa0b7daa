"""Checkpoints: written whole or not at all, and never believed without their digest.

A checkpoint is one file in the trial's own folder, which is a local path or any fsspec URL
(``s3://…``, ``gs://…``, ``memory://…``). Guarantees:

- The file gets its final name only when all its bytes are safe; how is :mod:`trials.storage`'s to know.
- :func:`load` compares size and SHA-256 before anything is decoded, so a cut or altered file raises
  :class:`CheckpointDamaged`. Decoding allows tensors and plain Python values only, never code.
- One writer per folder at a time; readers may come at any time.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from spaces.errors import UserError
from trials import storage
from trials.contract import Checkpoint
from trials.storage import SUFFIX, prune

__all__ = [
    "SUFFIX", "CheckpointDamaged", "CheckpointMissing", "CheckpointNotWritten", "State", "load", "load_newest", "prune",
    "save",
]  # fmt: skip

State = dict[str, Any]
"""What is saved: nested dictionaries and lists of tensors, numbers, strings, booleans and None."""


class CheckpointMissing(UserError):
    """The file is not there."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"checkpoint {path}: no such file\n"
            "Restore it, or resume the study: the trial then goes on from an older one or from epoch 0."
        )


class CheckpointDamaged(UserError):
    """The file's bytes are not those that were written."""

    def __init__(self, path: str, found: str) -> None:
        super().__init__(
            f"checkpoint {path}: {found}, so it is not what was written\n"
            "Resume the study: the trial then goes on from an older one or from epoch 0."
        )


class CheckpointNotWritten(UserError):
    """The folder cannot take the file: full, read-only, not reachable, not a folder."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(
            f"checkpoint {path}: could not be written ({error.strerror or error})\n"
            "Free space there or make the folder writable, then resume the study."
        )


def save(folder: str, name: str, epoch: int, state: Mapping[str, Any]) -> Checkpoint:
    """Write ``state`` as ``folder/name`` and return how to find it again.

    Args:
        folder: Path or fsspec URL; made if it does not exist.
        name: File name inside it, ending in ``.ckpt``. A file of that name is replaced.
        epoch: Epochs trained, >= 1.
        state: See :data:`State`.

    Raises:
        CheckpointNotWritten: The folder cannot take the file. What was there before is untouched.
    """
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    content = buffer.getvalue()
    path = f"{folder}/{name}"
    try:
        storage.write(folder, name, content)
    except OSError as error:
        raise CheckpointNotWritten(path, error) from error
    return Checkpoint(name, epoch, hashlib.sha256(content).hexdigest(), len(content))


def load(folder: str, checkpoint: Checkpoint) -> State:
    """Read a checkpoint; its tensors are on the CPU.

    Raises:
        CheckpointMissing: There is no such file.
        CheckpointDamaged: Its size, digest or content is not that of the file that was written.
    """
    path = f"{folder}/{checkpoint.name}"
    try:
        content = storage.read(folder, checkpoint.name)
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointMissing(path) from None
    except OSError as error:
        raise CheckpointDamaged(path, f"it cannot be read ({error.strerror or error})") from error
    _check(path, content, checkpoint)
    try:
        state: State = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        raise CheckpointDamaged(path, "it does not decode") from error
    return state


def _check(path: str, content: bytes, checkpoint: Checkpoint) -> None:
    if len(content) != checkpoint.size:
        raise CheckpointDamaged(path, f"it has {len(content):,} bytes instead of {checkpoint.size:,}")
    digest = hashlib.sha256(content).hexdigest()
    if digest != checkpoint.sha256:
        raise CheckpointDamaged(path, f"its SHA-256 is {digest[:12]}… instead of {checkpoint.sha256[:12]}…")


def load_newest(
    folder: str, checkpoints: Sequence[Checkpoint]
) -> tuple[State | None, Checkpoint | None, tuple[str, ...]]:
    """Read the first usable one of ``checkpoints`` (newest first).

    Returns:
        Its state, the checkpoint itself, and the names of those before it that were damaged or missing.
        State and checkpoint are None if none is usable.
    """
    damaged: list[str] = []
    for checkpoint in checkpoints:
        try:
            return load(folder, checkpoint), checkpoint, tuple(damaged)
        except (CheckpointDamaged, CheckpointMissing):
            damaged.append(checkpoint.name)
    return None, None, tuple(damaged)
