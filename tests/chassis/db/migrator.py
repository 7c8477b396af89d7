"""A process of its own that migrates a database. Run by test_migrations.py."""

import asyncio
import sys
from pathlib import Path

from filewright.chassis.db.database import Database


async def migrate(url: str, tree: str) -> None:
    database = Database(url)
    await database.migrate(Path(tree))
    print(await database.revision())
    await database.close()


asyncio.run(migrate(*sys.argv[1:]))
