"""The tables come from the migrations, and the database's clock is the test's."""

from tablekit import database_clock, database_schema

__all__ = ["database_clock", "database_schema"]
