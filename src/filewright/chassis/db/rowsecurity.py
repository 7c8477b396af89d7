"""PostgreSQL's row security: what protects a table, whether all are protected, and whether it is in force at all.

A table with a column `tenant` has one policy, for everything that is done to it: a row is there for its own tenant and
for the service itself (`acting.py` says which of them asks). Migrations write it; here is the same for the pieces that
upkeep cuts tables into, and the look that finds a table whose migration forgot it.

The owner of the tables is bound as well (FORCE). A superuser, and a role with BYPASSRLS, is bound by nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, column, func, literal_column, select, table, text

from filewright.chassis.db import acting
from filewright.chassis.db.hot import Look, Rows, Speech
from filewright.chassis.db.sessions import ReadSession

COLUMN = "tenant"
POLICY = "tenant"


@dataclass(frozen=True)
class RowSecurity:
    """How things are on this database, for this role."""

    in_force: bool
    """Whether the role is bound by policies."""
    closed: bool
    """Whether a statement that declares nothing is shown nothing; the version before this one declares nothing."""


def protecting(name: str) -> Sequence[str]:
    """What is to be done for a table of this name, or a piece of a table."""
    return (
        f"CREATE POLICY {POLICY} ON {name} USING (filewright_tenant() IN ('{acting.SYSTEM}', {COLUMN}))",
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
    )


async def protects(session: ReadSession, name: str) -> bool:
    """Whether that table is protected, so that its pieces have to be as well."""
    on = text("SELECT relrowsecurity FROM pg_class WHERE oid = CAST(:name AS regclass)")
    return bool((await session.execute(on, {"name": name})).scalar_one())


async def unprotected(session: ReadSession) -> list[str]:
    """Tables with a tenant, pieces of tables among them, that are not wholly under exactly our policy."""
    found = await session.scalars(
        text(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = :tenant "
            "LEFT JOIN pg_policy p ON p.polrelid = c.oid "
            "WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace AND NOT a.attisdropped "
            "GROUP BY c.oid HAVING NOT (c.relrowsecurity AND c.relforcerowsecurity) OR count(p.oid) <> 1 "
            "OR bool_or(p.polcmd <> '*' OR p.polroles <> '{0}' OR NOT p.polpermissive OR p.polwithcheck IS NOT NULL "
            "OR pg_get_expr(p.polqual, c.oid) NOT LIKE '%filewright_tenant()%tenant%') ORDER BY 1"
        ),
        {"tenant": COLUMN},
    )
    return list(found.all())


def _in_force(_speech: Speech) -> Select[Any]:
    role = table("pg_roles", column("rolname"), column("rolsuper"), column("rolbypassrls"))
    return select(
        (~(role.c.rolsuper | role.c.rolbypassrls)).label("in_force"),
        func.current_setting(acting.SETTING, literal_column("true")).label("undeclared"),
    ).where(role.c.rolname == literal_column("current_user"))


IN_FORCE = Look(_in_force)
"""Whether the role that asks is bound, and for whom it is when it says nothing. To be asked without saying anything."""


def found(rows: Rows) -> RowSecurity:
    """What that answer means."""
    (row,) = rows
    return RowSecurity(in_force=row.in_force, closed=(row.undeclared or acting.SYSTEM) != acting.SYSTEM)
