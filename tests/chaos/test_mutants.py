"""The history checker sees defects of the code, not only of histories: each is put in, and shows in the books.

Every defect is one small change of one module, of the kind that is made by mistake and passes a review. The fleet plays
the same scenes each time; without a defect its books balance.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from chaoskit import journal as entries
from chaoskit import judge
from chaoskit.journal import Accepted, Journal
from chaoskit.remains import TABLES, Object, Remains
from psycopg.rows import dict_row

from filewright.chassis.db.database import Database
from filewright.chassis.testing.templates import Schema
from filewright.converter.migrations import LOCATION

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.timeout(1000),
    pytest.mark.parametrize("database_url", ["postgres"], indirect=True),
]
FLEET, MUTANT = (Path(__file__).parent / "chaoskit" / name for name in ("fleet.py", "mutant.py"))
ORDERS = 23


@dataclass(frozen=True)
class Defect:
    """In `module`, `text` (found exactly once) becomes `instead`."""

    what: str
    module: str
    text: str
    instead: str


_JOBS, _UPKEEP = "filewright.converter.jobs", "filewright.converter.maintenance"
DEFECTS = (
    Defect(
        "a worker is known by its job alone, not by its token",
        f"{_JOBS}.statements",
        '        _JOBS.c.attempt == given("of_attempt", Integer()),\n'
        '        _JOBS.c.lease_token == given("of_token", String()),\n',
        "",
    ),
    Defect(
        "a commit asks for no state",
        f"{_JOBS}.statements",
        "        .where(held(JobState.RUNNING))\n",
        "        .where(_JOBS.c.id == _OF_JOB)\n",
    ),
    Defect(
        "no hint is ever given again",
        f"{_UPKEEP}.dispatcher",
        "            jobs = await repository.take_hints(session, now=now, limit=self._batch)\n",
        "            jobs = []\n",
    ),
    Defect(
        "a lease never runs out",
        f"{_JOBS}.repository",
        "    return and_(JobRow.state.in_(LEASED), JobRow.lease_until <= now)\n",
        "    return and_(JobRow.state.in_(LEASED), JobRow.lease_until <= now - timedelta(days=1))\n",
    ),
    Defect(
        "what waits to be tried again is never woken",
        f"{_JOBS}.repository",
        "    moved = await _move(session, JobState.QUEUED, Actor.RESCUER, _some(due, limit), now=now, **again)\n",
        "    moved = []\n",
    ),
    Defect(
        "an attempt that was lost is not closed",
        f"{_JOBS}.repository",
        "await _end_attempt(session, job.id, attempt, now, LOST, Ended(stage=Stage(stage) if stage else None))",
        "pass",
    ),
    Defect(
        "a success is charged before it is known",
        f"{_JOBS}.statements",
        "    [_event(JobState.RUNNING, Actor.WORKER), _end_attempt, _charge, _forget_secret],\n",
        "    [_event(JobState.RUNNING, Actor.WORKER), _end_attempt, _charge, _charge, _forget_secret],\n",
    ),
    Defect(
        "a success is not charged",
        f"{_JOBS}.statements",
        "    [_event(JobState.RUNNING, Actor.WORKER), _end_attempt, _charge, _forget_secret],\n",
        "    [_event(JobState.RUNNING, Actor.WORKER), _end_attempt, _forget_secret],\n",
    ),
    Defect(
        "the event of a success is not written",
        f"{_JOBS}.statements",
        "    [_event(JobState.RUNNING, Actor.WORKER), _end_attempt, _charge, _forget_secret],\n",
        "    [_end_attempt, _charge, _forget_secret],\n",
    ),
    Defect(
        "a password outlives its job",
        f"{_JOBS}.statements",
        "    [_event(JobState.RUNNING, Actor.WORKER), _end_attempt, _charge, _forget_secret],\n",
        "    [_event(JobState.RUNNING, Actor.WORKER), _end_attempt, _charge],\n",
    ),
    Defect(
        "progress is what was reported last",
        f"{_JOBS}.statements",
        "            progress=case((_JOBS.c.progress < done, done), else_=_JOBS.c.progress),\n",
        "            progress=done,\n",
    ),
    Defect(
        "a claim is no new attempt",
        f"{_JOBS}.statements",
        "            attempt=_JOBS.c.attempt + 1,\n",
        "            attempt=1,\n",
    ),
    Defect(
        "an engine may crash for ever",
        f"{_JOBS}.policy",
        "    if counted.crashes >= MAX_CRASHES:\n",
        "    if counted.crashes >= 100:\n",
    ),
    Defect(
        "a worker that ends drops what it stored, whatever became of it",
        f"{_JOBS}.runner",
        "            if await self._known_outcome(job.lease, JobState.SUCCEEDED) == STALE:\n",
        "            if True:\n",
    ),
    Defect(
        "a worker that never heard of its commit takes it for lost",
        f"{_JOBS}.runner",
        "        return target if attempt is not None and attempt.outcome == target else STALE\n",
        "        return STALE\n",
    ),
    Defect(
        "what an attempt without result has stored is kept",
        f"{_UPKEEP}.pruner",
        "            dropped = await drop_products(self._store, attempt.job_id, attempt.number)\n",
        "            dropped = 0\n",
    ),
    Defect(
        "whoever was slower keeps its answer, too",
        "filewright.chassis.web.idempotency",
        "        if self._keys is not None and not await self._keys.store(session, self, Answer.of(response)):\n",
        "        if self._keys is not None and await self._keys.store(session, self, Answer.of(response)) is None:\n",
    ),
    Defect(
        "every request has a key of its own",
        "filewright.chassis.web.idempotency",
        '            "key": claim.identity[1],\n',
        '            "key": f"{claim.identity[1]} {claim.owner}",\n',
    ),
    Defect(
        "a job whose worker died is given to nobody",
        f"{_JOBS}.repository",
        "        *await _take_away(session, JobState.QUEUED, orphaned, now, limit, **again),\n",
        "",
    ),
)


async def migrated(database: Database) -> None:
    await database.migrate(LOCATION)


@pytest.fixture
def database_schema() -> Schema:
    return migrated


def play(url: str, folder: Path, defect: Defect | None = None) -> subprocess.CompletedProcess[str]:
    """The scenes, with what clients were told on its standard output."""
    patience = 120 if defect is None else 20  # with a defect many a scene never ends
    command = [str(FLEET), url, str(folder / "fleet"), str(patience)]
    if defect is not None:
        command = [str(MUTANT), defect.module, str(mutated(defect, folder)), *command]
    environment = {**os.environ, "PYTHONPATH": str(FLEET.parents[1])}
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=900, check=False
    )


def mutated(defect: Defect, folder: Path) -> Path:
    spec = importlib.util.find_spec(defect.module)
    assert spec is not None and spec.origin is not None
    source = Path(spec.origin).read_text()
    assert source.count(defect.text) == 1, f"{defect.module} does not say this once any more:\n{defect.text}"
    file = folder / "mutant_module.py"
    file.write_text(source.replace(defect.text, defect.instead))
    return file


def history(url: str, folder: Path, told: str) -> judge.History:
    """What is to be judged: what clients were told, the rows, and the files."""
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    journal = Journal([getattr(entries, line.pop("kind"))(**line) for line in lines])
    with psycopg.connect(url, row_factory=dict_row) as database:
        rows = {table: list(database.execute(f"SELECT * FROM {table}")) for table in TABLES}  # type: ignore[arg-type]
    root = folder / "fleet" / "objects"
    files = [path for path in root.rglob("*") if path.is_file() and ".incoming" not in path.parts]
    objects = {
        str(path.relative_to(root)): Object(path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
    }
    kills = 12  # that many workers die or are given up for dead in the scenes
    return judge.History(journal, Remains(rows, objects), kills)


@pytest.mark.requirement("F2", "F5", "F8", "F12", "F26")
def test_without_a_defect_the_books_of_the_fleet_balance(database_url: str, tmp_path: Path) -> None:
    played = play(database_url, tmp_path)
    assert played.returncode == 0, played.stderr
    seen = history(database_url, tmp_path, played.stdout)
    assert judge.judge(seen) == []
    assert len(seen.journal.all(Accepted)) >= ORDERS


@pytest.mark.requirement("F32")
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.what)
def test_the_defect_shows_in_the_books(database_url: str, tmp_path: Path, defect: Defect) -> None:
    played = play(database_url, tmp_path, defect)
    found = judge.judge(history(database_url, tmp_path, played.stdout))
    assert found, f"nothing is seen of it\n{played.stderr}"
    print(sorted({breach.rule for breach in found}))
