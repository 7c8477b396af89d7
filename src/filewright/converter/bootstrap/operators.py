"""What an operator opens for one command, beside whatever runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from filewright.chassis.audit.alarms import Alarms
from filewright.chassis.audit.copies import Copies
from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.seals import Seals
from filewright.chassis.audit.verify import Verdict, verify
from filewright.chassis.audit.watch import Watch
from filewright.chassis.cache.port import Cache, Uncached
from filewright.chassis.clock import Clock, SystemClock
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.coordination.port import Notifier
from filewright.chassis.db.database import Database
from filewright.chassis.egress.client import Egress
from filewright.chassis.flags.service import Flags
from filewright.chassis.ids import IdSource, RandomIds
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.web.idempotency import IdempotencyKeys
from filewright.converter.accounts.people import People
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.bootstrap.checks import _budget, prepare_bucket, require_schema
from filewright.converter.bootstrap.people import people_on
from filewright.converter.bootstrap.platform import MIGRATIONS, database_of, secret_of, store_of, tenant_keys_of
from filewright.converter.jobs.steering.erasing import Eraser
from filewright.converter.jobs.steering.quarantine import Quarantine
from filewright.converter.settings import Settings


@dataclass(frozen=True)
class OperatorsDesk:
    """The adapters of `filewright admin`, which works beside whatever runs and hears no news."""

    settings: Settings
    clock: Clock
    ids: IdSource
    metrics: Metrics
    secret: bytes
    database: Database
    notifier: Notifier
    cache: Cache
    egress: Egress
    audit: Audit
    watch: Watch


async def migrate(settings: Settings) -> str:
    """`migrate`: bring the schema up to date and make the bucket ready; tells the schema's revision.

    Give it the database itself, not a pooler. Raises DatabaseUnavailable, StoreUnavailable.
    """
    database = Database(settings.effective_database_url)
    try:
        await database.migrate(MIGRATIONS)
        await prepare_bucket(settings)
        return str(await database.revision())
    finally:
        await database.close()


async def verify_audit(settings: Settings) -> Verdict:
    """`admin audit verify`: walk the chain, beside whatever runs. Raises SettingsError, DatabaseUnavailable."""
    database, seals = database_of(settings), Seals(secret_of(settings))
    store = store_of(settings, tenant_keys_of(settings, SystemClock()))
    try:
        await require_schema(database)
        copies = await Copies(database, store, Audit(database, seals), seals).all()
        return await verify(database, seals, copies)
    finally:
        await store.close()
        await database.close()


@dataclass(frozen=True)
class Console:
    """What an operator has at hand beside people."""

    flags: Flags
    quarantine: Quarantine
    database: Database
    audit: Audit


@asynccontextmanager
async def overseeing(settings: Settings) -> AsyncIterator[Console]:
    """`admin flag`, `quarantine`, `audit`: beside whatever runs. Raises SettingsError, DatabaseUnavailable."""
    clock, database = SystemClock(), database_of(settings)
    store = store_of(settings, tenant_keys_of(settings, clock))
    audit = Audit(database, Seals(secret_of(settings)))
    eraser = Eraser(database, store, Artifacts(database, store, RandomIds(clock)))
    try:
        await require_schema(database)
        quarantine = Quarantine(database, MemoryNotifier(), eraser, audit)
        yield Console(Flags(database, Uncached(), audit), quarantine, database, audit)
    finally:
        await store.close()
        await database.close()


@asynccontextmanager
async def administering(settings: Settings) -> AsyncIterator[People]:
    """`admin`: people, for one command. Running processes learn of it from the database.

    Raises SettingsError, DatabaseUnavailable.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    clock, metrics, database = SystemClock(), Metrics(), database_of(settings)
    audit = Audit(database, Seals(secret_of(settings)))
    desk = OperatorsDesk(
        settings=settings,
        clock=clock,
        ids=RandomIds(clock),
        metrics=metrics,
        secret=secret_of(settings),
        database=database,
        notifier=MemoryNotifier(),
        cache=Uncached(),
        egress=Egress(metrics=metrics),
        audit=audit,
        watch=Watch(database, audit, Alarms(clock, metrics), clock, metrics),
    )
    try:
        if database.dialect == "sqlite":  # the machine's own, which may never have been started
            await database.migrate(MIGRATIONS)
        await require_schema(database)
        yield people_on(desk, IdempotencyKeys(database, desk.ids, clock))
    finally:
        await database.close()


async def database_facts(settings: Settings) -> dict[str, Any]:
    """What `doctor` shows. Raises SettingsError, DatabaseUnavailable."""
    database = database_of(settings)
    try:
        await _budget(settings, database, "api" if settings.processes else "serve")
        kept_apart = await database.row_security()
        return {**database.facts(), **({} if kept_apart is None else {"row_security": asdict(kept_apart)})}
    finally:
        await database.close()
