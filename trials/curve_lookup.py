"""Replaying recorded learning curves as a trial: nothing is trained, and what was is reported epoch by epoch.

The curves are those of TaskSet (Metz et al., *Using a thousand optimization tasks to learn hyperparameter search
strategies*, arXiv 2002.11887): each of its tasks was trained with the same thousand settings of Adam, for 10,000 steps,
with the losses recorded before the first step and after every 200. Needs no torch.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spaces.encodings import Listed, Scale
from spaces.errors import InvalidValue, UnknownName
from trials.contract import Diverged, Report, Task
from trials.folders import FOLDER_VARIABLE, data_folder

SUFFIX: Final = ".npz"
"""Ending of a file of curves."""

SECONDS_PER_EPOCH: Final = 1.0
"""What an epoch counts: the curves were recorded without times."""

ADAM: Final[Mapping[str, Scale]] = MappingProxyType(
    {
        "learning_rate": Scale(1e-8, 1e1),
        "beta1": Scale(1e-4, 1.0, complement=True),
        "beta2": Scale(1e-6, 1.0, complement=True),
        "epsilon": Scale(1e-10, 1e3),
        "l1": Scale(1e-8, 1e1),
        "l2": Scale(1e-8, 1e1),
        "linear_decay": Scale(1e-7, 1e-4),
        "exponential_decay": Scale(1e-6, 1e-3),
    }
)
"""The ranges that TaskSet's settings of Adam with eight hyperparameters were drawn from, all on logarithmic scales."""

_PARTS: Final = ("train_loss", "valid_loss", "test_loss")


@dataclass(frozen=True)
class CurveLookup:
    """A ``trials.contract.Trial``: the recorded training with the hyperparameters in ``task.config``.

    An epoch is a piece of the training between two points, 200 steps in TaskSet. Point 0 was recorded before the first
    step (it does not depend on the setting), so a file of 51 points has 50 epochs, of which each is one report. A job
    that starts at a later epoch goes on from there. Metrics: ``valid_loss``, ``test_loss`` and ``train_loss``, each
    over a part of the data. ``seconds`` are :data:`SECONDS_PER_EPOCH` for each; they pass on a simulated clock only.

    Raises, on calling and while iterating: InvalidValue for a setting that was not recorded or an epoch that there is
    not; Diverged at the first epoch whose validation loss is not finite; and what :meth:`check` raises.
    """

    file: str
    """Path of the file, ending in ``.npz``; or NAME for ``taskset_rnn/NAME.npz`` in the data folder."""
    task: str
    """What was trained, such as ``patch32_GRU128_bs128``; one of those in the file."""
    data_dir: str | None = None
    """The data folder; None for the default, see :func:`trials.folders.data_folder`."""

    def __reduce__(self) -> tuple[Callable[..., CurveLookup], tuple[Any, ...]]:
        """Without what is loaded: each process reads the file once, when it first looks something up."""
        return CurveLookup, (self.file, self.task, self.data_dir)

    def __call__(self, task: Task) -> Iterator[Report]:
        """Replay."""
        curve = self._curves[self.encoding.row(task.config)]
        if task.stop > self.epochs:
            raise InvalidValue("stop", task.stop, f"the curves end at epoch {self.epochs}")
        for epoch in range(task.start + 1, task.stop + 1):
            metrics = dict(zip(_PARTS, curve[:, epoch].tolist(), strict=True))
            if not math.isfinite(metrics["valid_loss"]):
                raise Diverged(f"valid_loss is not finite at epoch {epoch}")
            yield Report(epoch, metrics, SECONDS_PER_EPOCH)

    def check(self) -> None:
        """Read the file.

        Raises:
            InvalidValue: it is not there, or holds no curves.
            UnknownName: it has no such task.
        """
        _ = self._curves, self.encoding

    @property
    def epochs(self) -> int:
        """Length of the curves, 50 in TaskSet."""
        return int(self._curves.shape[2]) - 1

    @property
    def encoding(self) -> Listed:
        """The settings, as samplers see them."""
        return self._loaded[1]

    @property
    def _curves(self) -> NDArray[np.float32]:
        """(settings, parts, points)."""
        return self._loaded[0]

    @cached_property
    def _loaded(self) -> tuple[NDArray[np.float32], Listed]:
        return _read(find(self.file, self.data_dir), self.task)


def find(name: str, data_dir: str | None = None) -> Path:
    """The file of curves that :attr:`CurveLookup.file` means; it need not exist."""
    if name.endswith(SUFFIX):
        return Path(name).expanduser()
    return data_folder(data_dir) / "taskset_rnn" / f"{name}{SUFFIX}"


def _read(path: Path, task: str) -> tuple[NDArray[np.float32], Listed]:
    if not path.is_file():
        remedy = f"Put it there, name its path, or set {FOLDER_VARIABLE} to the folder that has taskset_rnn/ in it."
        raise InvalidValue("curves", str(path), "there is no such file", remedy)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            tasks = sorted(set(arrays.files) - {"hp", "hp_names"})
            if task not in tasks:
                raise UnknownName("task", task, tasks)
            curves, settings, names = arrays[task], arrays["hp"], arrays["hp_names"].tolist()
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise InvalidValue("curves", str(path), f"cannot be read ({error})") from None
    if curves.ndim != 3 or curves.shape[1] != len(_PARTS) or curves.shape[2] < 2 or len(curves) != len(settings):
        rule = f"holds curves of shape {curves.shape} for {len(settings)} settings, not (settings, 3, points)"
        raise InvalidValue("curves", str(path), rule)
    if set(names) != set(ADAM):
        rule = f"has hyperparameters {', '.join(names)}, not {', '.join(ADAM)}"
        raise InvalidValue("curves", str(path), rule)
    return curves, Listed({name: ADAM[name] for name in names}, settings.astype(np.float64))
