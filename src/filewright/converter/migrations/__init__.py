"""One tree of migrations for SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

LOCATION = Path(__file__).parent
"""What `Database.migrate` is given."""
