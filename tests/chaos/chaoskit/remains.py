"""What a stopped service left on disk, or one at rest in PostgreSQL and in a bucket, read without the service's own
code where that is possible.

`collect_garbage` is the exception: it runs the real pruner, with a clock that is ahead.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import psycopg
from psycopg.rows import dict_row

from filewright.chassis.clock import SystemClock
from filewright.chassis.db.database import Database
from filewright.chassis.ids import RandomIds
from filewright.chassis.storage.local import LocalStore
from filewright.chassis.storage.obstore_store import open_store
from filewright.chassis.storage.port import ObjectStore
from filewright.chassis.web.idempotency import IdempotencyKeys
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.jobs import repository
from filewright.converter.jobs.steering.erasing import Eraser
from filewright.converter.maintenance.pruner import Pruner
from filewright.converter.uploads.service import Uploads

Row = Mapping[str, Any]
TABLES = (
    "jobs", "job_events", "attempts", "usage", "job_inputs", "job_outputs", "artifacts", "uploads", "outbox",
    "job_secrets", "file_hashes",
)  # fmt: skip


@dataclass(frozen=True)
class Object:
    """A file in the store."""

    bytes: int
    sha256: str


@dataclass
class Remains:
    """Rows by table, objects by key, and whatever lies where nothing should."""

    rows: dict[str, list[Row]]
    objects: dict[str, Object]
    strays: list[str] = field(default_factory=list)

    def of(self, table: str, job: str) -> list[Row]:
        """The rows of a table that belong to a job."""
        return [row for row in self.rows[table] if row["job_id"] == job]


def read(data: Path, temp: Path | None = None) -> Remains:
    """Everything, after the service was stopped."""
    with sqlite3.connect(f"file:{data / 'filewright.db'}?mode=ro", uri=True) as database:
        database.row_factory = sqlite3.Row
        rows = {table: [_decoded(row) for row in database.execute(f"SELECT * FROM {table}")] for table in TABLES}
        damage = [row[0] for row in database.execute("PRAGMA integrity_check") if row[0] != "ok"]
    database.close()
    root = data / "objects"
    files = [path for path in root.rglob("*") if path.is_file()]
    objects = {
        str(path.relative_to(root)): Object(path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
        if ".incoming" not in path.parts
    }
    places = [data / "work", data / "scratch", root / ".incoming", *([temp] if temp else [])]
    strays = [str(path) for place in places if place.exists() for path in place.iterdir()]
    return Remains(rows, objects, strays + damage)


@dataclass(frozen=True)
class Bucket:
    """Where a distributed service keeps its files (`s3://bucket?endpoint=…`), and the keys to it."""

    url: str
    key_id: str
    secret: str

    def objects(self) -> Iterator[tuple[str, bytes]]:
        """Everything in it."""
        address = urlsplit(self.url)
        client = boto3.client(
            "s3",
            endpoint_url=parse_qs(address.query)["endpoint"][0],
            aws_access_key_id=self.key_id,
            aws_secret_access_key=self.secret,
            region_name="us-east-1",
        )
        try:
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=address.netloc):
                for entry in page.get("Contents", ()):
                    body = client.get_object(Bucket=address.netloc, Key=entry["Key"])["Body"]
                    with body:
                        yield entry["Key"], body.read()
        finally:
            client.close()


def read_at(database_url: str, bucket: Bucket, places: Iterable[Path]) -> Remains:
    """Everything of a distributed service that is at rest; `places` are folders in which nothing may lie.

    But for what its processes have with them at rest: an engine that is kept warm is told its folder when it begins,
    and what belongs to one that waits for its next call begins with a dot.
    """
    with psycopg.connect(database_url, row_factory=dict_row) as database:
        rows = {table: list(database.execute(f"SELECT * FROM {table}")) for table in TABLES}  # type: ignore[arg-type]
    objects = {key: Object(len(data), hashlib.sha256(data).hexdigest()) for key, data in bucket.objects()}
    lying = [path for place in places if place.exists() for path in place.glob("[!.]*")]
    told = _told() if lying else b""
    return Remains(rows, objects, [str(path) for path in lying if path.name.encode() not in told])


def _told() -> bytes:
    """The command lines of all that runs."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            lines.append(entry.read_bytes())
    return b"\n".join(lines)


def _decoded(row: sqlite3.Row) -> Row:
    values = dict(row)
    for name in ("parts", "error"):
        if isinstance(values.get(name), str):
            values[name] = json.loads(values[name])
    return values


def make_older(data: Path, seconds: float, *columns: str) -> None:
    """Move those times (`table.column`) of a stopped service into the past, as if it had been off for a while."""
    with sqlite3.connect(data / "filewright.db") as database:
        for column in columns:
            table, _, name = column.partition(".")
            found = database.execute(f"SELECT rowid, {name} FROM {table} WHERE {name} IS NOT NULL").fetchall()
            for rowid, value in found:
                database.execute(f"UPDATE {table} SET {name} = ? WHERE rowid = ?", (_earlier(value, seconds), rowid))
    database.close()


def _earlier(value: Any, seconds: float) -> Any:
    if isinstance(value, str):
        moved = datetime.fromisoformat(value) - timedelta(seconds=seconds)
        return moved.isoformat(sep="T" if "T" in value else " ", timespec="microseconds")
    return value - seconds


class _Ahead(SystemClock):
    def __init__(self, lead: timedelta) -> None:
        self._lead = lead

    def now(self) -> datetime:
        return super().now() + self._lead


def collect_garbage(data: Path, ahead: timedelta) -> None:
    """What the pruner of a service would do if it were that much later."""
    asyncio.run(_collect(f"sqlite:///{data / 'filewright.db'}", LocalStore(data / "objects"), data, ahead))


def collect_garbage_at(database_url: str, bucket: Bucket, scratch: Path, ahead: timedelta) -> None:
    """The same for a distributed service."""
    store = open_store(bucket.url, access_key_id=bucket.key_id, secret_access_key=bucket.secret)
    asyncio.run(_collect(database_url, store, scratch, ahead))


async def _collect(database_url: str, store: ObjectStore, scratch: Path, ahead: timedelta) -> None:
    clock = _Ahead(ahead)
    database, ids = Database(database_url, clock=clock), RandomIds(clock)
    artifacts = Artifacts(database, store, ids)
    uploads = Uploads(
        database=database, store=store, artifacts=artifacts, ids=ids, scratch=scratch, in_use=repository.has_a_right_to
    )
    keys = IdempotencyKeys(database, ids, clock)
    eraser = Eraser(database, store, artifacts)
    pruner = Pruner(database, store, eraser, others=(uploads.prune_once, artifacts.prune_once, keys.prune_once))
    try:
        for _ in range(1000):
            if not await pruner.run_once():
                return
        raise AssertionError("the pruner finds no end")
    finally:
        await store.close()
        await database.close()
