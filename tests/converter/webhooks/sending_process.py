"""A process that sends one event, and dies at the point it is told. Run by test_kills.py."""

import asyncio
import sys
from pathlib import Path

from filewright.chassis import failpoints
from filewright.chassis.clock import SystemClock
from filewright.chassis.db.database import Database
from filewright.chassis.ids import RandomIds
from filewright.chassis.storage.local import LocalStore
from filewright.chassis.testing.modules import module_at
from filewright.converter.migrations import LOCATION

HERE = Path(__file__).parent


async def live(folder: Path, specification: str, url: str) -> None:
    sys.path.insert(0, str(HERE.parents[1]))  # where kits are
    # A process of its own has no fixtures.
    shops, offices = module_at(HERE.parent / "conftest.py", "shops"), module_at(HERE / "conftest.py", "offices")
    clock = SystemClock()
    database = Database(f"sqlite:///{folder / 'killed.db'}")
    await database.migrate(LOCATION)
    shop = shops.Shop(folder, database, clock, RandomIds(clock), LocalStore(folder / "objects"))
    post = offices.PostOffice(shop)
    await post.register(shops.ALICE, url)
    await shop.order()
    await shop.work()
    failpoints.arm(specification)
    await post.send()


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
