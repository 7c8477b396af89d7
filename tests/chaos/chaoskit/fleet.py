"""A fleet in one process, on a real database and a real folder, through all that can happen to it, scene by scene.

    python fleet.py DATABASE_URL FOLDER SECONDS

No scene may take longer than SECONDS.

Processes are objects here, so that what takes chance and kills on a whole stack happens at will: one that is frozen at
its commit, one that dies between two rows. The database's time is the scenes'. What clients were told is printed as
JSON lines.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chaoskit.journal import Accepted, CancelAsked, Deleted, Fetched, Journal, Seen
from sqlalchemy import text
from starlette.responses import Response

from filewright.chassis import failpoints
from filewright.chassis.audit.alarms import Alarms
from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.seals import Seals
from filewright.chassis.audit.watch import Watch
from filewright.chassis.clock import SystemClock
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.db.database import Database
from filewright.chassis.ids import RandomIds
from filewright.chassis.queue.embedded import EmbeddedQueue
from filewright.chassis.queue.relay import Relay
from filewright.chassis.storage.local import LocalStore
from filewright.chassis.storage.port import StoreUnavailable
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.testing.clock import FakeClock
from filewright.chassis.web.idempotency import IdempotencyKeys
from filewright.chassis.web.problems import InFlight
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.conversion import checks
from filewright.converter.conversion.orders import Assignment, Converted, Hop, Plan, Product, Stage
from filewright.converter.errors import CorruptInput, EngineCrashed
from filewright.converter.jobs.orders import JobInput, JobOrder
from filewright.converter.jobs.running.lease import LeaseRules
from filewright.converter.jobs.running.runner import JobRunner
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.jobs.service import Jobs
from filewright.converter.jobs.steering.erasing import Eraser
from filewright.converter.maintenance.dispatcher import Dispatcher
from filewright.converter.maintenance.pruner import Pruner
from filewright.converter.maintenance.rescuer import Rescuer
from filewright.converter.tiers import LOCAL, Caller
from filewright.converter.uploads.service import Uploads

ALICE = Caller("alice", LOCAL)
LIVELY = LeaseRules(lease=30.0, heartbeat=5.0, margin=10.0, look=0.02, report=0.0)
FROZEN = LeaseRules(lease=30.0, heartbeat=5.0, margin=10.0, look=3600.0, report=0.0)
_OWED = text("SELECT id FROM jobs WHERE state IN ('queued', 'running', 'retry_wait', 'cancelling') LIMIT 1")
_FAR = text("SELECT id FROM jobs WHERE state = 'running' AND stage = 'converting' AND progress > 50")
_HOP = Hop("upper", "1.0", "txt", "md", lossy=False)


class Upper:
    """The conversion: upper case. What a file's name begins with says what becomes of it."""

    def __init__(self) -> None:
        self.tries: dict[str, int] = {}
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    def plan(self, source_format: str, target: str, options: Mapping[str, Any] | None = None) -> Plan:
        return Plan(source_format, target, (_HOP,), dict(options or {}), 0.5)

    async def convert(
        self,
        assignment: Assignment,
        *,
        workspace: Path,
        on_stage: Callable[[Stage], None],
        on_progress: Callable[[float], None],
        cancel: asyncio.Event | None,
    ) -> Converted:
        on_stage(Stage.CONVERTING)
        name = assignment.filename
        tries = self.tries[name] = self.tries.get(name, 0) + 1
        if name.startswith("torn"):
            raise CorruptInput
        if name.startswith("poison") or (name.startswith("crash") and tries == 1):
            raise EngineCrashed
        if name.startswith("outage") and tries == 1:
            raise StoreUnavailable
        if name.startswith("hang") or (name.startswith("dies") and tries == 1):
            on_progress(0.8)
            self.reached.set()
            await asyncio.sleep(3600)
        if name.startswith("pauses") or (name.startswith("dies") and tries == 2):
            self.reached.set()
            await self.go_on.wait()
        data = (await asyncio.to_thread(assignment.source.read_bytes)).upper()
        path = workspace / "out" / "output.md"
        await asyncio.to_thread(path.write_bytes, data)
        product = Product(path, "text.md", "md", "text/markdown", checks.seen(path))
        return Converted("txt", "md", (_HOP,), (product,), 0.01)


class Pausing:
    """A store under which a worker stops when it has stored its result, until it may go on."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def put_file(self, key: str, *given: Any, **more: Any) -> Any:
        kept = await self._store.put_file(key, *given, **more)
        self.reached.set()
        await self.go_on.wait()
        return kept

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Fleet:
    """All that processes share, and the processes."""

    def __init__(self, url: str, folder: Path) -> None:
        self.time = FakeClock()
        self.database = Database(url, clock=self.time)
        self.ids = RandomIds(SystemClock())
        self.store = LocalStore(folder / "objects")
        self.folder = folder
        self.queue = EmbeddedQueue()
        self.notifier = MemoryNotifier()
        self.metrics = Metrics()
        self.sealer = Sealer(b"k" * 32)
        self.converter = Upper()
        self.journal = Journal()
        self.artifacts = Artifacts(self.database, self.store, self.ids)
        (folder / "scratch").mkdir(parents=True)
        self.uploads = Uploads(
            database=self.database, store=self.store, artifacts=self.artifacts, ids=self.ids,
            scratch=folder / "scratch",
        )  # fmt: skip
        eraser = Eraser(self.database, self.store, self.artifacts)
        self.jobs = Jobs(
            database=self.database, sources=self.uploads, files=self.artifacts, planner=self.converter,
            notifier=self.notifier, ids=self.ids, sealer=self.sealer, erase_files=eraser.erase,
        )  # fmt: skip
        self.audit = Audit(self.database, Seals(b"a secret of more than thirty-two bytes"))
        self.rescuer = Rescuer(self.database, self.notifier, self.metrics, self.audit)
        self.dispatcher = Dispatcher(self.database, self.queue)
        self.relay = Relay(self.database, self.queue)
        others = (self.uploads.prune_once, self.artifacts.prune_once)
        self.pruner = Pruner(self.database, self.store, eraser, others=others)
        self.left_behind: list[asyncio.Task[str]] = []

    def worker(self, *, store: Any = None, frozen: bool = False) -> JobRunner:
        """A process with one slot. A frozen one hears nothing and looks at nothing while it works."""
        return JobRunner(
            database=self.database, store=store or self.store, files=self.artifacts, converter=self.converter,
            notifier=MemoryNotifier() if frozen else self.notifier, ids=self.ids, clock=SystemClock(),
            sealer=self.sealer, jobs_dir=self.folder / "work", instance=self.ids.new("wrk"), metrics=Metrics(),
            rules=FROZEN if frozen else LIVELY, watch=self.watch(),
        )  # fmt: skip

    def watch(self) -> Watch:
        """A process's own."""
        clock = SystemClock()
        return Watch(self.database, self.audit, Alarms(clock, Metrics()), clock, Metrics())

    # --- clients -------------------------------------------------------------------------------------------------

    async def order(self, name: str, *, good: bool = True, keys: IdempotencyKeys | None = None, **more: Any) -> str:
        """As the endpoint does it, with the name as the key; asks again for as long as it is told to."""

        async def bytes_of() -> AsyncIterator[bytes]:
            yield name.encode() * 40

        upload = (await self.uploads.receive(ALICE, f"{name}.txt", bytes_of())).upload.id
        keys = keys or self.keys()
        while True:
            with suppress(InFlight):
                job = await self._submit(name, upload, keys, more)
                self.journal.write(Accepted(name, job, good))
                return job
            await asyncio.sleep(0.01)

    async def _submit(self, name: str, upload: str, keys: IdempotencyKeys, more: dict[str, Any]) -> str:
        async with keys.claim(ALICE.tenant, name, "mark") as claim:
            if claim.replay is not None:
                return claim.replay.body.decode()

            async def keep(session: Any, job: Any) -> None:
                await asyncio.sleep(0)  # the other of two is here, too
                await claim.keep(session, Response(job.id, 202))

            order = JobOrder((JobInput(upload=upload),), to="md", tag=name, **more)
            return (await self.jobs.submit(ALICE, order, within=keep)).id

    def keys(self) -> IdempotencyKeys:
        """As one API process has them."""
        return IdempotencyKeys(self.database, self.ids, SystemClock())

    async def look(self, job: str) -> str:
        view = await self.jobs.get(ALICE, job)
        self.journal.write(Seen(job, str(view.status), view.progress))
        return str(view.status)

    async def fetch(self, job: str) -> None:
        if await self.look(job) != "succeeded":
            return
        opened = await self.jobs.open_output(ALICE, job, 0)
        digest = hashlib.sha256()
        async for chunk in opened.chunks:
            digest.update(chunk)
        self.journal.write(Fetched(job, digest.hexdigest()))

    async def cancel(self, job: str) -> None:
        self.journal.write(CancelAsked(job))
        await self.jobs.cancel(ALICE, job)

    async def delete(self, job: str) -> None:
        await self.jobs.delete(ALICE, job)
        self.journal.write(Deleted(job))

    # --- processes -----------------------------------------------------------------------------------------------

    async def begin(self, worker: JobRunner) -> asyncio.Task[str]:
        claimed = await worker.claim("standard") or await worker.claim("standard", suspects=True)
        assert claimed is not None
        task = asyncio.create_task(worker.run(claimed))
        self.left_behind.append(task)  # one that dies is never heard of again
        return task

    async def die_converting(self) -> None:
        """A worker is killed in the middle of a conversion, when it has written down how far it is."""
        self.converter.reached.clear()
        await self.begin(self.worker(frozen=True))
        await self.converter.reached.wait()
        async with asyncio.timeout(60):
            while not await self._far():
                await asyncio.sleep(0.01)

    async def _far(self) -> bool:
        async with self.database.read() as session:
            return (await session.scalars(_FAR)).first() is not None

    async def stop_at_commit(self) -> tuple[Pausing, asyncio.Task[str]]:
        """A worker is frozen when its result is stored and not written down."""
        store = Pausing(self.store)
        task = await self.begin(self.worker(store=store, frozen=True))
        await store.reached.wait()
        return store, task

    async def lease_over(self) -> None:
        self.time.move(31)
        await self.rescuer.run_once()

    async def tick(self) -> None:
        """The loops run once, and workers, who do nothing without a hint, take what hints there are."""
        for run_once in (self.relay.run_once, self.dispatcher.run_once, self.rescuer.run_once):
            await run_once()
        while await self.queue.take(0) is not None:
            worker = self.worker()
            claimed = await worker.claim("standard") or await worker.claim("standard", suspects=True)
            if claimed is not None:
                await asyncio.wait_for(worker.run(claimed), 60)

    async def come_to_rest(self) -> None:
        """Until nothing is owed any more, or for ten minutes of the database's time."""
        for _ in range(40):
            await self.tick()
            self.time.move(16)
            async with self.database.read() as session:
                if not (await session.scalars(_OWED)).first():
                    break
        self.time.move(1200)
        for _ in range(20):
            await self.pruner.run_once()


# --- scenes ----------------------------------------------------------------------------------------------------------


async def a_quiet_life(fleet: Fleet) -> None:
    job = await fleet.order("quiet")
    await fleet.tick()
    await fleet.fetch(job)


async def a_frozen_worker_wakes_after_another_has_done_its_job(fleet: Fleet) -> None:
    job = await fleet.order("frozen")
    store, task = await fleet.stop_at_commit()
    await fleet.lease_over()
    await fleet.tick()
    await fleet.look(job)
    store.go_on.set()
    await task
    await fleet.fetch(job)


async def a_frozen_worker_wakes_before_another_has_begun(fleet: Fleet) -> None:
    job = await fleet.order("thawed")
    store, task = await fleet.stop_at_commit()
    await fleet.lease_over()
    store.go_on.set()
    await task
    await fleet.tick()
    await fleet.fetch(job)


async def a_frozen_worker_wakes_while_another_is_at_it(fleet: Fleet) -> None:
    job = await fleet.order("both")
    first, one = await fleet.stop_at_commit()
    await fleet.lease_over()
    second, other = await fleet.stop_at_commit()
    first.go_on.set()
    await one
    await fleet.look(job)
    second.go_on.set()
    await other
    await fleet.fetch(job)


async def every_hint_is_lost(fleet: Fleet) -> None:
    await fleet.order("unheard-of")
    await fleet.relay.run_once()
    while await fleet.queue.take(0) is not None:
        pass


async def a_worker_dies_as_soon_as_it_has_a_job(fleet: Fleet) -> None:
    await fleet.order("unlucky")
    await fleet.worker().claim("standard")
    await fleet.lease_over()


async def a_worker_dies_while_it_converts(fleet: Fleet) -> None:
    job = await fleet.order("dies")
    await fleet.die_converting()
    await fleet.look(job)
    await fleet.lease_over()
    await fleet.look(job)
    fleet.converter.reached.clear()
    task = await fleet.begin(fleet.worker())
    await fleet.converter.reached.wait()
    await fleet.look(job)
    fleet.converter.go_on.set()
    await task
    await fleet.fetch(job)


async def a_worker_dies_with_its_result_stored(fleet: Fleet) -> None:
    await fleet.order("orphan")
    await fleet.stop_at_commit()
    await fleet.lease_over()


async def a_file_kills_every_worker(fleet: Fleet) -> None:
    await fleet.order("hang-poison")
    for _ in range(3):
        await fleet.die_converting()
        await fleet.lease_over()


async def files_of_all_kinds(fleet: Fleet) -> None:
    for name, good in (("poison", True), ("crash", True), ("outage", True), ("torn", False)):
        await fleet.order(name, good=good)
    await fleet.order("secret", password="open sesame")


async def a_change_of_mind_while_it_runs(fleet: Fleet) -> None:
    job = await fleet.order("hang-cancel")
    fleet.converter.reached.clear()
    task = await fleet.begin(fleet.worker())
    await fleet.converter.reached.wait()
    await fleet.cancel(job)
    await task
    await fleet.look(job)


async def a_change_of_mind_of_which_the_worker_never_hears(fleet: Fleet) -> None:
    job = await fleet.order("hang-deaf")
    await fleet.die_converting()
    await fleet.cancel(job)
    await fleet.lease_over()
    await fleet.look(job)


async def a_change_of_mind_at_the_commit(fleet: Fleet) -> None:
    job = await fleet.order("cancel-at-commit")
    store, task = await fleet.stop_at_commit()
    await fleet.cancel(job)
    store.go_on.set()
    await task
    await fleet.look(job)


async def erased_at_the_commit(fleet: Fleet) -> None:
    job = await fleet.order("erase-at-commit")
    store, task = await fleet.stop_at_commit()
    await fleet.delete(job)
    await fleet.look(job)
    store.go_on.set()
    await task
    await fleet.look(job)


async def a_commit_of_which_the_worker_never_hears(fleet: Fleet) -> None:
    job = await fleet.order("unheard-commit")
    task = await fleet.begin(fleet.worker())
    with at("jobs.commit.inside", lose_the_next_answer):
        await task
    await fleet.fetch(job)


async def a_worker_is_told_to_end_in_the_middle_of_its_commit(fleet: Fleet) -> None:
    job = await fleet.order("drained")
    task = await fleet.begin(fleet.worker())
    with at("jobs.commit.inside", task.cancel):
        await asyncio.gather(task, return_exceptions=True)
    await fleet.tick()
    await fleet.fetch(job)


async def a_worker_is_told_to_end_while_it_converts(fleet: Fleet) -> None:
    await fleet.order("dies-drained")
    fleet.converter.reached.clear()
    task = await fleet.begin(fleet.worker())
    await fleet.converter.reached.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def the_same_order_at_two_processes_at_once(fleet: Fleet) -> None:
    await asyncio.gather(*(fleet.order("twice", keys=fleet.keys()) for _ in range(4)))


async def the_same_order_again_after_the_answer_was_lost(fleet: Fleet) -> None:
    for _ in range(2):
        await fleet.order("again")


SCENES: tuple[Callable[[Fleet], Awaitable[None]], ...] = (
    a_quiet_life,
    a_frozen_worker_wakes_after_another_has_done_its_job,
    a_frozen_worker_wakes_before_another_has_begun,
    a_frozen_worker_wakes_while_another_is_at_it,
    a_worker_dies_as_soon_as_it_has_a_job,
    a_worker_dies_while_it_converts,
    a_worker_dies_with_its_result_stored,
    a_file_kills_every_worker,
    a_change_of_mind_while_it_runs,
    a_change_of_mind_of_which_the_worker_never_hears,
    a_change_of_mind_at_the_commit,
    erased_at_the_commit,
    a_commit_of_which_the_worker_never_hears,
    a_worker_is_told_to_end_in_the_middle_of_its_commit,
    a_worker_is_told_to_end_while_it_converts,
    the_same_order_at_two_processes_at_once,
    the_same_order_again_after_the_answer_was_lost,
    files_of_all_kinds,
    every_hint_is_lost,
)
"""Each begins when what is owed from the one before is done, so that a worker gets the job that is meant."""


class at:  # noqa: N801 - reads as a word
    """Do something, once, when a point in the code is passed."""

    def __init__(self, point: str, do: Callable[[], object]) -> None:
        self._point = point
        self._do = do

    def __enter__(self) -> None:
        self._before = failpoints.hit
        done: list[bool] = []

        def hit(name: str) -> None:
            if name == self._point and not done:
                done.append(True)
                self._do()
            self._before(name)

        failpoints.hit = hit

    def __exit__(self, *_: object) -> None:
        failpoints.hit = self._before


def lose_the_next_answer() -> None:
    """The next commit happens, and whoever waits for it hears that the database is away."""
    before = failpoints.hit

    def hit(name: str) -> None:
        if name == "db.commit.after":
            failpoints.hit = before
            raise OSError(5, "the answer is lost")
        before(name)

    failpoints.hit = hit


async def play(url: str, folder: Path, seconds: float) -> int:
    fleet, troubles = Fleet(url, folder), 0
    for scene in SCENES:
        try:
            await asyncio.wait_for(scene(fleet), seconds)
            if scene is not every_hint_is_lost:
                for _ in range(3):
                    await fleet.tick()
                    fleet.time.move(16)
        except Exception:
            troubles += 1
            sys.stderr.write(f"{scene.__name__}:\n{traceback.format_exc()}\n")
    try:
        await asyncio.wait_for(fleet.come_to_rest(), 3 * seconds)
    except Exception:
        troubles += 1
        sys.stderr.write(traceback.format_exc())
    for entry in fleet.journal.entries:
        sys.stdout.write(json.dumps({"kind": type(entry).__name__, **asdict(entry)}) + "\n")
    sys.stdout.flush()
    return troubles


if __name__ == "__main__":
    ended = asyncio.new_event_loop().run_until_complete(play(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
    os._exit(1 if ended else 0)  # workers that died still lie about
