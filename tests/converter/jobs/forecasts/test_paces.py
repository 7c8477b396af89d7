"""How long work takes is learned where it is done and known where it is ordered; quotes tell the same."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from filewright.converter.conversion.orders import Converted
from filewright.converter.jobs.forecasts.admission import Admission, Pressure
from filewright.converter.jobs.forecasts.pace import MOST_RUNS
from filewright.converter.jobs.forecasts.paces import Paces
from filewright.converter.jobs.models import PaceRow
from filewright.converter.jobs.ordering.known import KnownResults
from filewright.converter.jobs.ordering.ordering import Reusing
from filewright.converter.jobs.ordering.result_keys import ResultKeys, Surroundings
from filewright.converter.jobs.orders import JobInput, JobOrder
from filewright.converter.jobs.service import Jobs
from filewright.converter.tiers import LOCAL, Caller


def knowing(shop, **more) -> Jobs:
    return Jobs(
        database=shop.database, sources=shop.uploads, files=shop.artifacts, planner=shop.converter,
        notifier=shop.notifier, ids=shop.ids, sealer=shop.sealer, erase_files=shop.eraser.erase, rules=shop.rules,
        **more,
    )  # fmt: skip


def done(shop, **changes) -> Converted:
    return replace(Converted("txt", "md", (shop.converter.hop,), (), 0.01), **changes)


async def test_what_a_worker_learned_an_api_process_tells(shop, alice):
    worker, api = Paces(shop.database), Paces(shop.database)
    shop.jobs = knowing(shop, paces=api)
    assert (await shop.order()).estimated_seconds == 0.5, "what was thought before"
    for _ in range(6):
        worker.note(done(shop), {}, (), size=5, seconds=8.0)
    assert (await worker.exchange_once(), await worker.exchange_once()) == (1, 0)
    await api.exchange_once()
    quote = await shop.jobs.dry_run(alice, JobOrder((JobInput(upload=await shop.upload()),), to="md"))
    assert quote.estimated_seconds == pytest.approx(8.0, rel=0.01)
    await shop.work()
    assert (await shop.order()).estimated_seconds == pytest.approx(8.0, rel=0.01)


async def test_a_runner_notes_what_went_as_planned(shop):
    paces = Paces(shop.database)
    await shop.order()
    assert await shop.work(shop.runner(paces=paces)) == "succeeded"
    paces.note(done(shop, fallen_back_from=("another",)), {}, (), size=5, seconds=99.0)
    assert await paces.exchange_once() == 1
    async with shop.database.read() as session:
        (row,) = (await session.scalars(select(PaceRow))).all()
    assert (row.kind, len(row.runs)) == ("convert txt>md shouter", 1)


async def test_of_a_kind_the_last_runs_are_kept_whoever_wrote_them(shop):
    one, other = Paces(shop.database), Paces(shop.database)
    for paces, seconds in ((one, 1.0), (other, 2.0), (one, 3.0)):
        for _ in range(MOST_RUNS // 2):
            paces.note(done(shop), {}, (), size=5, seconds=seconds)
        await paces.exchange_once()
    async with shop.database.read() as session:
        (row,) = (await session.scalars(select(PaceRow))).all()
    assert len(row.runs) == MOST_RUNS
    assert len({took for _, took, _ in row.runs}) == 2, "the first are forgotten"


async def test_who_waits_is_told_when_its_turn_comes_and_ends(shop, alice):
    seen = Pressure({"standard": 4}, running=2, seconds=9.0, expected=3.0, slots=2.0)
    shop.jobs = knowing(shop, pressure=lambda: seen)
    job = await shop.order()
    assert job.estimated_seconds == (await shop.jobs.get(alice, job.id)).estimated_seconds == 1 * 3.0 / 2 + 0.5
    quote = await shop.jobs.dry_run(alice, JobOrder((JobInput(upload=await shop.upload()),), to="md"))
    assert (quote.queue_seconds, quote.estimated_seconds) == (5 * 3.0 / 2, 0.5)


def test_what_runs_in_slots_of_this_very_process_is_known_at_once(shop, tmp_path):
    admission = Admission(shop.database, shop.clock, tmp_path, shop.metrics)
    assert admission.pressure.wait_at(1, 5.0) == 0.0
    admission.beside(SimpleNamespace(busy=1, slots=2))
    assert admission.pressure.wait_at(1, 5.0) == 0.0, "however few ran at once so far"
    admission.beside(SimpleNamespace(busy=2, slots=2))
    assert admission.pressure.wait_at(1, 5.0) == 2.5


def test_where_a_slot_is_free_nobody_waits():
    assert Pressure(running=1, slots=2.0).wait_at(1, 5.0) == 0.0
    assert Pressure(running=2, slots=2.0).wait_at(1, 5.0) == 2.5


async def test_a_quote_tells_what_would_be_charged_and_whether_the_result_is_there(shop):
    keys = ResultKeys(b"k" * 32, Surroundings((), scanned=False, clock=shop.clock))
    known = KnownResults(shop.database, shop.artifacts, shop.ids, shop.metrics)
    shop.jobs = knowing(shop, reusing=Reusing(keys, known))
    order = JobOrder((JobInput(upload=await shop.upload()),), to="md")
    metered = Caller("alice", replace(LOCAL, monthly_conversions=1))
    quote = await shop.jobs.dry_run(metered, order)
    assert (quote.cache, quote.cost, quote.credits) == ("miss", 1.0, 0)
    await shop.jobs.submit(metered, order)
    assert (await shop.jobs.dry_run(metered, order)).credits == 1, "the month's one is under way"
    await shop.work()
    quote = await shop.jobs.dry_run(metered, order)
    assert (quote.cache, quote.cost, quote.credits, quote.estimated_seconds) == ("hit", 0.0, 0, 0.0)
