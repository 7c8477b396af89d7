"""LibreOffice out of a warm parent: shut in like any other child, the same answers as from cold, and a way back."""

import asyncio
import os
import select
import signal
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from filewright.chassis.sandbox import selftest
from filewright.chassis.sandbox.port import Ending, Limits, PythonCall, SandboxLevel, WarmParent
from filewright.chassis.sandbox.processes import measure
from filewright.chassis.sandbox.workspace import Workspace
from filewright.chassis.testing.sandbox import call, sandbox_of
from filewright.converter.engines import libreoffice_warm
from filewright.converter.engines.inside.office.samples import SAMPLES
from filewright.converter.engines.libreoffice import LibreOffice
from filewright.converter.engines.libreoffice_installation import installation
from filewright.converter.engines.libreoffice_warm import standing, try_warm, warm_parent
from filewright.converter.errors import CorruptInput
from sandboxkit import office

pytestmark = pytest.mark.engine("libreoffice")

TEXT, SHEET, SHOW, _ = (sample.document.encode() for sample in SAMPLES)
LIMITS = Limits(wall_seconds=60, cpu_seconds=30, memory_bytes=256 << 20)


@pytest.fixture
def parent() -> WarmParent:
    found = warm_parent(installation())
    assert found is not None, "install python3-uno to run these tests"
    return found


@pytest.fixture
def jobs(tmp_path) -> Path:
    return (tmp_path / "jobs").resolve()


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(jobs, monkeypatch):
    """A sandbox in which no document was converted yet, and the first is to be converted by a warm parent."""
    monkeypatch.setattr(libreoffice_warm, "_FIRST_COLD", 0)
    made = sandbox_of(SandboxLevel.CONFINED, jobs)
    yield made
    await made.close()


converted = partial(office.converted, limits=LIMITS)


def root_of(sandbox) -> int:
    [pid] = sandbox._warm.pids
    return pid


@pytest_asyncio.fixture(loop_scope="session")
async def warm(sandbox, jobs_dir):
    """The sandbox that all share has its warm parent."""
    with Workspace.create(jobs_dir) as workspace:
        assert (await try_warm(sandbox, workspace.tmp)).facts() == {"way": "warm"}


async def test_each_conversion_is_a_fork_of_one_parent(convert, sandbox, warm, cold_starts):
    for document, source, target in ((TEXT, "fodt", "pdf"), (SHEET, "fods", "csv"), (SHOW, "fodp", "pptx")):
        assert await convert(LibreOffice(), document, source, target)
    assert standing(sandbox).facts() == {"way": "warm"}
    assert cold_starts == []


@pytest.mark.parametrize(
    ("document", "source", "target"),
    [(TEXT, "fodt", "docx"), (SHEET, "fods", "xlsx"), (SHEET, "fods", "csv"), (SHOW, "fodp", "pdf")],
)
async def test_from_cold_it_converts_all_the_same(convert, cold_office, cold_starts, document, source, target):
    [product] = await convert(LibreOffice(), document, source, target)
    assert product.stat().st_size > 5
    assert len(cold_starts) == 1
    with pytest.raises(CorruptInput):
        await convert(LibreOffice(), document[: len(document) // 2], source, target)


async def test_both_ways_say_the_same(convert, sandbox, warm, request):
    async def both():
        [pdf] = await convert(LibreOffice(), TEXT, "fodt", "pdf", options={"pdfa": "2b"})
        [csv] = await convert(LibreOffice(), SHEET, "fods", "csv")
        return office.words_of(pdf.read_bytes()), b"pdfaid" in pdf.read_bytes(), csv.read_bytes()

    by_fork = await both()
    assert standing(sandbox).facts() == {"way": "warm"}
    request.getfixturevalue("cold_office")
    assert by_fork == await both()
    assert by_fork[1:] == (True, b"one,2,4\n")


@pytest.mark.requirement("S39", "S41")
@pytest.mark.parametrize("level", [SandboxLevel.ISOLATED, SandboxLevel.CONFINED], ids=lambda level: level.name.lower())
async def test_a_child_that_goes_wild_reaches_no_more_than_any_other(jobs, parent, level):
    sandbox = sandbox_of(level, jobs)
    # Its environment holds settings of LibreOffice, too; they are ours and tell nothing.
    names = tuple({*selftest._promised(level), *selftest._ONLY_FOR_CALLS} - {"odd_environment"})
    try:
        with selftest._canaries(jobs) as canaries, Workspace.create(jobs) as workspace:
            order = {"names": names, "targets": canaries.targets}
            wild = PythonCall("filewright.chassis.sandbox.evil:call", order, parent)
            outcome = await sandbox.run(wild, workspace=workspace.path, limits=LIMITS)
            probes = selftest._judge("office", outcome.untrusted_value, names)
            assert [probe for probe in probes if not probe.held] == []
            assert canaries.seen() == []
    finally:
        await sandbox.close()
    assert list(jobs.iterdir()) == []


@pytest.mark.parametrize(
    ("what", "ending"),
    [
        (call("die"), Ending.CRASHED),
        (call("sleep", seconds=60), Ending.WALL_LIMIT),
        (call("spin"), Ending.CPU_LIMIT),
        (call("eat_slowly"), Ending.MEMORY_LIMIT),
    ],
)
async def test_a_child_that_ends_badly_takes_nobody_along(sandbox, convert, parent, jobs_dir, what, ending):
    limits = Limits(wall_seconds=2 if ending is Ending.WALL_LIMIT else 60, cpu_seconds=1, memory_bytes=128 << 20)
    with Workspace.create(jobs_dir) as workspace:
        bad = PythonCall(what.function, what.arguments, parent)
        outcome = await sandbox.run(bad, workspace=workspace.path, limits=limits)
        assert outcome.ending is ending
    pid = root_of_office(sandbox, parent)
    [product] = await convert(LibreOffice(), TEXT, "fodt", "txt")
    assert "Warm words." in product.read_text()
    assert root_of_office(sandbox, parent) == pid


def root_of_office(sandbox, parent) -> int:
    return sandbox._warm._parents[parent].pid


async def test_a_parent_that_died_is_replaced(fresh, jobs, cold_starts):
    await converted(fresh, jobs, TEXT, "fodt", "txt")
    root = root_of(fresh)
    pidfd = os.pidfd_open(root)
    os.kill(root, signal.SIGTERM)
    assert await asyncio.to_thread(select.select, [pidfd], [], [], 30) != ([], [], []), "it is dead now"
    os.close(pidfd)
    assert await converted(fresh, jobs, TEXT, "fodt", "txt")
    assert root_of(fresh) != root
    assert cold_starts == []


async def test_a_libreoffice_that_can_not_be_loaded_is_started_as_ever(fresh, jobs, monkeypatch, tmp_path):
    parent = warm_parent(installation())
    monkeypatch.setattr(
        libreoffice_warm, "warm_parent", lambda _: WarmParent((str(tmp_path),), parent.main, has_directory=True)
    )
    [txt] = await converted(fresh, jobs, TEXT, "fodt", "txt")
    assert b"Warm words." in txt
    assert standing(fresh).facts()["way"] == "cold"
    assert "there is no LibreOffice" in standing(fresh).facts()["reason"]


async def test_a_warm_libreoffice_that_says_something_else_is_not_used(fresh, jobs, monkeypatch, cold_starts):
    async def lies(*_):
        return "what came out is not what went in"

    monkeypatch.setattr(libreoffice_warm, "_trouble_with", lies)
    for _ in range(2):
        [txt] = await converted(fresh, jobs, TEXT, "fodt", "txt")
        assert b"Warm words." in txt
    assert standing(fresh).facts() == {"way": "cold", "reason": "text: what came out is not what went in"}
    assert len(cold_starts) == 2


async def test_a_document_that_a_fork_crashes_on_is_tried_once_more_from_cold(
    convert, sandbox, warm, monkeypatch, cold_starts
):
    await convert(LibreOffice(), TEXT, "fodt", "txt")
    monkeypatch.setattr(
        libreoffice_warm,
        "_call",
        lambda parent, **_: PythonCall("filewright.chassis.testing.sandboxed:die", {}, parent),
    )
    [product] = await convert(LibreOffice(), TEXT, "fodt", "txt")
    assert "Warm words." in product.read_text()
    assert len(cold_starts) == 1
    assert standing(sandbox).facts() == {"way": "warm"}


async def test_a_document_or_two_are_not_worth_a_warm_parent(jobs, cold_starts):
    sandbox = sandbox_of(SandboxLevel.CONFINED, jobs)
    try:
        for _ in range(3):
            assert await converted(sandbox, jobs, SHEET, "fods", "csv")
        assert len(cold_starts) == 2
        assert standing(sandbox).facts() == {"way": "warm"}
    finally:
        await sandbox.close()


async def test_without_the_rights_for_a_warm_parent_it_is_started_as_ever(jobs, monkeypatch):
    monkeypatch.setattr(libreoffice_warm, "_FIRST_COLD", 0)
    sandbox = sandbox_of(SandboxLevel.LIMITED, jobs)
    try:
        assert await converted(sandbox, jobs, TEXT, "fodt", "txt")
        assert standing(sandbox).facts()["way"] == "cold"
    finally:
        await sandbox.close()


@pytest.mark.long
async def test_two_hundred_documents_leave_the_parent_as_large_as_it_was(fresh, jobs, cold_starts):
    kinds = [(TEXT, "fodt", "pdf"), (SHEET, "fods", "xlsx"), (SHOW, "fodp", "pdf")]
    sizes = []
    for number in range(200):
        document, source, target = kinds[number % len(kinds)]
        assert await converted(fresh, jobs, document, source, target)
        sizes.append(measure(root_of(fresh)).memory_bytes)
    assert cold_starts == []
    assert max(sizes[20:]) - min(sizes[20:]) < 16 << 20
    assert [path.name for path in jobs.iterdir() if not path.name.startswith(".warm-")] == []
