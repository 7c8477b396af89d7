"""Results of slow questions, kept in the database: materialized views, where it has them.

PostgreSQL has; on SQLite whoever reads asks the question itself, which for one process's data is quick.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Date, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from filewright.chassis.db.dialect import POSTGRESQL


class utc_day(FunctionElement[Any]):  # noqa: N801 - reads as the SQL function that it is
    """The day of a moment, in UTC, whatever time zone the server lives in."""

    type = Date()
    inherit_cache = True
    name = "utc_day"


@compiles(utc_day)
def _utc_day(element: utc_day, compiler: SQLCompiler, **options: Any) -> str:
    return f"date({compiler.process(element.clauses, **options)})"


@compiles(utc_day, POSTGRESQL)
def _utc_day_postgresql(element: utc_day, compiler: SQLCompiler, **options: Any) -> str:
    return f"(({compiler.process(element.clauses, **options)}) AT TIME ZONE 'UTC')::date"


def keeps_views(dialect: str) -> bool:
    """Whether this kind of database keeps results itself."""
    return dialect == POSTGRESQL


def has_views(session: AsyncSession) -> bool:
    """Whether the database of this session does."""
    return keeps_views(session.get_bind().dialect.name)


async def refresh(session: AsyncSession, view: str) -> None:
    """Ask the view's question anew, while others read the old answer. It needs a unique index; see its migration."""
    await session.execute(text(f'REFRESH MATERIALIZED VIEW CONCURRENTLY "{view}"'))
