"""A whole job room on real databases and real files; only the conversion itself is small: it copies in upper case."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from filewright.chassis.audit.alarms import Alarms
from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.seals import Seals
from filewright.chassis.audit.watch import Watch
from filewright.chassis.cache.memory import MemoryCache
from filewright.chassis.cache.port import Cache
from filewright.chassis.clock import Clock
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.db.database import Database
from filewright.chassis.ids import IdSource, RandomIds
from filewright.chassis.queue.embedded import EmbeddedQueue
from filewright.chassis.queue.relay import Relay
from filewright.chassis.storage.local import LocalStore
from filewright.chassis.telemetry.metrics import Metrics
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.conversion import checks
from filewright.converter.conversion.fidelity import Fidelity
from filewright.converter.conversion.orders import Assignment, Converted, Hop, Plan, Product, Stage
from filewright.converter.errors import UnsupportedConversion
from filewright.converter.jobs.orders import JobInput, JobOrder
from filewright.converter.jobs.rules import JobRules
from filewright.converter.jobs.running.lease import LeaseRules
from filewright.converter.jobs.running.runner import JobRunner
from filewright.converter.jobs.schemas import Job
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.jobs.service import Jobs
from filewright.converter.jobs.steering.erasing import Eraser
from filewright.converter.maintenance.dispatcher import Dispatcher
from filewright.converter.maintenance.pruner import Pruner
from filewright.converter.maintenance.rescuer import Rescuer
from filewright.converter.tiers import LOCAL, Caller
from filewright.converter.uploads.service import Uploads

ALICE = Caller("alice", LOCAL)
BOB = Caller("bob", LOCAL)
QUICK = LeaseRules(lease=30.0, heartbeat=5.0, margin=10.0, look=0.02, report=0.01)


class Shouter:
    """Makes upper-case Markdown of text. `before` and `after` let a test act, or fail, in the middle."""

    hop = Hop("shouter", "1.0", "txt", "md", lossy=False)

    def __init__(self) -> None:
        self.before: Callable[[Assignment, asyncio.Event], Any] | None = None
        self.after: Callable[[Path], None] | None = None
        self.seen: list[Assignment] = []
        self.read: list[bytes] = []
        self.fidelity: Fidelity | None = None

    def plan(self, source_format: str, target: str, options: Mapping[str, Any] | None = None) -> Plan:
        if target != "md":
            raise UnsupportedConversion
        return Plan(source_format, target, (self.hop,), dict(options or {}), 0.5)

    async def convert(
        self,
        assignment: Assignment,
        *,
        workspace: Path,
        on_stage: Callable[[Stage], None],
        on_progress: Callable[[float], None],
        cancel: asyncio.Event | None,
    ) -> Converted:
        assert cancel is not None
        self.seen.append(assignment)
        on_stage(Stage.CONVERTING)
        on_progress(0.25)
        if self.before is not None:
            await self.before(assignment, cancel)
        self.read.append(await asyncio.to_thread(assignment.source.read_bytes))
        data = (await asyncio.to_thread(assignment.source.read_bytes)).upper()
        path = workspace / "out" / "output.md"
        await asyncio.to_thread(path.write_bytes, data)
        on_progress(0.75)
        on_stage(Stage.CHECKING)
        product = Product(path, "text.md", "md", "text/markdown", checks.seen(path))
        if self.after is not None:
            self.after(workspace)
        return Converted("txt", "md", (self.hop,), (product,), 0.01, fidelity=self.fidelity)


@dataclass
class Shop:
    """Everything of a job's life, for tests to use piece by piece."""

    folder: Path
    database: Database
    clock: Clock
    ids: IdSource
    store: LocalStore
    queue: EmbeddedQueue = field(default_factory=EmbeddedQueue)
    notifier: MemoryNotifier = field(default_factory=MemoryNotifier)
    metrics: Metrics = field(default_factory=Metrics)
    converter: Shouter = field(default_factory=Shouter)
    sealer: Sealer = field(default_factory=lambda: Sealer(b"k" * 32))
    rules: JobRules = field(default_factory=lambda: JobRules(look_again=0.05))
    cache: Cache | None = None

    def __post_init__(self) -> None:
        self.artifacts = Artifacts(self.database, self.store, self.ids)
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        self.uploads = Uploads(
            database=self.database,
            store=self.store,
            artifacts=self.artifacts,
            ids=self.ids,
            scratch=scratch,
            cache=self.cache,
        )
        self.eraser = Eraser(self.database, self.store, self.artifacts)
        self.jobs = Jobs(
            database=self.database,
            sources=self.uploads,
            files=self.artifacts,
            planner=self.converter,
            notifier=self.notifier,
            ids=self.ids,
            sealer=self.sealer,
            erase_files=self.eraser.erase,
            rules=self.rules,
            cache=self.cache,
        )
        self.audit = Audit(self.database, Seals(b"a secret of more than thirty-two bytes"))
        alarms = Alarms(self.clock, self.metrics)
        self.watch = Watch(self.database, self.audit, alarms, self.clock, self.metrics)
        self.rescuer = Rescuer(self.database, self.notifier, self.metrics, self.audit)
        self.dispatcher = Dispatcher(self.database, self.queue)
        self.relay = Relay(self.database, self.queue)
        self.pruner = Pruner(self.database, self.store, self.eraser)

    def runner(self, instance: str = "w1", **changes: Any) -> JobRunner:
        given: dict[str, Any] = {
            "database": self.database,
            "store": self.store,
            "files": self.artifacts,
            "converter": self.converter,
            "notifier": self.notifier,
            "ids": self.ids,
            "clock": self.clock,
            "sealer": self.sealer,
            "jobs_dir": self.folder / "work",
            "instance": instance,
            "metrics": self.metrics,
            "watch": self.watch,
            "rules": QUICK,
        }
        return JobRunner(**{**given, **changes})

    async def upload(self, data: bytes = b"hello", caller: Caller = ALICE, name: str = "text.txt") -> str:
        async def chunks() -> AsyncIterator[bytes]:
            yield data

        return (await self.uploads.receive(caller, name, chunks())).upload.id

    async def order(self, data: bytes = b"hello", caller: Caller = ALICE, **more: Any) -> Job:
        upload = await self.upload(data, caller)
        return await self.jobs.submit(caller, JobOrder((JobInput(upload=upload),), to="md", **more))

    async def work(self, runner: JobRunner | None = None) -> str | None:
        """Claim one job and run it; how it ended."""
        runner = runner or self.runner()
        claimed = await runner.claim("standard") or await runner.claim("standard", suspects=True)
        return None if claimed is None else await runner.run(claimed)

    async def status(self, job: Job, caller: Caller = ALICE) -> str:
        return (await self.jobs.get(caller, job.id)).status

    async def read(self, job: Job, caller: Caller = ALICE, n: int = 0) -> bytes:
        opened = await self.jobs.open_output(caller, job.id, n)
        return b"".join([chunk async for chunk in opened.chunks])

    async def objects(self, prefix: str = "") -> list[str]:
        return sorted([item.key async for item in self.store.list(prefix)])


@pytest.fixture
def shop(tmp_path: Path, database: Database, clock: Clock) -> Shop:
    """On the database of the test, with its clock."""
    return Shop(tmp_path, database, clock, RandomIds(clock), LocalStore(tmp_path / "objects"))


@pytest.fixture
def remembering(shop: Shop) -> Shop:
    """The same, in a process that remembers the uploads it took and the jobs it showed."""
    return replace(shop, cache=MemoryCache(shop.clock))


@pytest.fixture
def alice() -> Caller:
    return ALICE


@pytest.fixture
def bob() -> Caller:
    return BOB


@pytest.fixture
def small_alice() -> Caller:
    """Alice with room for two unfinished jobs."""
    return Caller("alice", replace(LOCAL, max_queued_jobs=2))
