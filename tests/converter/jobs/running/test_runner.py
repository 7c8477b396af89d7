"""One attempt from claim to end: with real files, a real store and a real database."""

import asyncio
import contextlib
import errno
import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from filewright.chassis import failpoints
from filewright.chassis.audit.models import AuditLogRow
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.db.database import Database
from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.chassis.sandbox.port import SandboxUnavailable
from filewright.converter.conversion.fidelity import Fidelity, Substitution
from filewright.converter.errors import CorruptInput, EngineCrashed, Infected
from filewright.converter.jobs import repository
from filewright.converter.jobs.models import AttemptRow, JobRow, UsageRow
from filewright.converter.jobs.running.lease import LeaseRules
from filewright.converter.jobs.running.runner import STALE, UNKNOWN
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.tiers import LOCAL, Caller

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def no_failpoint_stays_armed():
    yield
    failpoints.arm("")


def raising(error):
    async def before(assignment, cancel):
        raise error

    return before


async def row_of(shop, job) -> JobRow:
    async with shop.database.read() as session:
        return await session.get(JobRow, job.id, populate_existing=True)


async def attempts_of(shop, job) -> list[AttemptRow]:
    async with shop.database.read() as session:
        found = select(AttemptRow).where(AttemptRow.job_id == job.id).order_by(AttemptRow.number)
        return list(await session.scalars(found))


async def charges(shop) -> int:
    async with shop.database.read() as session:
        return (await session.scalars(select(func.count()).select_from(UsageRow))).one()


def workspaces(shop) -> list:
    return list((shop.folder / "work").iterdir()) if (shop.folder / "work").exists() else []


class Pause:
    """Lets a test act while a conversion is under way."""

    def __init__(self, shop) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        shop.converter.before = self

    async def __call__(self, assignment, cancel) -> None:
        self.reached.set()
        await self.go_on.wait()


# --- success ---------------------------------------------------------------------------------------------------------


async def test_a_job_succeeds_with_bytes_digest_usage_and_nothing_left_behind(shop, alice, clock):
    job = await shop.order(b"hello")
    assert await shop.work() == "succeeded"
    done = await shop.jobs.get(alice, job.id)
    data = await shop.read(job)
    assert data == b"HELLO"
    (output,) = done.outputs
    assert (output.name, output.media_type, output.bytes) == ("text.md", "text/markdown", len(data))
    assert output.sha256 == hashlib.sha256(data).hexdigest()
    assert output.url == f"/v1/jobs/{job.id}/outputs/0"
    assert (done.status, done.progress, done.stage, done.error) == ("succeeded", 100, None, None)
    assert done.expires_at == clock.now() + timedelta(seconds=LOCAL.retention_seconds)
    assert await charges(shop) == 1
    assert workspaces(shop) == []


async def test_how_true_the_output_is_stands_in_the_job(shop, alice):
    shop.converter.fidelity = Fidelity(3, 812, 0.9975, 2, (Substitution("Calibri", "Carlito"), Substitution("X", None)))
    measured, plain = await shop.order(), await shop.order()
    assert await shop.work() == "succeeded"
    shop.converter.fidelity = None
    assert await shop.work() == "succeeded"
    assert (await shop.jobs.get(alice, measured.id)).model_dump(mode="json")["fidelity"] == {
        "pages": 3,
        "words": 812,
        "text_recall": 0.9975,
        "missing_glyphs": 2,
        "substituted_fonts": [{"asked": "Calibri", "got": "Carlito"}, {"asked": "X", "got": None}],
    }
    assert "fidelity" not in (await shop.jobs.get(alice, plain.id)).model_dump(mode="json")


async def test_a_part_of_an_output_can_be_read(shop, alice):
    job = await shop.order(b"hello world")
    await shop.work()
    opened = await shop.jobs.open_output(alice, job.id, 0, 6, 8)
    assert b"".join([chunk async for chunk in opened.chunks]) == b"WO"


async def test_its_owner_sees_stage_and_progress_while_it_runs(shop, alice):
    job = await shop.order()
    pause = Pause(shop)
    work = asyncio.create_task(shop.work())
    await pause.reached.wait()
    seen = await shop.jobs.get(alice, job.id)
    assert (seen.status, seen.stage, seen.attempt) == ("running", "converting", 1)
    seen_progress = [seen.progress]
    while seen.progress < 20:
        await asyncio.sleep(0.01)
        seen = await shop.jobs.get(alice, job.id)
        seen_progress.append(seen.progress)
    pause.go_on.set()
    await work
    assert seen_progress == sorted(seen_progress)


# --- failure ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "state", "status", "code"),
    [
        (CorruptInput("torn"), "failed", "failed", "corrupt_input"),
        (Infected(), "infected", "failed", "infected"),
        (KeyError("a defect"), "failed", "failed", "internal"),
    ],
    ids=["input", "malware", "defect"],
)
async def test_an_error_that_would_come_again_ends_the_job(shop, alice, error, state, status, code):
    job = await shop.order()
    shop.converter.before = raising(error)
    assert await shop.work() == state
    ended = await shop.jobs.get(alice, job.id)
    assert (ended.status, ended.error.code) == (status, code)
    assert await charges(shop) == 0
    assert workspaces(shop) == []
    assert not await shop.objects("results")


@pytest.mark.requirement("F3", "F7")
async def test_an_engine_that_crashes_three_times_quarantines_the_file(shop, alice, clock):
    job = await shop.order()
    shop.converter.before = raising(EngineCrashed())
    outcomes = []
    for _ in range(3):
        outcomes.append(await shop.work())
        clock.move(400)
        await shop.rescuer.run_once()
    assert outcomes == ["retry_wait", "retry_wait", "quarantined"]
    ended = await shop.jobs.get(alice, job.id)
    assert (ended.status, ended.error.code, ended.attempt) == ("failed", "quarantined", 3)
    async with shop.database.read() as session:
        [act] = (await session.scalars(select(AuditLogRow))).all()
    assert (act.action, act.subject) == ("quarantine.begun", job.id)
    clock.move(400)
    assert await shop.rescuer.run_once() == 0
    assert await shop.work() is None


@pytest.mark.requirement("F19")
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), SandboxUnavailable("no child")], ids=["disk", "sandbox"]
)
async def test_an_outage_only_makes_the_job_late(shop, alice, clock, error):
    job = await shop.order()
    shop.converter.before = raising(error)
    assert await shop.work() == "retry_wait"
    assert await shop.status(job) == "queued"
    shop.converter.before = None
    clock.move(400)
    await shop.rescuer.run_once()
    assert await shop.work() == "succeeded"
    row = await row_of(shop, job)
    assert (row.crash_count, row.transient_count, row.attempt) == (0, 1, 2)


async def test_eight_outages_in_a_row_are_told_as_such(shop, alice, clock):
    job = await shop.order()
    shop.converter.before = raising(OSError(errno.EIO, "broken"))
    for _ in range(8):
        await shop.work()
        clock.move(400)
        await shop.rescuer.run_once()
    ended = await shop.jobs.get(alice, job.id)
    assert (ended.status, ended.error.code, ended.error.retryable) == ("failed", "storage_unavailable", True)


async def test_more_output_than_the_tier_allows_is_refused_and_none_is_kept(shop, alice):
    tiny = Caller("alice", replace(LOCAL, max_output_bytes=4))
    job = await shop.order(b"hello", caller=tiny)
    await shop.work()
    assert (await shop.jobs.get(alice, job.id)).error.code == "too_large"
    assert not await shop.objects("results")


@pytest.mark.requirement("F17")
async def test_an_input_whose_bytes_have_changed_is_never_converted(shop, alice):
    job = await shop.order(b"hello")
    (key,) = await shop.objects("uploads")
    await shop.store.put(key, b"hellO")
    assert await shop.work() == "retry_wait"
    assert shop.converter.seen == []
    assert await shop.status(job) == "queued"


async def test_a_product_that_changed_on_its_way_to_the_store_is_never_a_result(shop, alice):
    job = await shop.order(b"hello")
    shop.converter.after = lambda workspace: (workspace / "out" / "output.md").write_bytes(b"HELLA")
    assert await shop.work() == "retry_wait"
    assert await shop.status(job) == "queued"
    assert not await shop.objects("results")


async def test_an_input_that_was_erased_meanwhile_ends_the_job(shop, alice):
    job = await shop.order(b"hello")
    async with shop.database.read() as session:
        ((_, artifact),) = await repository.inputs_of(session, [job.id])
    await shop.artifacts.erase([artifact.id])
    await shop.work()
    assert (await shop.jobs.get(alice, job.id)).error.code == "expired"


async def test_a_password_sealed_under_another_secret_is_asked_for_again(shop, alice):
    job = await shop.order(password="sesame")
    await shop.work(shop.runner(sealer=Sealer(b"z" * 32)))
    assert (await shop.jobs.get(alice, job.id)).error.code == "password_required"


# --- cancelling ------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F26")
@pytest.mark.parametrize("announced", [True, False], ids=["announced", "unannounced"])
async def test_a_running_job_is_cancelled_within_a_second(shop, alice, monkeypatch, announced):
    """By the announcement alone, or, when that is lost, by the next look, of which there are two in a second."""
    job = await shop.order()
    pause = Pause(shop)
    work = asyncio.create_task(shop.work(shop.runner(rules=LeaseRules(look=3600) if announced else LeaseRules())))
    await pause.reached.wait()
    looks = []
    if not announced:
        monkeypatch.setattr(shop.notifier, "notify", lost)
    await shop.jobs.cancel(alice, job.id)
    held_state = repository.held_state

    async def counted(*arguments):
        looks.append(await held_state(*arguments))
        return looks[-1]

    monkeypatch.setattr(repository, "held_state", counted)
    async with asyncio.timeout(60):
        assert await work == "cancelled"
    assert len(looks) <= 1
    assert LeaseRules().look <= 0.5
    ended = await shop.jobs.get(alice, job.id)
    assert (ended.status, ended.error.code, ended.outputs) == ("cancelled", "cancelled", ())
    assert workspaces(shop) == []


async def lost(topic) -> None:
    """An announcement that reaches nobody."""


async def test_a_job_that_fails_while_it_is_being_cancelled_is_cancelled(shop, alice):
    job = await shop.order()

    async def fail_then(assignment, cancel):
        await shop.jobs.cancel(alice, job.id)
        raise CorruptInput

    shop.converter.before = fail_then
    assert await shop.work() in {"cancelled", "failed", STALE}
    assert await shop.status(job) == "cancelled"


# --- leases ----------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("F5")
async def test_a_worker_that_slept_past_its_lease_commits_nothing_and_drops_what_it_stored(shop, alice, clock):
    job = await shop.order(b"hello")
    # It hears nothing and looks at nothing, as a frozen process; then it wakes and goes on as if nothing had happened.
    sleeper = shop.runner("sleeper", notifier=MemoryNotifier(), rules=LeaseRules(look=3600, report=3600))
    pause = Pause(shop)
    work = asyncio.create_task(shop.work(sleeper))
    await pause.reached.wait()
    clock.move(31)
    assert await shop.rescuer.run_once() == 1
    shop.converter.before = None
    assert await shop.work(shop.runner("other")) == "succeeded"
    pause.go_on.set()
    assert await work == STALE
    assert await shop.read(job) == b"HELLO"
    assert await charges(shop) == 1
    assert [key.split("/")[2] for key in await shop.objects("results")] == ["2"]
    assert [attempt.outcome for attempt in await attempts_of(shop, job)] == ["lost", "succeeded"]


async def test_nobody_works_without_a_keeper_of_the_lease(shop, alice, monkeypatch):
    job = await shop.order()
    Pause(shop)

    async def broken(session, lease):
        raise KeyError("a defect")

    monkeypatch.setattr(repository, "held_state", broken)
    assert await shop.work() == "failed"
    assert (await shop.jobs.get(alice, job.id)).error.code == "internal"


async def test_work_stops_as_soon_as_the_lease_is_found_to_be_lost(shop, clock):
    job = await shop.order()
    pause = Pause(shop)
    work = asyncio.create_task(shop.work())
    await pause.reached.wait()
    clock.move(31)
    await shop.rescuer.run_once()
    assert await work == STALE
    assert await shop.status(job) == "queued"


@pytest.mark.requirement("F11")
async def test_a_worker_that_cannot_renew_its_lease_fences_itself(shop, monkeypatch):
    job = await shop.order()
    pause = Pause(shop)
    rules = LeaseRules(lease=1.0, heartbeat=0.05, margin=0.7, look=0.02, report=0.01)
    work = asyncio.create_task(shop.work(shop.runner(rules=rules)))
    await pause.reached.wait()
    down = Outage(monkeypatch)
    outcome = await work
    down.over()
    assert outcome == STALE
    assert await shop.status(job) == "running"
    assert not await shop.objects("results")


@pytest.mark.requirement("F11")
async def test_a_commit_waits_for_a_database_that_is_away_for_a_moment(shop, clock, monkeypatch):
    job = await shop.order(b"hello")
    pause = Pause(shop)
    work = asyncio.create_task(shop.work(shop.runner(rules=LeaseRules(look=3600, report=3600))))
    await pause.reached.wait()
    refusals = Refusals(monkeypatch, repository, "commit", times=2)
    pause.go_on.set()
    while not work.done():
        await clock.advance(1)
        await asyncio.sleep(0.01)
    assert (await work, refusals.made) == ("succeeded", 2)
    assert await shop.read(job) == b"HELLO"


@pytest.mark.requirement("F12")
async def test_a_commit_whose_answer_was_lost_is_found_to_have_happened(shop, clock, monkeypatch):
    job = await shop.order(b"hello")
    pause = Pause(shop)
    work = asyncio.create_task(shop.work())
    await pause.reached.wait()
    LostAnswer(monkeypatch)
    pause.go_on.set()
    while not work.done():
        await clock.advance(1)
        await asyncio.sleep(0.01)
    assert await work == "succeeded"
    assert await shop.read(job) == b"HELLO"
    assert await charges(shop) == 1


async def test_a_worker_that_cannot_write_the_end_leaves_it_to_the_rescuer(shop, alice, clock, monkeypatch):
    job = await shop.order(b"hello")
    pause = Pause(shop)
    rules = LeaseRules(lease=0.4, margin=0.3, look=3600, report=3600)
    work = asyncio.create_task(shop.work(shop.runner(rules=rules)))
    await pause.reached.wait()
    refusals = Refusals(monkeypatch, repository, "commit", times=1000)
    pause.go_on.set()
    while not work.done():
        await clock.advance(1)
        await asyncio.sleep(0.01)
    assert await work == UNKNOWN
    refusals.over()
    clock.move(31)
    await shop.rescuer.run_once()
    assert await shop.work() == "succeeded"
    assert await shop.read(job) == b"HELLO"


async def test_a_worker_that_stops_gives_its_job_back_and_blames_nobody(shop):
    job = await shop.order()
    pause = Pause(shop)
    work = asyncio.create_task(shop.work())
    await pause.reached.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    row = await row_of(shop, job)
    assert (row.state, row.crash_count, row.lease_token) == ("queued", 0, None)
    assert workspaces(shop) == []


# --- failing at every point ------------------------------------------------------------------------------------------

POINTS = [name for name in sorted(failpoints.REGISTERED) if name.startswith("jobs.")]
IN_AN_ATTEMPT = [name for name in POINTS if name.split(".")[1] in {"fetch", "convert", "store", "commit", "drop"}]


@pytest.mark.requirement("F19", "F31")
@pytest.mark.parametrize("point", [*IN_AN_ATTEMPT, "db.commit.before", "storage.put.written", "storage.put.stored"])
@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.sampled(2)
async def test_an_error_of_the_machine_at_any_point_never_makes_a_wrong_success(shop, alice, clock, point, error):
    job = await shop.order(b"hello")
    runner = shop.runner()
    claimed = await runner.claim("standard")
    failpoints.arm(f"{point}=raise:{error}@1-1")
    work = asyncio.create_task(runner.run(claimed))
    await finished_or_stuck(work, clock)  # a database that fails at every commit is tried again and again
    failpoints.arm("")
    while not work.done():
        await finished_or_stuck(work, clock)
    with contextlib.suppress(OSError):  # as the worker does; the lease runs out
        await work
    for _ in range(10):
        if await shop.status(job) == "succeeded":
            break
        clock.move(400)
        await shop.rescuer.run_once()
        await shop.work()
    assert await shop.read(job) == b"HELLO"
    assert await charges(shop) == 1
    assert workspaces(shop) == []
    clock.move(3600)
    await shop.pruner.run_once()
    assert len(await shop.objects("results")) == 1
    assert await shop.read(job) == b"HELLO"


async def finished_or_stuck(work, clock) -> None:
    """Let it run until it waits for the clock, then move the clock a little."""
    for _ in range(20):
        await asyncio.wait({work}, timeout=0.02)
        if work.done():
            return
        await clock.advance(0.5)


class Outage:
    """No unit of work can be opened."""

    def __init__(self, monkeypatch) -> None:
        self._patch = monkeypatch
        for name in ("write", "read", "make", "ask", "carry"):
            monkeypatch.setattr(Database, name, self._refuse)

    def _refuse(self, *_, **__):
        raise DatabaseUnavailable

    def over(self) -> None:
        self._patch.undo()


class Refusals:
    """The first so many calls find the database down."""

    def __init__(self, monkeypatch, module, name, *, times) -> None:
        self.made = 0
        self._times = times
        self._real = getattr(module, name)
        monkeypatch.setattr(module, name, self)

    def __call__(self, *given, **named):
        if self.made < self._times:
            self.made += 1
            raise DatabaseUnavailable
        return self._real(*given, **named)

    def over(self) -> None:
        self._times = 0


class LostAnswer:
    """The first unit of work is committed, and then its connection breaks."""

    def __init__(self, monkeypatch) -> None:
        self._lost = False
        real = Database.carry

        async def carry(database, unit):
            outcome = await real(database, unit)
            if not self._lost:
                self._lost = True
                raise DatabaseUnavailable
            return outcome

        monkeypatch.setattr(Database, "carry", carry)


async def test_a_job_that_is_tried_again_after_an_upgrade_says_which_version_was_planned(shop, alice):
    async def torn(*_):
        raise CorruptInput

    shop.converter.before = torn
    job = await shop.order()
    assert [(step.engine_version, step.planned_version) for step in job.route] == [("1.0", None)]
    await shop.work()
    shop.converter.before = None
    shop.converter.hop = replace(shop.converter.hop, engine_version="2.0")
    await shop.jobs.retry(alice, job.id)
    assert await shop.work() == "succeeded"
    [step] = (await shop.jobs.get(alice, job.id)).route
    assert (step.engine_version, step.planned_version) == ("2.0", "1.0")
    unchanged = await shop.order()
    await shop.work()
    [step] = (await shop.jobs.get(alice, unchanged.id)).model_dump(mode="json", by_alias=True)["route"]
    assert step["engine_version"] == "2.0"
    assert "planned_version" not in step, "nothing was upgraded"
