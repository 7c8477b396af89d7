"""All that is kept of a tenant, as one ZIP: its rows as JSON, a line each, and its files as they are.

    index.json            what each table is, in words
    data/<table>.ndjson   its rows
    files/<id>/<name>     its files, uploaded and made

Made while it is sent: a table is read a thousand rows at a time, a file a block at a time, so a large account costs no
more memory than a small one. What is written meanwhile may or may not be in it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from stat import S_IFREG
from typing import Any

import orjson
from sqlalchemy import MetaData, Table, select, tuple_
from stream_zip import ZIP_64, Method, async_stream_zip

from filewright.chassis.audit import acts
from filewright.chassis.audit.log import Audit
from filewright.chassis.db.database import Database
from filewright.converter.artifacts.models import Artifact, ArtifactRow, artifact_of
from filewright.converter.errors import Expired
from filewright.converter.jobs.ports import Files
from filewright.converter.privacy.records import RECORDS, TENANT, tables_of_tenants

TAKEN = acts.declare("export.taken", "all that is kept of somebody was exported")
_BATCH = 1000
_MODE = S_IFREG | 0o600
_ODD = re.compile(r"[^\w.()+ -]")
_NAME_CHARS = 120

Member = tuple[str, datetime, int, Method, AsyncIterator[bytes]]


class Exports:
    """Makes them. `metadata` is that of every table of the program."""

    def __init__(self, database: Database, files: Files, metadata: MetaData, audit: Audit) -> None:
        self._audit = audit
        self._tables = tables_of_tenants(metadata)
        self._database = database
        self._files = files

    async def order(self, tenant: str, *, actor: str) -> AsyncIterator[bytes]:
        """As `of`, and it is written down who took it."""
        await self._audit.record_alone(TAKEN, actor=actor, tenant=tenant, subject=tenant)
        return self.of(tenant)

    def of(self, tenant: str) -> AsyncIterator[bytes]:
        """The ZIP, as it is made."""
        chunks: AsyncIterator[bytes] = async_stream_zip(self._members(tenant))
        return chunks

    async def _members(self, tenant: str) -> AsyncIterator[Member]:
        async with self._database.read() as session:
            now = await self._database.now(session)
        yield "index.json", now, _MODE, ZIP_64, _once(_index(tenant, now))
        for table in self._tables:
            yield f"data/{table.name}.ndjson", now, _MODE, ZIP_64, self._lines(table, tenant)
        async for artifact in self._artifacts(tenant):
            name = f"files/{artifact.id}/{_plain(artifact.filename)}"
            yield name, artifact.created_at, _MODE, ZIP_64, self._bytes(artifact)

    async def _lines(self, table: Table, tenant: str) -> AsyncIterator[bytes]:
        shown = [column.name for column in table.columns if column.name not in RECORDS[table.name].hidden]
        async for rows in self._rows(table, tenant):
            yield b"".join(
                orjson.dumps({name: row[name] for name in shown}, default=_plainly, option=orjson.OPT_APPEND_NEWLINE)
                for row in rows
            )

    async def _rows(self, table: Table, tenant: str) -> AsyncIterator[list[Mapping[str, Any]]]:
        key = list(table.primary_key.columns)
        statement = select(table).where(table.c[TENANT] == tenant).order_by(*key).limit(_BATCH)
        after: Any = None
        while True:
            page = statement if after is None else statement.where(tuple_(*key) > after)
            async with self._database.read() as session:
                rows: list[Mapping[str, Any]] = [dict(row) for row in (await session.execute(page)).mappings()]
            if rows:
                yield rows
            if len(rows) < _BATCH:
                return
            after = tuple(rows[-1][column.name] for column in key)

    async def _artifacts(self, tenant: str) -> AsyncIterator[Artifact]:
        """Those whose bytes are there."""
        (table,) = [table for table in self._tables if table.name == ArtifactRow.__tablename__]
        async for rows in self._rows(table, tenant):
            ids = [row["id"] for row in rows if row["erased_at"] is None]
            async with self._database.read() as session:
                found = await session.scalars(
                    select(ArtifactRow).where(ArtifactRow.id.in_(ids)).order_by(ArtifactRow.id)
                )
                artifacts = [artifact_of(row) for row in found]
            for artifact in artifacts:
                yield artifact

    async def _bytes(self, artifact: Artifact) -> AsyncIterator[bytes]:
        """A file whose time ends while the export is made is empty in it."""
        try:
            async for block in self._files.read(artifact):
                yield block
        except Expired:
            return


def _index(tenant: str, now: datetime) -> bytes:
    tables = {
        name: {"what": record.what, "kept_after_erasure": record.kept or None} for name, record in RECORDS.items()
    }
    index = {"tenant": tenant, "made_at": now, "tables": tables}
    return orjson.dumps(index, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _plainly(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _plain(filename: str) -> str:
    """A name that no archive program takes for a path, with its ending."""
    plain = _ODD.sub("_", filename).strip(". ") or "file"
    stem, dot, ending = plain.rpartition(".")
    return f"{stem[:_NAME_CHARS]}{dot}{ending[:20]}" if stem else plain[:_NAME_CHARS]
