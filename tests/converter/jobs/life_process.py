"""A process that lives through everything jobs can live through, on the folder it is given. Run by test_kills.py,
which lets it die at a point of its choice and looks whether what it promised is kept.

Each line it prints is a promise made to a caller: `accepted ID`, `cancelled ID`, `deleted ID`.
"""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from filewright.chassis import failpoints
from filewright.chassis.clock import SystemClock
from filewright.chassis.db.database import Database
from filewright.chassis.ids import RandomIds
from filewright.chassis.storage.local import LocalStore
from filewright.chassis.testing.modules import module_at
from filewright.converter.errors import EngineCrashed
from filewright.converter.jobs.rules import JobRules
from filewright.converter.jobs.running.lease import LeaseRules
from filewright.converter.migrations import LOCATION


def promise(what, job) -> None:
    print(what, job.id, flush=True)


async def live(folder: Path, specification: str) -> None:
    kit = module_at(Path(__file__).parent.parent / "conftest.py", "kit")  # a process of its own has no fixtures
    clock = SystemClock()
    database = Database(f"sqlite:///{folder / 'test.db'}")
    await database.migrate(LOCATION)
    rules = JobRules(first_hint=timedelta(0))
    shop = kit.Shop(folder, database, clock, RandomIds(clock), LocalStore(folder / "objects"), rules=rules)
    shop.converter.before = crash_on_demand
    failpoints.arm(specification)

    kept = await shop.order(b"kept")
    promise("accepted", kept)
    await shop.relay.run_once()
    await shop.dispatcher.run_once()
    await shop.work()

    stopped = await shop.order(b"stopped")
    promise("accepted", stopped)
    await shop.jobs.cancel(kit.ALICE, stopped.id)
    promise("cancelled", stopped)

    crashing = await shop.order(b"!crash")
    promise("accepted", crashing)
    await shop.work()

    erased = await shop.order(b"erased")
    promise("accepted", erased)
    await shop.work()
    await shop.jobs.delete(kit.ALICE, erased.id)
    promise("deleted", erased)

    abandoned = await shop.order(b"abandoned")
    promise("accepted", abandoned)
    await shop.runner(rules=LeaseRules(lease=0.0)).claim("standard")
    await shop.rescuer.run_once()
    shop.pruner._settle = timedelta(0)
    await shop.pruner.run_once()
    await database.close()


async def crash_on_demand(assignment, cancel) -> None:
    if assignment.source.read_bytes() == b"!crash":
        raise EngineCrashed


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2]))
