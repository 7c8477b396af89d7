"""One process that wants to lead. Usage: candidate.py <database url> <name> <lease seconds> [<freeze at>]

Runs a beat with one schedule as fast as it can; its effect adds a line to the table `effects`. With `freeze at` it
stops itself (SIGSTOP) once, there: `between` finding that it leads and writing, or `inside` the unit of work.
"""

import asyncio
import os
import signal
import sys
from datetime import timedelta

from sqlalchemy import text

from filewright.chassis.coordination.leader import Leader
from filewright.chassis.coordination.ticks import Beat, Schedule
from filewright.chassis.db.database import Database, DatabaseUnavailable

URL, NAME, LEASE = sys.argv[1:4]
FREEZE = sys.argv[4:5]


def freeze(here: str) -> None:
    if here in FREEZE:
        FREEZE.clear()
        sys.stdout.write("freezing\n")
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGSTOP)


class Sluggish(Leader):
    """Believes what it was told for as long as it was frozen."""

    async def campaign(self):
        term = await super().campaign()
        if term is not None:
            freeze("between")
        return term


async def main() -> None:
    database = Database(URL)

    async def effect(session):
        await session.execute(text("INSERT INTO effects (holder) VALUES (:holder)"), {"holder": NAME})
        freeze("inside")

    leader = Sluggish(database, "beat", holder=NAME, lease=timedelta(seconds=float(LEASE)))
    beat = Beat(database, leader, [Schedule("often", timedelta(milliseconds=200), effect)])
    while True:
        try:
            if await beat.run_once():
                sys.stdout.write("fired\n")
                sys.stdout.flush()
        except DatabaseUnavailable:
            sys.stdout.write("lost\n")
            sys.stdout.flush()
        await asyncio.sleep(0.02)


asyncio.run(main())
