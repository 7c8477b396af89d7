"""The whole life of jobs, in any order, beside a small model of it: whatever happens, both agree.

Hypothesis plays callers, workers (some of which freeze or die), the loops and the clock. The model knows no tables and
no tokens; it only knows who may do what. A difference is a lost job, a doubled result, or a lie told to a caller.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import select

from filewright.chassis.db.database import Database
from filewright.chassis.testing.clock import FakeClock
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.jobs import repository
from filewright.converter.jobs.models import JobEventRow, JobRow, UsageRow
from filewright.converter.jobs.repository import Ended, Lease
from filewright.converter.jobs.statements import accepting
from filewright.converter.jobs.states import MOVES, JobState, Stage, is_terminal
from filewright.converter.migrations import LOCATION

LEASE = timedelta(seconds=30)
DEADLINE = timedelta(hours=1)
KEPT = timedelta(seconds=600)
FILE = {
    "id": "art_read_by_all", "tenant": "alice", "filename": "text.txt", "media_type": "text/plain", "bytes": 5,
    "sha256": "0" * 64, "parts": [], "created_at": datetime(2026, 1, 1, tzinfo=UTC),
}  # fmt: skip
TIER = {"retention_seconds": KEPT.total_seconds()}


@dataclass
class Model:
    """What a job should be, in words of its own."""

    state: str = "queued"
    holder: Lease | None = None
    lease_until: float = 0.0
    converting: bool = False
    crashes: int = 0
    wait_until: float = 0.0
    deadline: float = 0.0
    charged: int = 0
    expires: float = 0.0


class Life(RuleBasedStateMachine):
    """Rules are what may happen; each acts on the database and on the model."""

    template: Path | None = None
    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="filewright-machine-"))
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        shutil.copyfile(self._migrated(), self.folder / "test.db")
        self.database = Database(f"sqlite:///{self.folder / 'test.db'}", clock=self.clock)
        self.jobs: dict[str, Model] = {}

    @classmethod
    def _migrated(cls) -> Path:
        """One migrated file for all runs: migrating each anew would be most of the time."""
        if cls.template is None:
            cls.template = Path(tempfile.mkdtemp(prefix="filewright-machine-")) / "template.db"
            database = Database(f"sqlite:///{cls.template}")

            async def migrate() -> None:
                await database.migrate(LOCATION)
                async with database.write() as session:
                    session.add(ArtifactRow(**FILE))
                await database.close()

            asyncio.run(migrate())
        return cls.template

    def teardown(self) -> None:
        self.loop.run_until_complete(self.database.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    def write(self, work):
        async def run():
            async with self.database.write() as session:
                return await work(session, await self.database.now(session))

        return self.loop.run_until_complete(run())

    def read(self, work):
        async def run():
            async with self.database.read() as session:
                return await work(session)

        return self.loop.run_until_complete(run())

    @property
    def time(self) -> float:
        return self.clock.monotonic()

    # --- callers -----------------------------------------------------------------------------------------------------

    @rule()
    def accept(self):
        job_id = f"job_{len(self.jobs):026d}"
        values = {
            "of_tenant": "alice", "of_artifact": FILE["id"], "job_id": job_id, "job_operation": "convert",
            "job_options": {}, "job_route": [], "job_limits": TIER, "job_lane": "standard", "sealed": b"secret",
            "apart": 5.0, "deadline": DEADLINE, "first_hint": timedelta(0), "kept_for": DEADLINE,
        }  # fmt: skip
        assert self.loop.run_until_complete(self.database.make(accepting.ACCEPT_AT_ONCE, **values)) is not None
        self.jobs[job_id] = Model(deadline=self.time + DEADLINE.total_seconds())

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data):
        job_id = data.draw(st.sampled_from(sorted(self.jobs)))
        model = self.jobs[job_id]
        target = JobState.CANCELLING if model.state == "running" else JobState.CANCELLED
        moved = self.write(lambda s, now: repository.move_for_caller(s, job_id, "alice", target, now=now))
        assert (moved is not None) == (model.state in {"queued", "retry_wait", "running"})
        if moved is not None:
            self.end(model, target) if target is JobState.CANCELLED else setattr(model, "state", "cancelling")

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def order_again(self, data):
        job_id = data.draw(st.sampled_from(sorted(self.jobs)))
        model = self.jobs[job_id]
        fresh = {"crash_count": 0, "not_before": self.clock.now(), "deadline_at": self.clock.now() + DEADLINE}
        moved = self.write(
            lambda s, now: repository.move_for_caller(s, job_id, "alice", JobState.QUEUED, now=now, **fresh)
        )
        assert (moved is not None) == (model.state in {"failed", "cancelled", "overdue"})
        if moved is not None:
            model.state, model.crashes, model.wait_until = "queued", 0, self.time
            model.deadline = self.time + DEADLINE.total_seconds()

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def delete(self, data):
        job_id = data.draw(st.sampled_from(sorted(self.jobs)))
        model = self.jobs[job_id]
        moved = self.write(lambda s, now: repository.move_for_caller(s, job_id, "alice", JobState.ERASED, now=now))
        assert (moved is not None) == (model.state != "erased")
        model.state, model.holder = "erased", None

    # --- workers: a lease stays in the bundle when its job is lost, which is a worker that froze ---------------------

    @rule(target=leases, suspects=st.booleans())
    def claim(self, suspects):
        row = self.write(
            lambda s, now: repository.claim(s, now=now, worker="w", lease_for=LEASE, lane="standard", suspects=suspects)
        )
        free = {
            job_id
            for job_id, model in self.jobs.items()
            if model.state == "queued"
            and model.wait_until <= self.time < model.deadline
            and (model.crashes >= 2) is suspects
        }
        assert (row is None) == (not free)
        if row is None:
            return Lease("job_of_nobody", 0, "")
        assert row.id in free
        lease = Lease(row.id, row.attempt, row.lease_token)
        model = self.jobs[row.id]
        model.state, model.holder, model.converting = "running", lease, False
        model.lease_until = self.time + LEASE.total_seconds()
        return lease

    def holds(self, lease, *states) -> Model | None:
        model = self.jobs.get(lease.job_id)
        return model if model is not None and model.holder == lease and model.state in states else None

    @rule(lease=leases, converting=st.booleans())
    def beat(self, lease, converting):
        model = self.holds(lease, "running", "cancelling")
        alive = model is not None and self.time < model.lease_until
        stage = Stage.CONVERTING if converting else Stage.STORING
        state = self.write(
            lambda s, now: repository.report(s, lease, now=now, lease_for=LEASE, stage=stage, progress=5)
        )
        assert (state is not None) == alive
        if alive:
            assert state == model.state
            model.lease_until = self.time + LEASE.total_seconds()
            model.converting = converting

    @rule(lease=leases)
    def commit(self, lease):
        model = self.holds(lease, "running")
        usage = {"seconds": 1.0, "input_bytes": 1, "output_bytes": 1}
        row = self.write(
            lambda s, now: s.carry(
                repository.commit(
                    lease, now=now, ended=Ended(), usage=usage, tier="local", keep_for=KEPT, outputs=[], route=[]
                )
            )
        )
        assert (row is not None) == (model is not None)
        if model is not None:
            self.end(model, JobState.SUCCEEDED)
            model.charged += 1

    @rule(lease=leases, crashed=st.booleans())
    def fail(self, lease, crashed):
        model = self.holds(lease, "running")
        crashes = model.crashes + crashed if model else 0
        target = JobState.FAILED if not crashed else JobState.QUARANTINED if crashes >= 3 else JobState.RETRY_WAIT
        later = {"not_before": self.clock.now() + timedelta(seconds=8)} if target is JobState.RETRY_WAIT else {}
        row = self.write(
            lambda s, now: repository.end(s, lease, target, now=now, ended=Ended(), crash_count=crashes, **later)
        )
        assert (row is not None) == (model is not None)
        if model is not None:
            model.crashes = crashes
            self.end(model, target)
            if later:
                model.wait_until = self.time + 8

    @rule(lease=leases)
    def stop_after_cancel(self, lease):
        model = self.holds(lease, "cancelling")
        row = self.write(lambda s, now: repository.end(s, lease, JobState.CANCELLED, now=now, ended=Ended()))
        assert (row is not None) == (model is not None)
        if model is not None:
            self.end(model, JobState.CANCELLED)

    # --- the loops and the clock -------------------------------------------------------------------------------------

    @rule()
    def rescue(self):
        overdue = self.write(lambda s, now: repository.end_overdue(s, now=now, limit=100))
        assert set(overdue) == self.those(
            lambda m: m.state in {"queued", "running", "retry_wait"} and m.deadline <= self.time
        )
        for job_id in overdue:
            self.end(self.jobs[job_id], JobState.OVERDUE)
        freed = self.write(lambda s, now: repository.rescue(s, now=now, limit=100, orphaned=repository.lapsed(now)))
        assert set(freed) == self.those(lambda m: m.state in {"running", "cancelling"} and m.lease_until <= self.time)
        for job_id in freed:
            self.freed(self.jobs[job_id])
        woken = self.write(lambda s, now: repository.wake_retries(s, now=now, limit=100))
        assert set(woken) == self.those(lambda m: m.state == "retry_wait" and m.wait_until <= self.time < m.deadline)
        for job_id in woken:
            self.jobs[job_id].state = "queued"

    def freed(self, model) -> None:
        if model.state == "cancelling":
            self.end(model, JobState.CANCELLED)
            return
        model.crashes += model.converting
        self.end(model, JobState.QUARANTINED if model.converting and model.crashes >= 3 else JobState.QUEUED)
        model.wait_until = self.time

    @rule()
    def expire(self):
        gone = self.write(lambda s, now: repository.erase_expired(s, now=now, limit=100))
        due = self.those(lambda m: m.state != "erased" and is_terminal(JobState(m.state)) and m.expires <= self.time)
        assert set(gone) == due
        for job_id in gone:
            self.jobs[job_id].state = "erased"

    @rule(seconds=st.sampled_from([1, 9, 31, 700, 3700]))
    def advance(self, seconds):
        self.clock.move(seconds)

    def those(self, condition) -> set[str]:
        return {job_id for job_id, model in self.jobs.items() if condition(model)}

    def end(self, model, state) -> None:
        model.state, model.holder, model.converting = state.value, None, False
        if is_terminal(state):
            model.expires = self.time + TIER["retention_seconds"]

    # --- what is always true -----------------------------------------------------------------------------------------

    @invariant()
    def the_database_and_the_model_agree(self):
        async def look(session):
            jobs = {row.id: row for row in await session.scalars(select(JobRow))}
            charges = [row.job_id for row in await session.scalars(select(UsageRow))]
            secrets = {job_id for job_id in jobs if await repository.secret_of(session, job_id) is not None}
            return jobs, charges, secrets

        jobs, charges, secrets = self.read(look)
        assert {job_id: row.state for job_id, row in jobs.items()} == {k: m.state for k, m in self.jobs.items()}
        for job_id, model in self.jobs.items():
            assert charges.count(job_id) == model.charged <= 1
            assert jobs[job_id].crash_count == model.crashes
            assert (jobs[job_id].lease_token is not None) == (model.state in {"running", "cancelling"})
            assert not (job_id in secrets and is_terminal(JobState(model.state)))

    @invariant()
    def every_event_is_a_move_of_the_table(self):
        async def look(session):
            return list(await session.scalars(select(JobEventRow).order_by(JobEventRow.job_id, JobEventRow.seq)))

        allowed = {(move.source, move.target, actor) for move in MOVES for actor in move.actors}
        last: dict[str, str] = {}
        for event in self.read(look):
            assert event.source == last.get(event.job_id)
            assert (event.source, event.target, event.actor) in allowed
            last[event.job_id] = event.target


Life.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestLife = Life.TestCase
