"""A process of its own that claims notes until none is free, and prints what it got. Run by test_processes.py."""

import asyncio
import json
import sys

from sqlalchemy import select

from filewright.chassis.db.database import Database
from filewright.chassis.db.dialect import skip_locked
from filewright.chassis.testing.conformance.database import Note


async def claim_all(url: str, name: str) -> list[str]:
    database = Database(url)
    claimed: list[str] = []
    while True:
        async with database.write() as session:
            free = select(Note).where(Note.owner.is_(None)).order_by(Note.id).limit(3)
            notes = (await session.scalars(skip_locked(free))).all()
            for note in notes:
                note.owner = name
        if not notes:
            await database.close()
            return claimed
        claimed += [note.id for note in notes]


print(json.dumps(asyncio.run(claim_all(*sys.argv[1:]))))
