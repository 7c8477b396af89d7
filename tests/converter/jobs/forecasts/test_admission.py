"""Who is refused early: by how long it would wait, and for want of disk; never on a look that is old."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from filewright.chassis.web.problems import Overloaded
from filewright.converter.jobs.forecasts import admission
from filewright.converter.jobs.forecasts.admission import Admission, Pressure
from filewright.converter.tiers import LOCAL, Caller

PATIENT, HASTY = replace(LOCAL, max_predicted_wait_seconds=1000), replace(LOCAL, max_predicted_wait_seconds=10)


@pytest.fixture
def door(shop):
    return Admission(shop.database, shop.clock, shop.folder, shop.metrics)


async def worked(shop, times=2, seconds=20.0):
    """Conversions that took so long each."""
    for _ in range(times):
        await shop.order()

        async def takes(assignment, cancel):
            shop.clock.move(seconds)

        shop.converter.before = takes
        assert await shop.work() == "succeeded"
    shop.converter.before = None


def test_a_new_job_waits_for_those_that_are_due_shared_among_those_at_work():
    pressure = Pressure({"standard": 30, "premium": 10}, running=4, seconds=2.0)
    assert pressure.predicted_wait("standard") == pytest.approx(20.0)
    assert pressure.predicted_wait("premium") == pytest.approx(5.0)
    assert Pressure({"standard": 30}, running=0, seconds=2.0).predicted_wait("standard") == pytest.approx(60.0)
    assert Pressure({}, running=4, seconds=2.0).predicted_wait("standard") == 0.0
    assert Pressure({"standard": 30}, running=4).predicted_wait("standard") == 0.0


async def test_who_would_wait_too_long_is_told_so_and_when_to_come_back(shop, door):
    await worked(shop, seconds=20.0)
    for n in range(3):
        await shop.order(caller=Caller(f"tenant{n}", LOCAL))
    await door.look_once()
    assert door.pressure.due == {"standard": 3}
    assert door.pressure.seconds == pytest.approx(20.0, abs=2)
    door.check(PATIENT)
    door.check(LOCAL)
    with pytest.raises(Overloaded) as refused:
        door.check(HASTY)
    assert (refused.value.status, refused.value.retryable) == (503, True)
    assert 5 <= refused.value.retry_after <= 120


async def test_what_one_tenant_piled_up_is_not_before_anothers_first_job(shop, door):
    await worked(shop)
    for _ in range(50):
        await shop.order(caller=Caller("many", LOCAL))
    await door.look_once()
    assert door.pressure.due == {"standard": 1}


async def test_on_an_old_look_nobody_is_refused(shop, door, clock):
    await worked(shop, seconds=20.0)
    await shop.order()
    await door.look_once()
    with pytest.raises(Overloaded):
        door.check(replace(LOCAL, max_predicted_wait_seconds=1))
    clock.move(admission.OLD_SECONDS + 1)
    door.check(replace(LOCAL, max_predicted_wait_seconds=1))


async def test_conversions_of_long_ago_say_nothing_of_now(shop, door, clock):
    await worked(shop)
    clock.move(admission.LATELY.total_seconds() + 1)
    await shop.order()
    await door.look_once()
    assert door.pressure.seconds is None
    door.check(HASTY)


async def test_where_there_is_hardly_any_room_no_file_is_taken_in(shop, door, monkeypatch):
    gigabytes = 100 << 30
    for free, welcome in ((admission.MIN_FREE_BYTES, True), (admission.MIN_FREE_BYTES - 1, False), (gigabytes, True)):
        monkeypatch.setattr(
            admission.shutil, "disk_usage", lambda _, free=free: SimpleNamespace(total=gigabytes, free=free)
        )
        await door.look_once()
        if welcome:
            door.check(LOCAL)
            continue
        with pytest.raises(Overloaded) as refused:
            door.check(LOCAL)
        assert refused.value.retry_after == 30.0
