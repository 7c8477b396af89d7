"""A worker that comes back in the same data directory takes over what its predecessor held."""

import pytest

from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.converter.jobs.running.succession import FILE, Succession

pytestmark = pytest.mark.requirement("F2")


class Taking:
    """Writes down whose jobs were taken."""

    def __init__(self, *failures) -> None:
        self.failures = list(failures)
        self.taken = []

    async def __call__(self, instances):
        if self.failures:
            raise self.failures.pop()
        self.taken.append(tuple(instances))
        return 1


def began(folder, instance, taking):
    succession = Succession(folder, instance, taking)
    succession.begin()
    return succession


async def test_the_first_has_nobody_to_succeed(tmp_path):
    taking = Taking()
    assert await began(tmp_path, "one", taking).run_once() == 0
    assert taking.taken == []


async def test_what_the_one_before_held_is_taken_once(tmp_path):
    taking = Taking()
    began(tmp_path, "one", taking)
    second = began(tmp_path, "two", taking)
    assert [await second.run_once(), await second.run_once()] == [1, 0]
    assert taking.taken == [("one",)]
    assert (tmp_path / FILE).read_text() == "two\n"


async def test_nobody_is_forgotten_while_the_database_is_away(tmp_path):
    began(tmp_path, "one", Taking())
    second = began(tmp_path, "two", Taking(DatabaseUnavailable()))
    with pytest.raises(DatabaseUnavailable):
        await second.run_once()
    taking = Taking()
    third = began(tmp_path, "three", taking)
    await third.run_once()
    assert taking.taken == [("one", "two")]


@pytest.mark.parametrize("database_url", ["sqlite", "postgres"], indirect=True)
async def test_jobs_of_the_dead_are_free_before_their_lease_is_over_and_those_of_the_living_are_not(shop):
    held, kept = await shop.order(b"one"), await shop.order(b"two")
    dead, living = shop.runner(instance="wrk_dead"), shop.runner(instance="wrk_living")
    assert (await dead.claim("standard")).lease.job_id == held.id
    assert (await living.claim("standard")).lease.job_id == kept.id
    assert await shop.rescuer.take_over(["wrk_dead"]) == 1
    assert (await shop.status(held), await shop.status(kept)) == ("queued", "running")
    assert await shop.rescuer.take_over(["wrk_dead"]) == 0
    assert await shop.work() == "succeeded"
    assert await shop.read(held) == b"ONE"
