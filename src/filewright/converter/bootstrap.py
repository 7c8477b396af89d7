"""The composition root: settings in, wired services out. Read `build` from top to bottom to know all there is.

Everything else takes what it needs in its constructor; only this module knows which adapter stands behind which port.
The embedded shape and the distributed one differ in the lines marked *shape*.
"""

from __future__ import annotations

import asyncio
import fcntl
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filewright.chassis import failpoints
from filewright.chassis.clock import Clock, SystemClock
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.database import Database
from filewright.chassis.ids import IdSource, RandomIds
from filewright.chassis.queue.embedded import EmbeddedQueue
from filewright.chassis.queue.outbox import TOPIC as OUTBOX
from filewright.chassis.queue.port import TaskQueue
from filewright.chassis.queue.relay import BATCH, Relay
from filewright.chassis.sandbox.port import Sandbox, SandboxLevel
from filewright.chassis.sandbox.runner import open_sandbox
from filewright.chassis.sandbox.workspace import sweep
from filewright.chassis.storage.obstore_store import open_store
from filewright.chassis.storage.port import ObjectStore
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.web.idempotency import IdempotencyKeys
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.choices.service import Choices
from filewright.converter.conversion.converter import Converter
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.jobs import repository as jobs_repository
from filewright.converter.jobs.erasing import Eraser
from filewright.converter.jobs.readiness import Readiness
from filewright.converter.jobs.runner import JobRunner
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.jobs.service import Jobs
from filewright.converter.jobs.worker import Worker, WorkerRules
from filewright.converter.maintenance.dispatcher import Dispatcher
from filewright.converter.maintenance.loops import Loop, Loops
from filewright.converter.maintenance.pruner import Pruner
from filewright.converter.maintenance.rescuer import Rescuer
from filewright.converter.routing.planner import Planner
from filewright.converter.settings import Settings, SettingsError
from filewright.converter.uploads.service import Uploads

MIGRATIONS = Path(__file__).with_name("migrations")
_SECRET_BYTES = 48
_LEVELS = {level.name.lower(): level for level in SandboxLevel}
_DRAIN_SECONDS = 20.0


class DataDirectoryInUse(SettingsError):
    """Another process serves from this data directory."""


@dataclass(frozen=True)
class Services:
    """Everything wired. `running` is entered while the service serves."""

    settings: Settings
    clock: Clock
    ids: IdSource
    metrics: Metrics
    database: Database
    store: ObjectStore
    notifier: Notifier
    queue: TaskQueue
    sandbox: Sandbox
    registry: Registry
    converter: Converter
    artifacts: Artifacts
    uploads: Uploads
    choices: Choices
    jobs: Jobs
    idempotency: IdempotencyKeys
    worker: Worker
    rescuer: Rescuer
    loops: Loops
    instance: str

    @property
    def planner(self) -> Planner:
        """Routes over the engines that are installed."""
        return self.converter.planner


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[Services]:
    """Wire the service, and take it apart again at the end.

    Raises SettingsError, DatabaseUnavailable, StoreUnavailable, or SandboxUnavailable when this machine gives less
    than the settings ask for.
    """
    failpoints.arm(settings.failpoints)
    with _owned(settings.data_dir):
        clock = SystemClock()
        ids = RandomIds(clock)
        metrics = Metrics(process=True)

        database = Database(settings.effective_database_url)
        await database.migrate(MIGRATIONS)
        store = open_store(settings.effective_storage_url)
        await store.sweep()
        notifier = MemoryNotifier()  # shape
        queue = EmbeddedQueue()  # shape

        jobs_dir = settings.data_dir.absolute() / "work"
        sweep(jobs_dir)
        sandbox = await open_sandbox(jobs_dir=jobs_dir, minimum=_LEVELS[settings.sandbox])
        registry = Registry(standard_engines())
        converter = Converter(registry, sandbox, clock=clock)

        artifacts = Artifacts(database, store, ids)
        scratch = settings.data_dir.absolute() / "scratch"
        sweep(scratch)
        scratch.mkdir(mode=0o700, exist_ok=True)
        uploads = Uploads(
            database=database,
            store=store,
            artifacts=artifacts,
            ids=ids,
            scratch=scratch,
            in_use=jobs_repository.has_a_right_to,
        )
        choices = Choices(database, clock, learning=settings.learned_targets)
        sealer = Sealer(_secret(settings))
        eraser = Eraser(database, store, artifacts)
        jobs = Jobs(
            database=database,
            sources=uploads,
            files=artifacts,
            planner=converter,
            notifier=notifier,
            ids=ids,
            sealer=sealer,
            erase_files=eraser.erase,
            chosen=choices.count,
        )
        idempotency = IdempotencyKeys(database, ids, clock)

        instance = ids.new("wrk")
        runner = JobRunner(
            database=database,
            store=store,
            files=artifacts,
            converter=converter,
            notifier=notifier,
            ids=ids,
            clock=clock,
            sealer=sealer,
            jobs_dir=jobs_dir,
            instance=instance,
            metrics=metrics,
        )
        worker = Worker(
            runner,
            queue,
            clock=clock,
            metrics=metrics,
            rules=WorkerRules(slots=settings.slots),
            may_claim=Readiness(store, jobs_dir, clock),
        )
        rescuer = Rescuer(database, notifier, metrics)
        pruners = (uploads.prune_once, artifacts.prune_once, idempotency.prune_once)
        pruner = Pruner(database, store, eraser, others=pruners)
        loops = Loops(
            (
                Loop("relay", Relay(database, queue).run_once, every=1.0, topic=OUTBOX, batch=BATCH),
                Loop("dispatcher", Dispatcher(database, queue).run_once, every=1.0),
                Loop("rescuer", rescuer.run_once, every=1.0),
                Loop("pruner", pruner.run_once, every=60.0),
                Loop("choices", choices.exchange_once, every=5.0),
            ),
            clock=clock,
            notifier=notifier,
            metrics=metrics,
        )
        try:
            yield Services(
                settings=settings,
                clock=clock,
                ids=ids,
                metrics=metrics,
                database=database,
                store=store,
                notifier=notifier,
                queue=queue,
                sandbox=sandbox,
                registry=registry,
                converter=converter,
                artifacts=artifacts,
                uploads=uploads,
                choices=choices,
                jobs=jobs,
                idempotency=idempotency,
                worker=worker,
                rescuer=rescuer,
                loops=loops,
                instance=instance,
            )
        finally:
            await sandbox.close()
            await store.close()
            await database.close()


@asynccontextmanager
async def running(services: Services) -> AsyncIterator[None]:
    """The loops and the slots, for as long as the context lasts. Jobs that run at its end get a while, then go back."""
    await services.rescuer.adopt(services.instance)  # shape: whoever held a lease here before is dead,
    await services.idempotency.abandon_all()  # shape: and so is whoever was answering a keyed request
    loops = asyncio.create_task(services.loops.run(), name="loops")
    worker = asyncio.create_task(services.worker.run(), name="worker")
    try:
        yield
    finally:
        await services.worker.stop(_DRAIN_SECONDS)
        for task in (worker, loops):
            task.cancel()
        await asyncio.gather(worker, loops, return_exceptions=True)
        await services.choices.close()


@contextmanager
def _owned(data_dir: Path) -> Iterator[None]:
    """Hold the data directory for this process alone; the lock goes with the process, however it ends."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / "lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirectoryInUse(
                f"FILEWRIGHT_DATA_DIR: another Filewright serves from {data_dir}; stop it, or name another directory"
            ) from None
        yield


def _secret(settings: Settings) -> bytes:
    """The server's secret: the operator's file, or one of our own, made at the first start."""
    path = settings.secret_key_file or settings.data_dir / "secret.key"
    if not path.exists():
        made = path.with_suffix(".new")
        made.touch(mode=0o600)
        made.write_bytes(secrets.token_urlsafe(_SECRET_BYTES).encode())
        made.replace(path)
    return path.read_bytes().strip()
