"""What must be true of a database and a bucket before a process works with them."""

from __future__ import annotations

from filewright.chassis.clock import SystemClock
from filewright.chassis.db.database import Database, DatabaseUnavailable
from filewright.chassis.db.migrations import is_behind
from filewright.chassis.db.pools import Budget, Pooler, PoolsTooLarge
from filewright.chassis.storage.bucket import open_bucket
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.bootstrap.platform import MIGRATIONS, Platform
from filewright.converter.settings import Settings, SettingsError

PATIENCE_SECONDS = 60.0
"""For a database that is away when a process begins."""
_PAUSE_SECONDS = 0.5

log = get_logger(__name__)


async def require_database(on: Platform, role: str) -> None:
    """A database of this version's schema, with room for this process and all others.

    One that is away is waited for: a process that ends instead, and is started again, is back later than the database.
    Raises SettingsError, and DatabaseUnavailable after PATIENCE_SECONDS.
    """
    until = on.clock.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            await require_schema(on.database)
            return await require_room(on, role)
        except DatabaseUnavailable:
            if on.clock.monotonic() >= until:
                raise
            log.warning("database_waited_for")
        await on.clock.sleep(_PAUSE_SECONDS)


async def require_room(on: Platform, role: str) -> None:
    """Raises SettingsError when the connections of all processes together do not fit into the database."""
    budget = await _budget(on.settings, on.database, role)
    if budget is not None and budget.allowed is None:
        log.warning("pooler_not_described", hint="FILEWRIGHT_DATABASE_POOLER=clients=…,servers=…")
    kept_apart = await on.database.row_security()
    if kept_apart is not None and not kept_apart.in_force:
        log.warning("row_security_bypassed", hint="connect as a role that is no superuser and has no BYPASSRLS")


async def _budget(settings: Settings, database: Database, role: str) -> Budget | None:
    said = settings.database_pooler
    pooler = None if said is None else Pooler(clients=said.clients, servers=said.servers)
    processes = {**settings.processes, role: max(1, settings.processes.get(role, 0))}
    try:
        return await database.check_pools(processes, pooler)
    except PoolsTooLarge as error:
        raise SettingsError(f"FILEWRIGHT_DATABASE_POOL_SIZE, FILEWRIGHT_PROCESSES: {error}") from None


async def require_schema(database: Database) -> None:
    """A process that does not own the database never changes its schema on the way.

    A newer schema is fine: each version's works for the version before it, so that processes are replaced one by one.
    """
    if is_behind(MIGRATIONS, await database.revision()):
        raise SettingsError("FILEWRIGHT_DATABASE_URL: the database is of an older version; run `filewright migrate`")


async def prepare_bucket(settings: Settings) -> None:
    """With the bucket's own keys; a machine that has its rights by role is its operator's to prepare."""
    if settings.s3_access_key_id is None or settings.s3_secret_access_key is None:
        return
    keys = (settings.s3_access_key_id, settings.s3_secret_access_key)
    async with open_bucket(settings.effective_storage_url, *keys, SystemClock()) as bucket:
        await bucket.prepare()
        missing = (await bucket.probe()).missing
    if missing:
        log.warning("bucket_lacks", capabilities=missing)
