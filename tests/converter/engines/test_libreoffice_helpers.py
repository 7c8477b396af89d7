"""LibreOffices that convert several documents: the one that listens, and children of the warm parent."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
import pytest_asyncio

from filewright.chassis.sandbox.helpers import Helper
from filewright.chassis.sandbox.port import Limits, SandboxLevel
from filewright.chassis.sandbox.processes import descendants
from filewright.chassis.sandbox.workspace import Workspace
from filewright.chassis.testing.sandbox import sandbox_of
from filewright.converter.engines import libreoffice_daemon, libreoffice_warm
from filewright.converter.engines.inside.office.samples import SAMPLES
from filewright.converter.engines.libreoffice_warm import Rules, standing, try_warm
from filewright.converter.errors import Cancelled, CorruptInput, Timeout
from sandboxkit import office

pytestmark = pytest.mark.engine("libreoffice")

TEXT, SHEET, SHOW, _ = (sample.document.encode() for sample in SAMPLES)
LIMITS = Limits(wall_seconds=60, cpu_seconds=30)


@pytest.fixture
def jobs(tmp_path) -> Path:
    return (tmp_path / "jobs").resolve()


@pytest_asyncio.fixture(loop_scope="session")
async def opened(jobs, monkeypatch):
    """`await opened(Rules(…), level)` is a sandbox whose first document is to be converted the best way."""
    monkeypatch.setattr(libreoffice_warm, "_FIRST_COLD", 0)
    made = []

    def one(level=SandboxLevel.ISOLATED, **rules):
        sandbox = sandbox_of(level, jobs)
        standing(sandbox).rules = Rules(jobs_dir=jobs, **rules)
        made.append(sandbox)
        return sandbox

    yield one
    for sandbox in made:
        await standing(sandbox).close()
        await sandbox.close()
    assert list(jobs.iterdir()) == []


async def converted(sandbox, jobs, document, source, target, **work):
    """The bytes of the one product."""
    [product] = await office.converted(
        sandbox, jobs, document, source, target, **{"limits": LIMITS, "party": "one", **work}
    )
    return product


def pids_of_offices() -> list[int]:
    return [pid for pid in descendants(os.getpid()) if b"soffice.bin" in command_line(pid)]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def test_where_no_fork_proves_itself_one_that_listens_converts(opened, jobs, monkeypatch, cold_starts):
    monkeypatch.setattr(libreoffice_warm, "warm_parent", lambda _: None)
    sandbox = opened()
    first = await converted(sandbox, jobs, TEXT, "fodt", "pdf")
    assert "Warm words." in office.words_of(first)[0]
    assert standing(sandbox).facts()["way"] == "daemon"
    assert "uno is missing" in standing(sandbox).facts()["reason"]
    [running] = pids_of_offices()
    assert await converted(sandbox, jobs, SHEET, "fods", "csv") == b"one,2,4\n"
    assert (await converted(sandbox, jobs, SHOW, "fodp", "pptx")).startswith(b"PK")
    with pytest.raises(CorruptInput):
        await converted(sandbox, jobs, TEXT[:500], "fodt", "pdf")
    assert pids_of_offices() == [running]
    assert cold_starts == []
    assert [path.name for path in (jobs / next(jobs.iterdir()).name / "in").iterdir()] == []


@pytest.mark.long
async def test_another_owners_document_comes_to_a_fresh_one(opened, jobs, cold_starts):
    sandbox = opened(fork=False)
    await converted(sandbox, jobs, SHEET, "fods", "csv", party="one")
    [first] = pids_of_offices()
    await converted(sandbox, jobs, SHEET, "fods", "csv", party="two")
    [second] = set(pids_of_offices()) - {first}
    await converted(sandbox, jobs, SHEET, "fods", "csv", party="one")
    assert set(pids_of_offices()) == {first, second}
    assert cold_starts == []


async def test_a_call_that_hangs_is_ended_at_its_time_and_the_next_is_served(opened, jobs, cold_starts):
    sandbox = opened(fork=False)
    await converted(sandbox, jobs, SHEET, "fods", "csv")
    [running] = pids_of_offices()
    os.kill(running, signal.SIGSTOP)
    with pytest.raises(Timeout):
        await converted(sandbox, jobs, SHEET, "fods", "csv", limits=Limits(wall_seconds=0.5))
    assert not Path(f"/proc/{running}").exists()
    assert await converted(sandbox, jobs, SHEET, "fods", "csv") == b"one,2,4\n"
    assert cold_starts == []


@pytest.mark.long
async def test_a_cancelled_document_ends_it(opened, jobs):
    sandbox, cancel = opened(fork=False), asyncio.Event()
    await converted(sandbox, jobs, SHEET, "fods", "csv")
    [running] = pids_of_offices()
    os.kill(running, signal.SIGSTOP)
    cancel.set()
    with pytest.raises(Cancelled):
        await converted(sandbox, jobs, SHEET, "fods", "csv", cancel=cancel)
    assert pids_of_offices() == []


async def test_a_document_on_which_it_dies_is_tried_once_more_from_cold(opened, jobs, cold_starts):
    sandbox = opened(fork=False)
    await converted(sandbox, jobs, SHEET, "fods", "csv")
    [running] = pids_of_offices()
    os.kill(running, signal.SIGKILL)
    assert await converted(sandbox, jobs, SHEET, "fods", "csv") == b"one,2,4\n"
    assert cold_starts == ["input.fods"]
    assert await converted(sandbox, jobs, SHEET, "fods", "csv") == b"one,2,4\n"
    assert cold_starts == ["input.fods"]


@pytest.mark.long
async def test_what_says_something_else_is_not_used(opened, jobs, monkeypatch, cold_starts):
    async def lies(*_):
        return "nothing of the kind"

    monkeypatch.setattr(libreoffice_daemon, "_words", lies)
    sandbox = opened(fork=False)
    assert await converted(sandbox, jobs, SHEET, "fods", "csv") == b"one,2,4\n"
    assert standing(sandbox).facts()["way"] == "cold"
    assert "what came out is not what went in" in standing(sandbox).facts()["reason"]
    assert len(cold_starts) == 1


async def test_where_a_program_may_call_no_other_none_listens(opened, jobs):
    sandbox = opened(SandboxLevel.CONFINED, fork=False)
    with Workspace.create(jobs) as workspace:
        facts = (await try_warm(sandbox, workspace.tmp)).facts()
    assert facts["way"] == "cold"
    assert "no program may call another" in facts["reason"]


@pytest.mark.parametrize(
    "level",
    [pytest.param(SandboxLevel.ISOLATED, marks=pytest.mark.long), SandboxLevel.CONFINED],
    ids=lambda level: level.name.lower(),
)
async def test_a_child_converts_as_many_documents_of_one_owner_as_is_allowed(
    opened, jobs, monkeypatch, cold_starts, level
):
    started = []
    in_earnest = Helper.until_ready

    async def noted(self):
        started.append(self)
        await in_earnest(self)

    monkeypatch.setattr(Helper, "until_ready", noted)
    sandbox = opened(level, documents=2)
    owners = ["one", "one", "one", "two"]
    for party in owners:
        assert await converted(sandbox, jobs, SHEET, "fods", "csv", party=party) == b"one,2,4\n"
    assert [helper.calls for helper in started] == [2, 1, 1]
    assert [helper.party for helper in started] == ["one", "one", "two"]
    assert standing(sandbox).facts() == {"way": "warm"}
    assert cold_starts == []


def test_where_there_is_none_it_is_told_what_is_there_instead(jobs):
    sandbox = sandbox_of(SandboxLevel.LIMITED, jobs)
    standing(sandbox).is_missing = True
    assert standing(sandbox).facts()["way"] == "basic"
