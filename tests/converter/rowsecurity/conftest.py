"""The tables come from the migrations, the policies with them."""

from tablekit import database_schema

__all__ = ["database_schema"]
