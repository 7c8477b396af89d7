"""Jobs of several files: what holds for the one input of a conversion holds for each of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from filewright.chassis.scanning.port import CLEAN, Finding, Verdict
from filewright.chassis.web.problems import Forbidden, NotFound
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.conversion import checks
from filewright.converter.conversion.orders import Converted, Hop, Plan, Product
from filewright.converter.errors import Expired, TooLarge
from filewright.converter.jobs.models import JobInputRow, JobRow, UsageRow
from filewright.converter.jobs.orders import JobInput, JobOrder, OrderedStep
from filewright.converter.jobs.service import Jobs

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Joiner:
    """Puts texts one after the other."""

    hop = Hop("joiner", "1.0", "txt", "txt", lossy=False, operation="merge")

    def __init__(self):
        self.tasks = []

    def plan(self, formats, steps):
        return Plan(formats[0], "txt", (self.hop,), dict(steps[0].options), 0.1)

    def takes_anything(self, operation):
        return operation == "archive"

    async def carry_out(self, task, *, workspace, **_hooks):
        self.tasks.append(task)
        data = b"".join(given.source.read_bytes() for given in task.inputs)
        path = workspace / "out" / "output.txt"
        path.write_bytes(data)
        product = Product(path, "all.txt", "txt", "text/plain", checks.seen(path))
        return Converted("txt", "txt", (self.hop,), (product,), 0.01)


class Suspicious:
    """Calls everything malware that says so."""

    active = True

    async def scan(self, path):
        return Verdict(Finding.MALWARE, "Evil") if b"evil" in path.read_bytes() else CLEAN

    async def usable(self):
        return True

    def facts(self):
        return {}


@pytest.fixture
def joiner(shop):
    """The shop's service and workers join files."""
    joiner = Joiner()
    shop.jobs = Jobs(
        database=shop.database, sources=shop.uploads, files=shop.artifacts, planner=shop.converter, operations=joiner,
        notifier=shop.notifier, ids=shop.ids, sealer=shop.sealer, erase_files=shop.eraser.erase, rules=shop.rules,
    )  # fmt: skip
    return joiner


@pytest.fixture
def merge(shop, joiner, alice):
    """Order a merge of these texts."""

    async def order(*texts, caller=alice, **more):
        inputs = [JobInput(upload=await shop.upload(text, caller, f"{n}.txt")) for n, text in enumerate(texts)]
        return await shop.jobs.submit(caller, JobOrder(tuple(inputs), operation="merge", **more))

    return order


@pytest.fixture
def worker(shop, joiner):
    return shop.runner(operations=joiner)


async def count(shop, table) -> int:
    async with shop.database.read() as session:
        return (await session.scalars(select(func.count()).select_from(table))).one()


async def test_all_inputs_are_shown_and_worked_on_in_their_order(shop, alice, merge, worker, joiner):
    job = await merge(b"b", b"a", b"c", options={"x": 1}, password="open")
    assert [item.name for item in job.inputs] == ["0.txt", "1.txt", "2.txt"]
    assert await shop.jobs.get(alice, job.id) == job
    assert await shop.work(worker) == "succeeded"
    assert await shop.read(job) == b"bac"
    [task] = joiner.tasks
    assert [given.filename for given in task.inputs] == ["0.txt", "1.txt", "2.txt"]
    assert (task.steps, task.password) == ((OrderedStep("merge", None, {"x": 1}),), "open")
    done = await shop.jobs.get(alice, job.id)
    assert (done.operation, done.route[0].operation) == ("merge", "merge")
    async with shop.database.read() as session:
        [usage] = (await session.scalars(select(UsageRow))).all()
    assert (usage.input_bytes, usage.output_bytes) == (3, 3)


@on_sqlite
async def test_one_file_may_be_there_twice(shop, joiner, alice, worker):
    item = JobInput(upload=await shop.upload(b"x"))
    job = await shop.jobs.submit(alice, JobOrder((item, item), operation="merge"))
    assert await shop.work(worker) == "succeeded"
    assert await shop.read(job) == b"xx"


async def test_an_input_of_somebody_else_is_as_unknown_as_one_that_never_was(shop, joiner, alice, bob):
    mine, others = await shop.upload(b"mine"), await shop.upload(b"others", bob)
    with pytest.raises(NotFound):
        await shop.jobs.submit(alice, JobOrder((JobInput(upload=mine), JobInput(upload=others)), operation="merge"))
    assert (await count(shop, JobRow), await count(shop, JobInputRow)) == (0, 0)


async def test_an_input_that_goes_while_the_order_is_taken_takes_the_order_with_it(shop, joiner, alice, monkeypatch):
    inputs = [JobInput(upload=await shop.upload(text)) for text in (b"a", b"b")]
    plan = joiner.plan

    def plan_and_lose(formats, steps):
        lost.append(True)
        return plan(formats, steps)

    lost = []
    monkeypatch.setattr(joiner, "plan", plan_and_lose)
    resolve = shop.jobs._ordering._resolve

    async def resolve_then_erase(caller, item, n):
        artifact = await resolve(caller, item, n)
        if n == 1:
            await shop.artifacts.erase([artifact.id])
        return artifact

    monkeypatch.setattr(shop.jobs._ordering, "_resolve", resolve_then_erase)
    with pytest.raises(Expired):
        await shop.jobs.submit(alice, JobOrder(tuple(inputs), operation="merge"))
    assert lost == [True]
    assert (await count(shop, JobRow), await count(shop, JobInputRow)) == (0, 0)


@pytest.mark.requirement("S17")
@on_sqlite
@pytest.mark.parametrize("where", [0, 1, 2])
async def test_every_input_is_scanned_and_only_what_is_infected_is_deleted(shop, alice, merge, joiner, where):
    texts = [b"one", b"two", b"three"]
    texts[where] = b"evil"
    job = await merge(*texts)
    assert await shop.work(shop.runner(operations=joiner, scanner=Suspicious())) == "infected"
    assert joiner.tasks == []
    assert (await shop.jobs.get(alice, job.id)).error.code == "infected"
    async with shop.database.read() as session:
        rows = (await session.scalars(select(ArtifactRow).order_by(ArtifactRow.filename))).all()
    assert [row.erased_at is not None for row in rows] == [n == where for n in range(3)]


@pytest.mark.requirement("F27")
async def test_deleting_a_job_erases_all_its_inputs_but_those_that_others_need(shop, alice, merge, worker):
    job = await merge(b"a", b"b")
    await shop.work(worker)
    kept = await shop.upload(b"c")
    both = [JobInput(upload=kept), JobInput(job=job.id, output=0)]
    second = await shop.jobs.submit(alice, JobOrder(tuple(both), operation="merge"))
    await shop.jobs.delete(alice, job.id)
    assert await shop.work(worker) == "succeeded"
    assert await shop.read(second) == b"cab"
    await shop.jobs.delete(alice, second.id)
    assert await shop.objects() == []


async def test_all_inputs_are_kept_as_long_as_the_job_may_take(shop, alice, merge):
    await merge(b"a", b"b")
    async with shop.database.read() as session:
        kept = (await session.scalars(select(ArtifactRow.expires_at))).all()
    assert len(set(kept)) == 1


@on_sqlite
async def test_files_that_are_too_large_together_are_refused(shop, merge, alice):
    small = replace(alice, tier=replace(alice.tier, max_output_bytes=5))
    with pytest.raises(TooLarge) as caught:
        await merge(b"abc", b"def", caller=small)
    assert [error.pointer for error in caught.value.errors] == ["/inputs"]


@on_sqlite
async def test_a_tier_says_which_operations_may_be_ordered_also_in_steps(shop, joiner, alice):
    narrow = replace(alice, tier=replace(alice.tier, operations=("convert", "rotate")))
    item = JobInput(upload=await shop.upload(b"x"))
    with pytest.raises(Forbidden):
        await shop.jobs.submit(narrow, JobOrder((item, item), operation="merge"))
    with pytest.raises(Forbidden):
        await shop.jobs.submit(narrow, JobOrder((item,), steps=(OrderedStep("rotate"), OrderedStep("merge"))))
