"""The tables come from the migrations."""

from tablekit import database_schema

__all__ = ["database_schema"]
