"""A world beside the stack's: its own database, bucket and Redis, with processes of the product on them.

For what a stack cannot lend without harm: a database whose disk fills up, a Redis that sentinels watch.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import boto3
import psycopg
from chaoskit import judge, remains
from chaoskit.journal import Journal
from chaoskit.remains import Bucket, Row
from distkit.shape import LIVE, Shape, eventually
from psycopg.rows import dict_row

from filewright.chassis.testing.servers.postgres import PrivatePostgres


@dataclass
class World:
    """`settings` lead a process there. For clients it is a server at `url`."""

    database_url: str
    bucket: Bucket
    settings: Mapping[str, str]
    url: str = ""
    up: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.up.set()

    @classmethod
    def beside(cls, shape: Shape, name: str, server: PrivatePostgres, *, redis_url: str | None = None) -> World:
        """A database of that name there, a bucket in the stack's store, and the stack's Redis if none is given."""
        known = shape.settings
        bucket = f"world-{name}"
        storage = known["FILEWRIGHT_STORAGE_URL"].replace("s3://filewright?", f"s3://{bucket}?")
        there = Bucket(storage, shape.bucket.key_id, shape.bucket.secret)
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{shape.layout.memory().ports['s3']}",
            aws_access_key_id=there.key_id,
            aws_secret_access_key=there.secret,
            region_name="us-east-1",
        )
        client.create_bucket(Bucket=bucket)
        client.close()
        server.execute(f"CREATE DATABASE world_{name}")
        database_url = server.url(f"world_{name}")
        settings = {
            "FILEWRIGHT_DATABASE_URL": database_url,
            "FILEWRIGHT_STORAGE_URL": storage,
            "FILEWRIGHT_REDIS_URL": redis_url or known["FILEWRIGHT_REDIS_URL"].removesuffix("/0") + "/7",
        }
        return cls(database_url, there, settings)

    def rows(self, query: str, *values: object) -> list[Row]:
        with psycopg.connect(self.database_url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()  # type: ignore[arg-type] # the tests' own queries

    def breaches(self, journal: Journal, scratch: Path) -> list[judge.Breach]:
        """What does not hold, once everything is quiet."""
        live = "SELECT 1 FROM jobs WHERE state = ANY(%s) UNION ALL SELECT 1 FROM outbox LIMIT 1"
        eventually(lambda: not self.rows(live, list(LIVE)), 300)
        remains.collect_garbage_at(self.database_url, self.bucket, scratch, timedelta(minutes=20))
        return judge.judge(judge.History(journal, remains.read_at(self.database_url, self.bucket, []), 0, []))
