"""Jobs of a cluster: commands that its head runs, handed over and followed through Ray's Jobs API."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from cluster import nodes, processes
from cluster.connection import ClusterUnreachable
from cluster.token import TokenRejected
from spaces.errors import UserError

STOP_SECONDS: Final = 60
"""How long a job has to end by itself when it is cancelled, before Ray kills it."""
OVER: Final = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
"""States of a job that is over; the others are PENDING and RUNNING."""


class JobNotFound(UserError):
    """The cluster knows of no such job."""


class JobExists(UserError):
    """The job is there, and not over yet."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """The jobs of one cluster."""

    url: str
    """Of its dashboard, which the Jobs API is a part of."""
    _source: str | None
    """Where its token is from."""
    _client: Any

    def submit(self, job: str, command: str, environment: Mapping[str, str], about: Mapping[str, str]) -> None:
        """Have the head run a command, and return at once. An older job of that name that is over makes room.

        Args:
            job: its name, which is free to choose.
            command: for a shell.
            environment: variables beside those of the head.
            about: shown with the job.

        Raises:
            JobExists: it is there already, and not over.
        """
        state = self.state(job)
        if state is not None and state not in OVER:
            raise JobExists(f"job {job} is {state.lower()} already")
        variables = {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS), **environment}
        with _speaking_plainly(self.url, self._source):
            if state is not None:
                self._client.delete_job(job)
            try:
                self._client.submit_job(
                    submission_id=job, entrypoint=command, metadata=dict(about), runtime_env={"env_vars": variables}
                )
            except RuntimeError as error:
                if "already exists" in str(error):  # another submission was faster
                    raise JobExists(f"job {job} was submitted a moment ago") from None
                raise

    def state(self, job: str) -> str | None:
        """Ray's word for how it stands, one of :data:`OVER`, PENDING or RUNNING; ``None`` if there is no such job."""
        with _speaking_plainly(self.url, self._source):
            try:
                return str(self._client.get_job_status(job).value)
            except RuntimeError as error:
                if "404" in str(error):
                    return None
                raise

    def logs(self, job: str) -> str:
        """All that it has said.

        Raises:
            JobNotFound: there is no such job.
        """
        self._demand(job)
        with _speaking_plainly(self.url, self._source):
            return str(self._client.get_job_logs(job))

    def follow(self, job: str, say: Callable[[str], None]) -> None:
        """Pass on what it says, from the beginning, until it is over.

        Raises:
            JobNotFound: there is no such job.
        """
        self._demand(job)

        logging.getLogger("ray.dashboard.modules.job.sdk").setLevel(logging.WARNING)  # it tells how it hung up

        async def listen() -> None:
            async for words in self._client.tail_job_logs(job):
                say(words)

        with _speaking_plainly(self.url, self._source):
            asyncio.run(listen())

    def stop(self, job: str) -> bool:
        """Ask it to end (SIGTERM); after :data:`STOP_SECONDS` it is killed. Does not wait.

        Returns:
            Whether it was still running.

        Raises:
            JobNotFound: there is no such job.
        """
        self._demand(job)
        with _speaking_plainly(self.url, self._source):
            return bool(self._client.stop_job(job))

    def wait(self, job: str) -> None:
        """Wait until it is over, at most until Ray has killed it."""
        processes.wait(lambda: self.state(job) in OVER, STOP_SECONDS + 30.0, every=0.3)

    def _demand(self, job: str) -> None:
        if self.state(job) is None:
            raise JobNotFound(f"the cluster at {self.url} has no job {job}\nIt was submitted elsewhere, or not at all.")


def dashboard_url(address: str | None) -> str:
    """Where the dashboard is: as given, else ``RAY_API_SERVER_ADDRESS``, else that of a head on this machine.

    Raises:
        ClusterUnreachable: nobody says where.
    """
    found = address or os.environ.get("RAY_API_SERVER_ADDRESS") or next(iter(_heads()), None)
    if not found:
        raise ClusterUnreachable(
            "no head with a dashboard runs on this machine\n"
            "Say where it is (--address http://HOST:8265), or start one: asha-nas cluster start --head."
        )
    return found.rstrip("/") if "://" in found else f"http://{found.rstrip('/')}"


def is_known() -> bool:
    """Whether there is a dashboard to ask where no address is given."""
    return bool(os.environ.get("RAY_API_SERVER_ADDRESS") or _heads())


def _heads() -> list[str]:
    """Dashboards of heads on this machine, the newest first."""
    return [node.dashboard for node in reversed(nodes.here()) if node.dashboard]


def connect(address: str | None = None) -> Jobs:
    """The jobs of the cluster whose dashboard is at an address; see :func:`dashboard_url`.

    Raises:
        ClusterUnreachable: nothing answers there.
        TokenMissing, TokenUnsafe, TokenRejected: the token is not there, not safe, or not the cluster's.
    """
    from ray.job_submission import JobSubmissionClient  # noqa: PLC0415 - importing Ray takes a second

    url = dashboard_url(address)
    secret = nodes.token_for(lambda node: url == f"http://{node.dashboard}")
    headers = {} if secret is None else {"authorization": secret.header}
    source = None if secret is None else secret.source
    with _speaking_plainly(url, source):
        return Jobs(url, source, JobSubmissionClient(url, headers=headers))


@contextmanager
def _speaking_plainly(url: str, source: str | None) -> Iterator[None]:
    from ray.exceptions import AuthenticationError  # noqa: PLC0415

    try:
        yield
    except AuthenticationError:
        raise TokenRejected(url, source) from None
    except (ConnectionError, OSError) as error:
        raise ClusterUnreachable(
            f"no Ray dashboard at {url}: {str(error).splitlines()[0]}\n"
            "Is the head running, with its dashboard? asha-nas cluster status says so."
        ) from None
    except RuntimeError as error:
        raise UserError(f"the Ray dashboard at {url} failed: {str(error).splitlines()[0][:300]}") from None
