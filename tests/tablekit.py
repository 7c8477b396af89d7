"""The tables of a real installation, for tests of whatever needs them.

One function for all: each database of the tests is copied from one that was made by the same function before, so every
function of its own would have all migrations run once more in each process of a run.
"""

from __future__ import annotations

from filewright.chassis.db.database import Database
from filewright.converter.migrations import LOCATION


async def migrated(database: Database) -> None:
    """All tables, by all migrations."""
    await database.migrate(LOCATION)
