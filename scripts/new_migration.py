"""Write a migration from what the tables in the code have and the newest migration has not. Then read it."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import JSON, Connection

from filewright.chassis.db.base import UtcDateTime
from filewright.chassis.db.database import Database
from filewright.converter.migrations import LOCATION
from filewright.converter.migrations.tables import metadata

HEAD = '''"""{message}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = {revision!r}
down_revision = {before!r}
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''


def render_item(kind: str, item: Any, _context: object) -> str | bool:
    """The portable types by a name at the head of the file, so that a migration never changes with the code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "MOMENT"
    if kind == "type" and isinstance(item, JSON):
        return "JSON"
    return False


OPTIONS: dict[str, Any] = {"render_as_batch": True, "compare_type": True, "render_item": render_item}


def render(connection: Connection) -> tuple[str, str]:
    context = MigrationContext.configure(connection, opts={**OPTIONS, "target_metadata": metadata})
    script = produce_migrations(context, metadata)
    parts = [
        render_python_code(operations, render_as_batch=True, render_item=render_item, migration_context=context)
        for operations in (script.upgrade_ops, script.downgrade_ops)
        if operations is not None
    ]
    upgrade, downgrade = (re.sub(r"^ *# ###.*\n?", "", part, flags=re.MULTILINE).strip() for part in parts)
    return upgrade, downgrade


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("message", help="one sentence: what the migration is for")
    message = parser.parse_args().message
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/empty.db")
        if any((LOCATION / "versions").glob("0*.py")):
            await database.migrate(LOCATION)
        before = await database.revision()
        async with database.read() as session:
            upgrade, downgrade = await (await session.connection()).run_sync(render)
        await database.close()
    if upgrade.strip() == "pass":
        print("the newest migration has all tables already", file=sys.stderr)
        return 1
    revision = f"{int(before or 0) + 1:04d}"
    slug = re.sub(r"\W+", "_", message.lower()).strip("_")[:40]
    path = LOCATION / "versions" / f"{revision}_{slug}.py"
    path.write_text(
        HEAD.format(message=message, revision=revision, before=before, upgrade=upgrade, downgrade=downgrade),
        encoding="utf-8",
    )
    print(path.relative_to(Path.cwd()))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
