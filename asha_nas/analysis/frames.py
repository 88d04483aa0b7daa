"""A study as pandas frames."""

from __future__ import annotations

import pandas as pd

from asha_nas.analysis.history import History


def trials(history: History) -> pd.DataFrame:
    """One row a trial, indexed by its number.

    Columns: ``epochs`` (trained by its last finished job), ``rung`` (deepest started), ``state`` and
    ``loss`` of its last job with an end, ``identity``, and one column for each configuration key.
    """
    rows = []
    for trial in history.trials.values():
        ended = [job for job in trial.jobs if job.told is not None]
        last = ended[-1] if ended else trial.jobs[-1]
        rows.append(
            {
                "trial": trial.number, "epochs": trial.epochs, "rung": trial.jobs[-1].rung, "state": last.state,
                "loss": last.loss, "identity": trial.identity, **trial.config,
            }
        )  # fmt: skip
    columns = ["trial", "epochs", "rung", "state", "loss", "identity"]
    frame = pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)
    return frame.set_index("trial").sort_index()


def jobs(history: History) -> pd.DataFrame:
    """One row a job, indexed by its number, in the order of asking.

    ``reused`` names the trial of another study that its result comes from, where it was not trained.
    """
    columns = [
        "trial", "rung", "start", "stop", "state", "loss", "failure", "reason", "retries", "asked_at", "told_at",
        "reused",
    ]  # fmt: skip
    rows = [
        (
            job.trial, job.rung, job.start, job.stop, job.state, job.loss,
            job.failure.kind if job.failure else None, job.failure.reason if job.failure else None,
            len(job.retries), job.asked_at, job.told_at, job.reused,
        )
        for job in history.jobs.values()
    ]  # fmt: skip
    index = pd.Index(list(history.jobs), name="job", dtype="int64")
    frame = pd.DataFrame(rows, columns=columns, index=index)
    for name in ("asked_at", "told_at"):
        frame[name] = pd.to_datetime(frame[name].astype("float64"), unit="s", utc=True)
    return frame


def reports(history: History) -> pd.DataFrame:
    """One row a reported epoch: ``trial``, ``job``, ``epoch``, ``seconds`` and one column for each metric."""
    rows = [
        {"trial": job.trial, "job": job.number, "epoch": epoch, "seconds": job.seconds.get(epoch), **metrics}
        for job in history.jobs.values()
        for epoch, metrics in job.metrics.items()
    ]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=["trial", "job", "epoch", "seconds"])


def incumbents(history: History) -> pd.DataFrame:
    """The best result so far, each time it changed: ``time`` (UTC), ``trial``, ``epochs``, ``loss``."""
    rows = [(job.told_at, job.trial, job.stop, job.loss) for job in history.incumbents]
    frame = pd.DataFrame(rows, columns=["time", "trial", "epochs", "loss"])
    frame["time"] = pd.to_datetime(frame["time"].astype("float64"), unit="s", utc=True)
    return frame
