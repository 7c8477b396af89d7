"""A process that sends one event, and dies at the point it is told. Run by test_kills.py."""

import asyncio
import importlib.util
import sys
from pathlib import Path

from filewright.chassis import failpoints
from filewright.chassis.clock import SystemClock
from filewright.chassis.db.database import Database
from filewright.chassis.ids import RandomIds
from filewright.chassis.storage.local import LocalStore
from filewright.converter.migrations import LOCATION

HERE = Path(__file__).parent


def load(path, name):
    """A conftest of these tests; a process of its own has no fixtures."""
    spec = importlib.util.spec_from_file_location(name, path)
    kit = importlib.util.module_from_spec(spec)
    sys.modules[name] = kit
    spec.loader.exec_module(kit)
    return kit


async def live(folder: Path, specification: str, url: str) -> None:
    shops, offices = load(HERE.parent / "conftest.py", "shops"), load(HERE / "conftest.py", "offices")
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
