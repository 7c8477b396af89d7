"""A sender is killed at every point of a delivery. The event comes, again under the same id if it has to."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from filewright.chassis.db.database import Database
from filewright.converter.webhooks import sender
from filewright.converter.webhooks.models import DeliveryRow

SCRIPT = Path(__file__).with_name("sending_process.py")
POINTS = {sender.CLAIMED: 1, sender.SENT: 2, sender.SETTLED: 1}
"""And how often the receiver hears of it then."""
IN_THE_GATE = sender.SENT


@pytest.mark.requirement("F4")
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "point", [point if point == IN_THE_GATE else pytest.param(point, marks=pytest.mark.long) for point in POINTS]
)
async def test_a_delivery_outlives_the_one_who_makes_it(point, tmp_path, shop, post, receiver, warm):
    arguments = [str(SCRIPT), str(tmp_path), f"{point}=sigkill", receiver.url]
    died = await asyncio.to_thread(warm.run, arguments)
    assert died.returncode == -9, f"{point} was never reached: {died.stderr.decode()[-500:]}"
    await shop.database.close()
    shop.database = Database(f"sqlite:///{tmp_path / 'killed.db'}")
    shop.__post_init__()
    post = type(post)(shop)
    try:
        async with shop.database.write() as session:  # the lease of the dead one lapses
            now = await shop.database.now(session)
            for row in await session.scalars(select(DeliveryRow).where(DeliveryRow.lease_until.is_not(None))):
                row.lease_until = now - timedelta(seconds=1)
        await post.send()
        [delivery] = await post.deliveries()
        assert delivery.state == "delivered"
        assert len(receiver.got) == POINTS[point]
        assert {got.id for got in receiver.got} == {delivery.id}
    finally:
        await post.sender.close()
        await shop.database.close()
