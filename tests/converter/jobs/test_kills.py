"""A process is killed at every named point of a job's life. Whatever it had promised is kept by the next one.

The next one knows nothing but the folder: it takes over, at once, what the dead one held, and works off what is left.
"""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from filewright.chassis import failpoints
from filewright.chassis.clock import SystemClock
from filewright.chassis.db.database import Database
from filewright.chassis.sandbox.workspace import sweep
from filewright.chassis.testing.warm import WarmPython
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.jobs.models import AttemptRow, JobEventRow, JobRow, JobSecretRow, UsageRow
from filewright.converter.jobs.states import LIVE, JobState
from filewright.converter.maintenance import dispatcher, pruner, rescuer  # noqa: F401 - they declare points
from filewright.converter.migrations import LOCATION

SCRIPT = Path(__file__).with_name("life_process.py")
OURS = ("jobs.", "dispatcher.", "rescuer.", "pruner.", "outbox.", "artifacts.", "storage.put.")
POINTS = sorted(name for name in failpoints.REGISTERED if name.startswith(OURS))
COMMITS = [f"db.commit.{when}=sigkill@{n}" for when in ("before", "after") for n in (2, 5, 8, 11, 14)]
pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.requirement("F1", "F2", "F4"),
    pytest.mark.slow,
]


@pytest.fixture
def clock():
    return SystemClock()


@pytest.fixture
def database_clock():
    return None


async def empty(database: Database) -> None:
    """The process that is killed makes its own."""


@pytest.fixture
def database_schema():
    return empty


@pytest.mark.parametrize("specification", [*(f"{point}=sigkill" for point in POINTS), *COMMITS])
@pytest.mark.sampled(8)
@pytest.mark.sampled(2)
async def test_what_was_promised_before_the_kill_is_kept_after_it(shop, tmp_path, specification, alice, warm):
    await shop.database.close()
    for old in tmp_path.glob("test*.db*"):
        old.unlink()
    promises = await asyncio.to_thread(live_and_die, warm, tmp_path, specification)
    shop.database = Database(f"sqlite:///{tmp_path / 'test.db'}")
    shop.__post_init__()
    try:
        await recover(shop)
        await check(shop, promises, alice)
    finally:
        await shop.database.close()


def live_and_die(python: WarmPython, folder: Path, specification: str) -> list[tuple[str, str]]:
    ended = python.run([str(SCRIPT), str(folder), specification])
    assert ended.returncode == -9, f"{specification} was never reached"
    lines = [line.split() for line in ended.stdout.decode().splitlines()]
    return [(line[0], line[1]) for line in lines if line[0] in {"accepted", "cancelled", "deleted"}]


async def recover(shop) -> None:
    """What a new process does when it starts, and then its loops; time is not waited for but moved in the rows."""
    await shop.database.migrate(LOCATION)
    await shop.store.sweep()
    sweep(shop.folder / "work")
    await shop.rescuer.adopt("w2")
    runner = shop.runner("w2")
    for _ in range(12):
        async with shop.database.write() as session:
            now = await shop.database.now(session)
            for row in await session.scalars(select(JobRow).where(JobRow.state == JobState.RETRY_WAIT)):
                row.not_before = now
        await shop.rescuer.run_once()
        await shop.relay.run_once()
        await shop.dispatcher.run_once()
        if await shop.work(runner) is None:
            break
    shop.pruner._settle = timedelta(0)
    await shop.pruner.run_once()
    await shop.artifacts.prune_once()


async def check(shop, promises, alice) -> None:
    async with shop.database.read() as session:
        jobs = {row.id: row for row in await session.scalars(select(JobRow))}
        events = list(await session.scalars(select(JobEventRow).order_by(JobEventRow.job_id, JobEventRow.seq)))
        charges = [row.job_id for row in await session.scalars(select(UsageRow))]
        artifacts = list(await session.scalars(select(ArtifactRow)))
        attempts = list(await session.scalars(select(AttemptRow)))
        secrets = list(await session.scalars(select(JobSecretRow)))
    for kind, job_id in promises:
        state = jobs[job_id].state
        assert state not in LIVE, f"{kind} and then {state}"
        if kind == "cancelled":
            assert state == "cancelled"
        if kind == "deleted":
            assert state == "erased"
    for job_id, row in jobs.items():
        moves = [event.target for event in events if event.job_id == job_id]
        assert moves[-1] == row.state
        assert moves.count("succeeded") == charges.count(job_id) <= 1
        if row.state == "succeeded":
            opened = await shop.jobs.open_output(alice, job_id, 0)
            data = b"".join([chunk async for chunk in opened.chunks])
            assert data in {b"KEPT", b"STOPPED", b"!CRASH", b"ERASED", b"ABANDONED"}
    assert secrets == []
    assert all(attempt.ended_at is not None for attempt in attempts)
    owned = {part["key"] for artifact in artifacts for part in artifact.parts}
    rows_without_object = owned - set(await shop.objects())
    assert rows_without_object == set()
    assert {key for key in await shop.objects() if key.startswith("results/")} <= owned
    assert not list((shop.folder / "work").glob("*"))
