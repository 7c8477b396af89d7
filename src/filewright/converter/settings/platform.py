"""Where everything is that a process stands on, and how much of it a process may take."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from filewright.chassis.storage.s3_address import parse_s3_address


class DatabasePooler(BaseModel):
    """What a pooler in front of the database allows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clients: Annotated[int, Field(ge=1)]
    servers: Annotated[int, Field(ge=1)]


def default_slots() -> int:
    """As many conversions at once as there are cores this process may use."""
    return max(1, len(os.sched_getaffinity(0)))


class PlatformSettings(BaseModel):
    """Data, and the servers that hold it."""

    data_dir: Annotated[Path, Field(description="Directory for the database, stored files and work in progress.")] = (
        Path("filewright-data")
    )
    database_url: Annotated[
        str | None,
        Field(
            description="`sqlite:///file` or `postgresql://user:password@host/name`. Without it: SQLite in `DATA_DIR`.",
        ),
    ] = None
    database_replica_urls: Annotated[
        tuple[str, ...],
        Field(
            description="Streaming replicas of the database (comma-separated `postgresql://…`). A client that sends "
            "back the `Consistency-Token` of earlier answers may be answered by one that has all it has seen; "
            "everybody else is answered by the database itself.",
        ),
    ] = ()
    database_pool_size: Annotated[
        int,
        Field(
            ge=2, le=200, description="Connections that one process opens at most, to the database and to each replica."
        ),
    ] = 8
    database_pooler: Annotated[
        DatabasePooler | None,
        Field(
            description="What PgBouncer in front of the database is configured with, as `clients=2000,servers=25`: its "
            "`max_client_conn`, and `default_pool_size` and `reserve_pool_size` together. It cannot be asked.",
        ),
    ] = None
    processes: Annotated[
        Mapping[str, int],
        Field(
            description="The most processes of each role that will run at once, as `api=3,worker=5,beat=2`: a process "
            "whose connections and theirs do not fit into the database does not start. Without it: each counts itself.",
        ),
    ] = {}
    storage_url: Annotated[
        str | None,
        Field(
            description="Where files are kept: `file:///directory` or `s3://bucket?endpoint=https://host`. Where "
            "clients reach the bucket by another address, add `&public_endpoint=https://…`; by none, "
            "`&public_endpoint=none`. "
            "Without it: a directory in `DATA_DIR`.",
        ),
    ] = None
    redis_url: Annotated[
        str | None,
        Field(
            description="Redis for the roles `api`, `worker` and `beat`: `redis://:password@host:6379/0`, or "
            "`sentinel://host:26379;sentinel://host2:26379?service=name`. It carries hints and news only. Without it: "
            "one process, `serve`.",
        ),
    ] = None
    cache_url: Annotated[
        str | None,
        Field(
            description="Redis for what can be made again (`redis://:password@host:6379/0`): another server than that "
            "of `REDIS_URL`, with `maxmemory-policy allkeys-lru`. It may be lost at any moment. Without it each "
            "process keeps such things for itself.",
        ),
    ] = None
    redis_answer_seconds: Annotated[
        float,
        Field(
            gt=0,
            le=60,
            description="How long a Redis may take to answer for what is kept and what is counted in it, in seconds. A "
            "process that gets no answer by then does without for a while: it makes again what is kept, and counts by "
            "itself at half the rate.",
        ),
    ] = 0.1
    s3_access_key_id: Annotated[
        str | None, Field(description="Key of the bucket. Without it: what the machine has (role, profile).")
    ] = None
    s3_secret_access_key: Annotated[
        str | None, Field(repr=False, description="Secret of that key; give both or neither.")
    ] = None
    slots: Annotated[
        int, Field(ge=1, le=256, description="Conversions at the same time. Without it: one per core.")
    ] = Field(default_factory=default_slots)

    @property
    def effective_database_url(self) -> str:
        """The database to use."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'filewright.db'}"

    @property
    def effective_storage_url(self) -> str:
        """The store to use."""
        return self.storage_url or f"file://{self.data_dir.absolute() / 'objects'}"

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in {"sqlite", "postgresql"}:
            raise ValueError("use sqlite:///file or postgresql://user:password@host/name")
        return value

    @field_validator("database_replica_urls", mode="before")
    @classmethod
    def _known_replicas(cls, value: object) -> object:
        parts = tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
        if isinstance(parts, tuple) and not all(urlsplit(str(part)).scheme == "postgresql" for part in parts):
            raise ValueError("use postgresql://user:password@host/name, and a comma between two")
        return parts

    @field_validator("processes", "database_pooler", mode="before")
    @classmethod
    def _numbers(cls, value: object) -> object:
        """`name=number` pairs, with commas between them."""
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        if not all(name.strip() and number.strip().isdigit() for name, _, number in pairs):
            raise ValueError("give names with numbers, as `name=3,other=5`")
        return {name.strip(): int(number) for name, _, number in pairs}

    @field_validator("storage_url")
    @classmethod
    def _known_storage(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in {"file", "s3", "memory"}:
            raise ValueError("use file:///directory or s3://bucket?endpoint=https://host")
        if value is not None and value.startswith("s3:"):
            parse_s3_address(value)
        return value

    @field_validator("cache_url", "redis_url")
    @classmethod
    def _known_redis(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in {"redis", "rediss", "sentinel"}:
            raise ValueError("use redis://:password@host:6379/0, rediss://… or sentinel://host:26379?service=name")
        return value

    @model_validator(mode="after")
    def _replicas_copy_something(self) -> Self:
        if self.database_replica_urls and urlsplit(self.effective_database_url).scheme != "postgresql":
            raise ValueError("database_replica_urls: only a database in PostgreSQL has replicas; set DATABASE_URL too")
        return self

    @model_validator(mode="after")
    def _cache_is_apart(self) -> Self:
        if self.cache_url is None:
            return self
        if self.redis_url is None:
            raise ValueError("cache_url: one process keeps what it needs itself; set it with FILEWRIGHT_REDIS_URL only")
        if urlsplit(self.cache_url).netloc.rpartition("@")[2] == urlsplit(self.redis_url).netloc.rpartition("@")[2]:
            raise ValueError(
                "cache_url: use another server than FILEWRIGHT_REDIS_URL; one forgets what is old, the other must not"
            )
        return self

    @model_validator(mode="after")
    def _keys_come_in_pairs(self) -> Self:
        if (self.s3_access_key_id is None) != (self.s3_secret_access_key is None):
            raise ValueError("s3_access_key_id: give the key and FILEWRIGHT_S3_SECRET_ACCESS_KEY, or neither")
        return self
