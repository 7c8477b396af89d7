"""What Alembic runs; the program hands over the connection (`Database.migrate`)."""

from __future__ import annotations

from filewright.chassis.db.migrations import run
from filewright.converter.migrations.tables import metadata

run(metadata)
