"""What every process stands on: settings in, adapters out, each behind its port.

`_adapters` is where the two shapes differ.
"""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from filewright.chassis import failpoints
from filewright.chassis.audit.alarms import Alarms, parse_patterns
from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.seals import Seals
from filewright.chassis.audit.watch import Watch
from filewright.chassis.cache.memory import MemoryCache
from filewright.chassis.cache.port import NEWS, Cache
from filewright.chassis.clock import Clock, SystemClock
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.database import Database
from filewright.chassis.egress.client import Egress
from filewright.chassis.egress.wire import Policy
from filewright.chassis.flags.service import Flags
from filewright.chassis.ids import IdSource, RandomIds
from filewright.chassis.queue.embedded import EmbeddedQueue
from filewright.chassis.queue.port import LANES, TaskQueue
from filewright.chassis.quota.memory import MemoryLimiter
from filewright.chassis.quota.port import Limiter
from filewright.chassis.storage.encryption.master import MasterKeyFile
from filewright.chassis.storage.encryption.store import EncryptedStore
from filewright.chassis.storage.encryption.tenants import TenantKeys
from filewright.chassis.storage.obstore_store import open_store
from filewright.chassis.storage.port import ObjectStore
from filewright.chassis.telemetry.metrics import Metrics
from filewright.converter.settings import Settings, SettingsError
from filewright.converter.tiers import Tiers
from filewright.converter.tiers.file import TiersError
from filewright.converter.tiers.file import load as load_tiers

if TYPE_CHECKING:
    from filewright.converter.bootstrap.shared import Counted

MIGRATIONS = Path(__file__).parents[1] / "migrations"
_SECRET_BYTES = 48


class DataDirectoryInUse(SettingsError):
    """Another process serves from this data directory."""


@dataclass(frozen=True)
class Platform:
    """The adapters of this shape, each behind its port, and what every part of the program shares."""

    settings: Settings
    clock: Clock
    ids: IdSource
    metrics: Metrics
    secret: bytes
    database: Database
    store: ObjectStore
    keys: TenantKeys | None
    """With which files are encrypted; None where they are stored as they are."""
    notifier: Notifier
    queue: TaskQueue
    cache: Cache
    egress: Egress
    seals: Seals
    audit: Audit
    watch: Watch
    flags: Flags
    limiter: Limiter
    tiers: Tiers

    @property
    def alone(self) -> bool:
        """Whether this process is all there is."""
        return self.settings.redis_url is None

    @property
    def jobs_dir(self) -> Path:
        """Where workspaces are made."""
        return self.settings.data_dir.absolute() / "work"


class Desk(Protocol):
    """What everything about people stands on: a platform, or less where an operator sits down for a moment."""

    @property
    def settings(self) -> Settings: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def ids(self) -> IdSource: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def secret(self) -> bytes: ...
    @property
    def database(self) -> Database: ...
    @property
    def notifier(self) -> Notifier: ...
    @property
    def cache(self) -> Cache: ...
    @property
    def egress(self) -> Egress: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def watch(self) -> Watch: ...


@asynccontextmanager
async def opened_platform(settings: Settings, lanes: Sequence[str] = LANES) -> AsyncIterator[Platform]:
    """Open what everything stands on, and close it at the end."""
    failpoints.arm(settings.failpoints)
    tiers = _tiers(settings)
    with _owned(settings.data_dir):
        clock = SystemClock()
        secret = secret_of(settings)
        notifier, queue = _adapters(settings, secret, lanes)
        cache = _cache(settings, secret, clock, notifier)
        keys = tenant_keys_of(settings, clock)
        metrics, database, seals = Metrics(process=True), database_of(settings), Seals(secret)
        audit = Audit(database, seals)
        counted = _counted(settings, clock)
        bursts = None if counted is None else counted.bursts
        alarms = Alarms(clock, metrics, parse_patterns(settings.alarms), bursts)
        on = Platform(
            settings=settings,
            clock=clock,
            ids=RandomIds(clock),
            metrics=metrics,
            secret=secret,
            database=database,
            store=store_of(settings, keys),
            keys=keys,
            notifier=notifier,
            queue=queue,
            cache=cache,
            egress=Egress(Policy(tuple(map(ip_network, settings.egress_allow))), metrics=metrics),
            seals=seals,
            audit=audit,
            watch=Watch(database, audit, alarms, clock, metrics),
            flags=Flags(database, cache, audit),
            limiter=MemoryLimiter(clock) if counted is None else counted.limiter,
            tiers=tiers,
        )
        try:
            async with notifier.follow(NEWS, cache.hear):
                yield on
        finally:
            await cache.close()
            if counted is not None:
                await counted.close()
            await on.queue.close()
            await on.notifier.close()
            await on.store.close()
            await on.database.close()


def tenant_keys_of(settings: Settings, clock: Clock) -> TenantKeys | None:
    """Beside the master key, so apart from the database and the files."""
    path = settings.master_key_file
    if path is None:
        return None
    return TenantKeys(path.with_name(f"{path.name}.tenants"), MasterKeyFile(path), clock)


def store_of(settings: Settings, keys: TenantKeys | None) -> ObjectStore:
    plain = open_store(
        settings.effective_storage_url,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=settings.s3_secret_access_key,
    )
    return plain if keys is None else EncryptedStore(plain, keys)


def _adapters(settings: Settings, secret: bytes, lanes: Sequence[str]) -> tuple[Notifier, TaskQueue]:
    """Embedded: memory, for one process. Distributed: Redis, which may be lost at any moment without losing a job."""
    if settings.redis_url is None:
        return MemoryNotifier(), EmbeddedQueue()
    from filewright.converter.bootstrap import shared  # noqa: PLC0415 - one process needs no Redis in its memory

    return shared.adapters(settings.redis_url, secret, lanes)


def _cache(settings: Settings, secret: bytes, clock: Clock, notifier: Notifier) -> MemoryCache:
    """Embedded: this process's memory. Distributed: over a Redis of its own, where there is one; never the broker's."""
    if settings.cache_url is None:
        return MemoryCache(clock, notifier=notifier)
    from filewright.converter.bootstrap import shared  # noqa: PLC0415 - as above

    far = shared.far_cache(settings.cache_url, secret, clock, answer_seconds=settings.redis_answer_seconds)
    return MemoryCache(clock, far=far, notifier=notifier)


def _counted(settings: Settings, clock: Clock) -> Counted | None:
    """Where all processes count together; that of the cache, if there is one. None: this process counts, alone."""
    url = settings.cache_url or settings.redis_url
    if url is None:
        return None
    from filewright.converter.bootstrap import shared  # noqa: PLC0415 - as above

    return shared.Counted(url, clock, answer_seconds=settings.redis_answer_seconds)


def _tiers(settings: Settings) -> Tiers:
    try:
        return load_tiers(settings.tiers_file)
    except TiersError as error:
        raise SettingsError(f"FILEWRIGHT_TIERS_FILE: {error}") from None


def database_of(settings: Settings) -> Database:
    return Database(
        settings.effective_database_url,
        pool_size=settings.database_pool_size,
        replicas=settings.database_replica_urls,
    )


@contextmanager
def _owned(data_dir: Path) -> Iterator[None]:
    """Hold the data directory for this process alone; the lock goes with the process, however it ends."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / "lock").open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirectoryInUse(
                f"FILEWRIGHT_DATA_DIR: another Filewright serves from {data_dir}; stop it, or name another directory"
            ) from None
        yield


def secret_of(settings: Settings) -> bytes:
    """The server's secret: the operator's file, or one of our own, made at the first start."""
    path = settings.secret_key_file or settings.data_dir / "secret.key"
    if not path.exists():
        made = path.with_suffix(".new")
        made.touch(mode=0o600)
        made.write_bytes(secrets.token_urlsafe(_SECRET_BYTES).encode())
        made.replace(path)
    return path.read_bytes().strip()
