"""What a job may ask of its database: so many trips and no more. Whoever needs another one has to say so here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from filewright.chassis.db import onetrip, onetrip_postgresql
from filewright.converter.jobs.orders import JobInput, JobOrder
from filewright.converter.jobs.running.lease import LeaseRules

ALL_BUT_UPLOADING = {"order": 2, "work": 7, "look": 1, "wait": 2, "tell": 5}
REMEMBERED = {"order": 1, "look": 1}
"""Where the process that is asked has taken the upload, or has shown the job before."""
UPLOADING = {"sqlite": 9, "postgresql": 10}


class Meter:
    """Counts what goes to the database and comes back, whichever way it takes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trips = 0
        for place, name in (
            (onetrip.OneTripConnection, "trip"),
            (onetrip_postgresql.KnownStatement, "fetch"),
            (asyncpg.Connection, "execute"),  # BEGIN, COMMIT and ROLLBACK
        ):
            monkeypatch.setattr(place, name, self._counted(getattr(place, name)))

    def _counted(self, real):
        def go(*arguments, **options):
            self.trips += 1
            return real(*arguments, **options)

        return go

    @contextmanager
    def at_most(self, trips: int) -> Iterator[None]:
        before = self.trips
        yield
        assert self.trips - before <= trips


@pytest.fixture
async def warm(shop, alice, monkeypatch) -> Meter:
    """With one job done: connections are open, and PostgreSQL has told what there is to know of each statement."""
    job = await shop.order()
    await shop.relay.run_once()
    assert await shop.work(shop.runner(rules=LeaseRules())) == "succeeded"
    await shop.jobs.get(alice, job.id)
    return Meter(monkeypatch)


async def test_no_step_of_a_jobs_life_asks_more_of_the_database_than_it_may(shop, alice, warm):
    with warm.at_most(UPLOADING[shop.database.dialect]):
        upload = await shop.upload(b"another text")
    with warm.at_most(ALL_BUT_UPLOADING["order"]):
        job = await shop.jobs.submit(alice, JobOrder((JobInput(upload=upload),), to="md"))
    with warm.at_most(ALL_BUT_UPLOADING["tell"]):
        assert await shop.relay.run_once() == 1
    with warm.at_most(ALL_BUT_UPLOADING["work"]):
        assert await shop.work(shop.runner(rules=LeaseRules())) == "succeeded"
    with warm.at_most(ALL_BUT_UPLOADING["look"]):
        assert (await shop.jobs.get(alice, job.id)).status == "succeeded"
    with warm.at_most(ALL_BUT_UPLOADING["wait"]):
        await shop.jobs.wait_until_over(alice, job.id, 1)


async def test_looking_for_work_where_there_is_none_is_one_question(shop, warm):
    with warm.at_most(1):
        assert await shop.runner().claim("premium", "standard") is None


async def test_what_a_process_remembers_is_asked_for_in_one_trip(remembering, alice, warm):
    shop = remembering
    upload = await shop.upload(b"another text")
    with warm.at_most(REMEMBERED["order"]):
        job = await shop.jobs.submit(alice, JobOrder((JobInput(upload=upload),), to="md"))
    await shop.jobs.get(alice, job.id)
    await shop.jobs.get(alice, job.id)  # from now on the question is known
    with warm.at_most(REMEMBERED["look"]):
        assert (await shop.jobs.get(alice, job.id)).queue_position == 1
