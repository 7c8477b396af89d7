"""The declarative base and the column types that mean the same on every database.

A table uses these and nothing of a vendor: moments in UTC, JSON, enums as text, integers that hold any file's size.
Constraint names follow one convention, because a migration can only drop what has a name.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Enum, Integer, MetaData, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator
from typing_extensions import override

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """A moment. Aware datetimes in, aware datetimes in UTC out; a naive one is a defect and is refused.

    SQLite keeps text of one fixed width, so comparing and sorting in SQL works there too.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} names no moment: it has no time zone")
        return value.astimezone(UTC)

    @override
    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class present(FunctionElement[datetime]):  # noqa: N801 - read as the function of SQL that it is
    """The moment of the statement as the database has it: for columns that say when a row was last touched."""

    type = UtcDateTime()
    inherit_cache = True


@compiles(present, "postgresql")
def _present_on_postgresql(_element: present, _compiler: object, **_options: object) -> str:
    return "statement_timestamp()"


@compiles(present, "sqlite")
def _present_on_sqlite(_element: present, _compiler: object, **_options: object) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"


Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""Plain data. None is SQL's NULL. Change it by assigning a new value: what happens inside is not seen."""

BigInt = BigInteger().with_variant(Integer(), "sqlite")
"""Up to 2⁶³-1 everywhere; as a primary key it counts up by itself."""

Id = String(64)
"""An identifier of `chassis.ids`, or a key of that size."""


def enum_text(kind: type[StrEnum], length: int = 32) -> Enum:
    """A `StrEnum` stored as its value in plain text, so that a new member needs no migration."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=False,
        validate_strings=True,
        length=length,
        values_callable=lambda members: [member.value for member in members],
    )


class Base(DeclarativeBase):
    """Mother of every table of the program: one metadata, one migration tree."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        int: BigInt,
        dict[str, Any]: Json,
        list[Any]: Json,
        list[str]: Json,
    }
