"""The whole shape under test: what a person gets from `filewright stack up`, with ways to hurt it and to look inside.

Looking is done past the product: rows by a plain driver straight from PostgreSQL, objects by another S3 client,
processes from the kernel.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals
from typing import Any

import psycopg
import redis
from chaoskit import judge, remains
from chaoskit.journal import Journal
from chaoskit.remains import Bucket, Row
from chaoskit.server import Leftovers
from psycopg.rows import dict_row

from filewright.chassis.sandbox.processes import descendants
from filewright.stack.layout import Layout
from filewright.stack.operations import Stack
from filewright.stack.processes import Identity, identify, is_running
from filewright.stack.state import Stage, read_state

LEASE_SECONDS = 6.0
LIVE = ("queued", "running", "retry_wait", "cancelling")
PATIENCE_SECONDS = 120.0


def eventually(is_true: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """What it gave when it first was something."""
    deadline = time.monotonic() + seconds
    while not (found := is_true()):
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
    return found


@dataclass(frozen=True)
class Death:
    """A process that was killed, and who lived below it then."""

    name: str
    identity: Identity
    family: tuple[Identity, ...]
    at: datetime


class Shape:
    """A running stack. For clients it is a server like any other: `url`, and `up`, which stays set."""

    def __init__(self, data: Path, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self.data = data
        self.stack = Stack(data)
        self.layout = Layout(data)
        self.up = threading.Event()
        self.up.set()
        self.url = ""
        self.deaths: list[Death] = []
        self.lease_seconds = lease_seconds

    # --- beginning and end ---------------------------------------------------------------------------------------

    def start(self, counts: Mapping[str, int], slots: int = 1) -> None:
        chosen = {
            "FILEWRIGHT_LEASE_SECONDS": str(self.lease_seconds),
            "FILEWRIGHT_UNLIMITED_NETWORKS": "0.0.0.0/0",
            "FILEWRIGHT_RESULT_CACHE": "false",
        }
        os.environ.update(chosen)
        try:
            self.stack.up(counts, slots=slots)
        finally:
            for name in chosen:
                del os.environ[name]
        plan = self.layout.plan()
        assert plan is not None
        self.url = plan.url

    def end(self, *, erase: bool = True) -> None:
        """Whatever state it is in."""
        self.stack.down(erase=erase)

    # --- its processes -------------------------------------------------------------------------------------------

    def names(self, role: str) -> list[str]:
        plan = self.layout.plan()
        assert plan is not None
        return [service.name for service in plan.services if service.role == role]

    def identity(self, name: str) -> Identity:
        found = read_state(self.layout).processes[name].identity
        assert found is not None, name
        return found

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.layout.memory().ports[name]}"

    def kill(self, name: str, how: Signals = SIGKILL) -> Death:
        """As the kernel does when memory is short."""
        identity = self.identity(name)
        family = tuple(found for pid in descendants(identity.pid) if (found := identify(pid)) is not None)
        death = Death(name, identity, family, datetime.now(UTC))
        self.deaths.append(death)
        self.signal(identity, how)
        return death

    @contextmanager
    def frozen(self, *names: str) -> Iterator[None]:
        """While it lasts, they do nothing and do not know it. Whoever dies meanwhile is left alone."""
        stopped = [self.identity(name) for name in names]
        for identity in stopped:
            self.signal(identity, SIGSTOP)
        try:
            yield
        finally:
            for identity in stopped:
                self.signal(identity, SIGCONT)

    def thaw(self, name: str) -> None:
        """It goes on, as if nothing had been."""
        self.signal(self.identity(name), SIGCONT)

    def is_well(self) -> bool:
        """Whether every process is ready, and the front sends to those."""
        state = read_state(self.layout)
        stages = {known.stage for known in state.processes.values()}
        alive = all(
            is_running(known.identity)
            for known in state.processes.values()
            if known.identity is not None and known.stage is Stage.READY
        )
        return state.front_knows and stages <= {Stage.READY, Stage.DONE} and alive

    def wait_until_well(self) -> None:
        eventually(self.is_well)

    def wait_for_successor(self, death: Death) -> None:
        """Another process is ready in its place."""
        state = lambda: read_state(self.layout).processes[death.name]  # noqa: E731
        eventually(lambda: state().stage is Stage.READY and state().identity != death.identity)

    @staticmethod
    def leftovers(death: Death) -> Leftovers:
        """Who of its family is still there after a fair time."""
        with suppress(AssertionError):
            eventually(lambda: not any(map(is_running, death.family)), 20)
        return Leftovers([member.pid for member in death.family if is_running(member)], [])

    @staticmethod
    def signal(identity: Identity, number: Signals) -> None:
        if is_running(identity):
            os.kill(identity.pid, number)

    # --- looking inside ------------------------------------------------------------------------------------------

    @property
    def settings(self) -> dict[str, str]:
        lines = self.layout.settings_file.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    @property
    def database_url(self) -> str:
        """PostgreSQL itself, not the pooler."""
        return f"postgresql://filewright:{self.layout.secrets().database}@127.0.0.1:{self._port('postgres')}/filewright"

    def rows(self, query: str, *values: object) -> list[Row]:
        with psycopg.connect(self.database_url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()  # type: ignore[arg-type] # the tests' own queries

    def stage(self, job: str) -> str | None:
        return str(self.rows("SELECT stage FROM jobs WHERE id = %s", job)[0]["stage"])

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.settings["FILEWRIGHT_REDIS_URL"])

    @property
    def bucket(self) -> Bucket:
        settings, secrets = self.settings, self.layout.secrets()
        return Bucket(settings["FILEWRIGHT_STORAGE_URL"], secrets.s3_key_id, secrets.s3_secret)

    def worker_at_work(self) -> str | None:
        """One that has a workspace now."""
        workers = (self.layout.run / "work").glob("worker-*")
        folders = [folder for worker in workers for folder in (worker / "work").glob("[!.]*")]
        return next((folder.parents[1].name for folder in folders), None)

    def _port(self, name: str) -> int:
        return self.layout.memory().ports[name]

    # --- the books -----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Every job is over, every task published, every process well."""
        live = "SELECT 1 FROM jobs WHERE state = ANY(%s) UNION ALL SELECT 1 FROM outbox LIMIT 1"
        self.wait_until_well()
        eventually(lambda: not self.rows(live, list(LIVE)), 300)

    def breaches(self, journal: Journal, leftovers: list[Leftovers] | None = None) -> list[judge.Breach]:
        """What does not hold, once everything is quiet."""
        self.settle()
        remains.collect_garbage_at(self.database_url, self.bucket, self.layout.run, timedelta(minutes=20))
        places = [place for role in (self.layout.run / "work").iterdir() for place in (role / "work", role / "scratch")]
        left = remains.read_at(self.database_url, self.bucket, places)
        return judge.judge(judge.History(journal, left, len(self.deaths), leftovers or []))
