"""The composition root: settings in, wired services out. Read it from top to bottom to know all there is.

    serve    = api + worker + upkeep in one process, on SQLite, a folder and memory          (embedded)
    api      = requests and pages, and the relay of what they order         ┐ on PostgreSQL, Redis
    worker   = slots that convert                                           │ and S3, any number of
    beat     = upkeep, by whichever of them leads                           ┘ each (distributed)

Everything else takes what it needs in its constructor; only this module knows which adapter stands behind which port.
`_adapters` is where the two shapes differ.
"""

from __future__ import annotations

import asyncio
import fcntl
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Protocol

from filewright.chassis import failpoints
from filewright.chassis.audit.alarms import Alarms, parse_patterns
from filewright.chassis.audit.bursts import SharedBursts
from filewright.chassis.audit.copies import EVERY_SECONDS as COPY_SECONDS
from filewright.chassis.audit.copies import Copies
from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.seals import Seals
from filewright.chassis.audit.verify import Verdict, verify
from filewright.chassis.audit.watch import BATCH as NOTES_BATCH
from filewright.chassis.audit.watch import EVERY_SECONDS as WATCH_SECONDS
from filewright.chassis.audit.watch import Watch
from filewright.chassis.cache.memory import MemoryCache
from filewright.chassis.cache.optional_redis import OptionalRedis
from filewright.chassis.cache.port import NEWS, Cache, Uncached
from filewright.chassis.cache.redis_level import RedisLevel
from filewright.chassis.clock import Clock, SystemClock
from filewright.chassis.coordination.leader import Leader
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.coordination.port import Notifier
from filewright.chassis.coordination.redis_notifier import RedisNotifier
from filewright.chassis.coordination.ticks import Beat
from filewright.chassis.db.database import Database
from filewright.chassis.db.materialized import keeps_views
from filewright.chassis.db.migrations import is_behind
from filewright.chassis.db.pools import Budget, Pooler, PoolsTooLarge
from filewright.chassis.db.sessions import WriteSession
from filewright.chassis.egress.client import Egress
from filewright.chassis.egress.wire import Policy
from filewright.chassis.flags.guard import EVERY_SECONDS as GUARD_SECONDS
from filewright.chassis.flags.guard import FlagGuard
from filewright.chassis.flags.service import Flags
from filewright.chassis.identity.access import BELIEVED, AccessTokens
from filewright.chassis.identity.known_passwords import AnyOf, BreachedPasswords, FrequentPasswords
from filewright.chassis.identity.marks import SessionMarks
from filewright.chassis.identity.oidc import Provider
from filewright.chassis.identity.passwords import Passwords
from filewright.chassis.identity.refresh import RefreshTokens
from filewright.chassis.identity.sessions import LOOK_SECONDS as SESSIONS_SECONDS
from filewright.chassis.identity.sessions import NEWS as SESSION_NEWS
from filewright.chassis.identity.sessions import End, Sessions, UserSessionRow
from filewright.chassis.identity.signing import REFRESH_SECONDS as SIGNING_SECONDS
from filewright.chassis.identity.signing import SigningKeys
from filewright.chassis.ids import IdSource, RandomIds
from filewright.chassis.mail.folder import FolderMail
from filewright.chassis.mail.outbox import TOPIC as MAIL
from filewright.chassis.mail.outbox import MailOutbox
from filewright.chassis.mail.port import Mail
from filewright.chassis.mail.smtp import SmtpMail
from filewright.chassis.queue.celery_queue import CeleryQueue
from filewright.chassis.queue.embedded import EmbeddedQueue
from filewright.chassis.queue.outbox import TOPIC as OUTBOX
from filewright.chassis.queue.port import LANES, TaskQueue
from filewright.chassis.queue.relay import APART_SECONDS, BATCH, Relay
from filewright.chassis.quota.memory import MemoryLimiter
from filewright.chassis.quota.port import Limiter
from filewright.chassis.quota.shared import SharedLimiter
from filewright.chassis.sandbox.absent import NoSandbox
from filewright.chassis.sandbox.port import Sandbox, SandboxLevel
from filewright.chassis.sandbox.runner import open_sandbox
from filewright.chassis.sandbox.workspace import Workspace, sweep
from filewright.chassis.scanning.address import parse_addresses
from filewright.chassis.scanning.nothing import NoScanner
from filewright.chassis.scanning.port import Scanner
from filewright.chassis.scanning.several import ClamdPool
from filewright.chassis.sealing import Box, derived
from filewright.chassis.storage.bucket import open_bucket
from filewright.chassis.storage.encryption.master import MasterKeyFile
from filewright.chassis.storage.encryption.store import EncryptedStore
from filewright.chassis.storage.encryption.tenants import TenantKeys
from filewright.chassis.storage.obstore_store import open_store
from filewright.chassis.storage.port import ObjectStore
from filewright.chassis.tasks import ended
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.web.idempotency import IdempotencyKeys
from filewright.chassis.web.request_log import BATCH as REQUESTS_BATCH
from filewright.chassis.web.request_log import RequestLog
from filewright.converter.accounts.api_keys import LOOK_SECONDS as KEYS_SECONDS
from filewright.converter.accounts.api_keys import ApiKeys
from filewright.converter.accounts.choosing import Choosing
from filewright.converter.accounts.codes import Codes
from filewright.converter.accounts.cookies import Cookies
from filewright.converter.accounts.elsewhere import Elsewhere
from filewright.converter.accounts.letters import Letters
from filewright.converter.accounts.people import People
from filewright.converter.accounts.private import PrivateAnswers
from filewright.converter.accounts.service import FACTS, AccountRules, Accounts
from filewright.converter.admin.networks import LOOK_SECONDS as NETWORKS_SECONDS
from filewright.converter.admin.networks import Listed, NetworkLists
from filewright.converter.admin.outcomes import JobOutcomes
from filewright.converter.admin.service import Oversight
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.billing.closing import BATCH as CLOSING_BATCH
from filewright.converter.billing.closing import EVERY_SECONDS as CLOSING_SECONDS
from filewright.converter.billing.closing import Closing
from filewright.converter.billing.invoices import Invoices
from filewright.converter.billing.nothing import NoBilling
from filewright.converter.billing.port import Billing
from filewright.converter.billing.stripe import StripeBilling
from filewright.converter.choices.service import Choices
from filewright.converter.conversion.converter import Converter
from filewright.converter.engines.font_packs import read_fonts, with_fonts
from filewright.converter.engines.libreoffice_warm import standing, try_warm
from filewright.converter.engines.plugins.gathering import gather
from filewright.converter.engines.registry import Registry
from filewright.converter.jobs import repository as jobs_repository
from filewright.converter.jobs.admission import EVERY_SECONDS as ADMISSION_SECONDS
from filewright.converter.jobs.admission import Admission
from filewright.converter.jobs.erasing import Eraser
from filewright.converter.jobs.fetching import Fetching
from filewright.converter.jobs.lease import LeaseRules
from filewright.converter.jobs.lookout import EVERY_SECONDS as LOOKOUT_SECONDS
from filewright.converter.jobs.lookout import OWN_LOOK_SECONDS, Lookout
from filewright.converter.jobs.ordering import JobRules
from filewright.converter.jobs.quarantine import Quarantine
from filewright.converter.jobs.readiness import Readiness
from filewright.converter.jobs.runner import JobRunner
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.jobs.service import Jobs
from filewright.converter.jobs.worker import Worker, WorkerRules
from filewright.converter.maintenance.depth import depth
from filewright.converter.maintenance.dispatcher import Dispatcher
from filewright.converter.maintenance.leadership import CAMPAIGN_SECONDS, Leadership
from filewright.converter.maintenance.loops import Loop, Loops
from filewright.converter.maintenance.orphans import BATCH as ORPHANS_BATCH
from filewright.converter.maintenance.orphans import OrphanCollector
from filewright.converter.maintenance.partitions import EVERY_SECONDS as PARTITIONS_SECONDS
from filewright.converter.maintenance.partitions import Partitions, partitioned
from filewright.converter.maintenance.pruner import Pruner
from filewright.converter.maintenance.rescuer import Rescuer
from filewright.converter.maintenance.rewrapping import EVERY_SECONDS as ROTATING_SECONDS
from filewright.converter.maintenance.rewrapping import Rewrapping
from filewright.converter.maintenance.tampering import EVERY_SECONDS as TAMPERING_SECONDS
from filewright.converter.maintenance.tampering import TamperCheck
from filewright.converter.maintenance.telling import AlarmCalls, AlarmLetters
from filewright.converter.maintenance.vitals import Facts, no_facts
from filewright.converter.migrations.tables import metadata
from filewright.converter.operations.chains import Operations
from filewright.converter.operations.registry import Operators
from filewright.converter.operations.standard import standard_operators
from filewright.converter.privacy.certificates import Signer
from filewright.converter.privacy.erasing import TOPIC as ERASURES_TOPIC
from filewright.converter.privacy.erasing import Erasures, Leaving
from filewright.converter.privacy.exporting import Exports
from filewright.converter.reports.service import LOOK_SECONDS as REPORTS_SECONDS
from filewright.converter.reports.service import Reports
from filewright.converter.settings import DEFAULT_REQUEST_LOG_DAYS, Settings, SettingsError
from filewright.converter.tier_file import TiersError
from filewright.converter.tier_file import load as load_tiers
from filewright.converter.tiers import Tiers
from filewright.converter.uploads.imports import Imports
from filewright.converter.uploads.service import Uploads
from filewright.converter.webhooks.fanout import BATCH as FANOUT_BATCH
from filewright.converter.webhooks.fanout import FanOut
from filewright.converter.webhooks.sender import Sender
from filewright.converter.webhooks.service import Webhooks

log = get_logger(__name__)

MIGRATIONS = Path(__file__).with_name("migrations")
_SECRET_BYTES = 48
_LEVELS = {level.name.lower(): level for level in SandboxLevel}
_DRAIN_SECONDS = 20.0
_NEVER_MORE = 1_000_000
"""Of a loop that does in one run all there is."""


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


@dataclass(frozen=True)
class Features:
    """What the product can do, apart from running jobs: what requests and upkeep ask."""

    artifacts: Artifacts
    uploads: Uploads
    choices: Choices
    jobs: Jobs
    idempotency: IdempotencyKeys
    eraser: Eraser
    reports: Reports
    admission: Admission
    invoices: Invoices
    fetching: Fetching
    people: People
    erasures: Erasures
    exports: Exports
    webhooks: Webhooks
    oversight: Oversight
    quarantine: Quarantine
    networks: NetworkLists


@dataclass(frozen=True)
class Services(Platform, Features):
    """A process of the service, wired: all of both, and what runs. `running` is entered while it serves."""

    converter: Converter
    operations: Operations
    loops: Loops
    sandbox: Sandbox | None = None
    """None where no engine runs."""
    scanner: Scanner | None = None
    """None where no file is opened."""
    worker: Worker | None = None
    """None where no job runs."""
    requests: RequestLog | None = None
    """None where requests are not written down."""
    sender: Sender | None = None
    """None where no webhook is sent."""
    facts: Facts = no_facts
    """What this process tells of itself beside its slots."""


def _operations(on: Platform, converter: Converter, sandbox: Sandbox) -> Operations:
    """Everything else that can be done with files here."""
    return Operations(Operators(standard_operators()), converter, sandbox, clock=on.clock)


MakeConverter = Callable[[Sandbox, Clock], Converter]
"""What each process is given to convert with, or to plan with where it runs no engine, instead of what is installed."""


def _converter(on: Platform, sandbox: Sandbox, make: MakeConverter | None) -> Converter:
    """Drives every engine that is installed here. Raises SettingsError for a broken plug-in, if it is to be strict."""
    if make is not None:
        return make(sandbox, on.clock)
    found = gather(on.settings.engines_dir)
    if found.problems and on.settings.engines_strict:
        raise SettingsError("\n".join(["FILEWRIGHT_ENGINES_STRICT: mend these engines", *map(str, found.problems)]))
    for problem in found.problems:
        log.warning("engine_left_out", problem=str(problem))
    return Converter(Registry(found.engines), sandbox, clock=on.clock)


# --- the processes -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def build(settings: Settings, make_converter: MakeConverter | None = None) -> AsyncIterator[Services]:
    """`serve`: everything in this process. Brings the schema up to date first.

    Raises SettingsError, DatabaseUnavailable, StoreUnavailable, or SandboxUnavailable when this machine gives less
    than the settings ask for.
    """
    if settings.redis_url is not None:
        raise SettingsError(
            "FILEWRIGHT_REDIS_URL: `serve` is one process; use the roles api, worker and beat, or unset it"
        )
    async with _platform(settings) as on, _sandbox(on) as sandbox:
        await on.database.migrate(MIGRATIONS)
        await _require_room(on, "serve")
        await on.store.sweep()
        converter = _converter(on, sandbox, make_converter)
        operations = _operations(on, converter, sandbox)
        features = _features(on, converter, operations)
        rescuer = Rescuer(on.database, on.notifier, on.metrics, on.audit)
        scanner = _scanner(on)
        worker = _worker(on, converter, operations, features, scanner)
        # Nobody else works on this database: whoever held a lease in it, or was answering a keyed request, is dead.
        await rescuer.adopt(worker.instance)
        await features.idempotency.abandon_all()
        requests, sender = _request_log(on, default=0), _sender(on)
        loops = _loops(
            on,
            _lookout(on),
            *_relaying(on, features),
            *_watching(features),
            *_knowing(on, features.people),
            *_telling(on, sender),
            *_upkeep(on, features, rescuer),
            *_recording(requests),
        )
        async with _people_known(on, features.people):
            services = _services(on, features, converter, operations, loops, sandbox, worker)
            yield replace(services, requests=requests, scanner=scanner, sender=sender)


@asynccontextmanager
async def build_api(settings: Settings, make_converter: MakeConverter | None = None) -> AsyncIterator[Services]:
    """`api`: answers requests and runs no engine. Any number of them share the database, the bucket and Redis.

    Raises as `build`, and SettingsError when `filewright migrate` has not been run for this version.
    """
    async with _platform(settings) as on:
        await _require_database(on, "api")
        converter = _converter(on, NoSandbox(), make_converter)
        operations = _operations(on, converter, NoSandbox())
        features = _features(on, converter, operations)
        requests = _request_log(on, default=DEFAULT_REQUEST_LOG_DAYS)
        front = (_lookout(on), *_relaying(on, features), *_watching(features), *_knowing(on, features.people))
        loops = _loops(on, *front, *_recording(requests))
        async with _people_known(on, features.people):
            yield replace(_services(on, features, converter, operations, loops), requests=requests)


@asynccontextmanager
async def build_worker(
    settings: Settings, lanes: Sequence[str] = LANES, make_converter: MakeConverter | None = None
) -> AsyncIterator[Services]:
    """`worker`: runs jobs of these lanes in its slots and answers nobody. Raises as `build_api`."""
    async with _platform(settings, lanes) as on, _sandbox(on) as sandbox:
        await _require_database(on, "worker")
        converter = _converter(on, sandbox, make_converter)
        operations = _operations(on, converter, sandbox)
        features = _features(on, converter, operations)
        scanner = _scanner(on)
        worker = _worker(on, converter, operations, features, scanner, lanes)

        async def facts() -> Mapping[str, Any]:
            return {"lanes": list(lanes), "scanner": dict(scanner.facts()), "office": standing(sandbox).facts()}

        yield replace(
            _services(on, features, converter, operations, _loops(on), sandbox, worker), facts=facts, scanner=scanner
        )


@asynccontextmanager
async def build_beat(settings: Settings, make_converter: MakeConverter | None = None) -> AsyncIterator[Services]:
    """`beat`: upkeep. Of several, one leads and the others wait for its end. Raises as `build_api`."""
    async with _platform(settings) as on:
        await _require_database(on, "beat")
        converter = _converter(on, NoSandbox(), make_converter)
        operations = _operations(on, converter, NoSandbox())
        features = _features(on, converter, operations)
        rescuer = Rescuer(on.database, on.notifier, on.metrics, on.audit)
        leadership = Leadership(Leader(on.database, "upkeep"), on.clock)
        led = (replace(loop, run_once=leadership.led(loop.run_once)) for loop in _upkeep(on, features, rescuer))
        campaign = Loop("leadership", leadership.campaign_once, every=CAMPAIGN_SECONDS)
        sender = _sender(on)
        loops = _loops(on, campaign, *_relaying(on, features), *_telling(on, sender), *led)

        async def facts() -> Mapping[str, Any]:
            if not leadership.leads:
                return {"leads": False}
            return {"leads": True, "queue": (await depth(on.database)).as_json()}

        try:
            yield replace(_services(on, features, converter, operations, loops), sender=sender, facts=facts)
        finally:
            await leadership.resign()


async def migrate(settings: Settings) -> str:
    """`migrate`: bring the schema up to date and make the bucket ready; tells the schema's revision.

    Give it the database itself, not a pooler. Raises DatabaseUnavailable, StoreUnavailable.
    """
    database = Database(settings.effective_database_url)
    try:
        await database.migrate(MIGRATIONS)
        await _prepare_bucket(settings)
        return str(await database.revision())
    finally:
        await database.close()


async def verify_audit(settings: Settings) -> Verdict:
    """`admin audit verify`: walk the chain, beside whatever runs. Raises SettingsError, DatabaseUnavailable."""
    database, seals = _database(settings), Seals(_secret(settings))
    store = _store(settings, _keys(settings, SystemClock()))
    try:
        await _require_schema(database)
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
    clock, database = SystemClock(), _database(settings)
    store = _store(settings, _keys(settings, clock))
    audit = Audit(database, Seals(_secret(settings)))
    eraser = Eraser(database, store, Artifacts(database, store, RandomIds(clock)))
    try:
        await _require_schema(database)
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
    clock, metrics, database = SystemClock(), Metrics(), _database(settings)
    audit = Audit(database, Seals(_secret(settings)))
    desk = OperatorsDesk(
        settings=settings,
        clock=clock,
        ids=RandomIds(clock),
        metrics=metrics,
        secret=_secret(settings),
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
        await _require_schema(database)
        yield _people(desk, IdempotencyKeys(database, desk.ids, clock))
    finally:
        await database.close()


@asynccontextmanager
async def running(services: Services, *, grace: float = _DRAIN_SECONDS) -> AsyncIterator[None]:
    """The loops and the slots, for as long as the context lasts. Jobs that run at its end get a while, then go back."""
    tasks = [asyncio.create_task(services.loops.run(), name="loops")]
    if services.worker is not None:
        tasks.append(asyncio.create_task(services.worker.run(), name="worker"))
    try:
        yield
    finally:
        if services.worker is not None:
            await services.worker.stop(grace)
        await ended(tasks)
        if services.sender is not None:
            await services.sender.close()
        await services.choices.close()
        await services.people.close()
        await services.watch.close()
        if services.requests is not None:
            await services.requests.close()


# --- their parts -------------------------------------------------------------------------------------------------


def _services(
    on: Platform,
    features: Features,
    converter: Converter,
    operations: Operations,
    loops: Loops,
    sandbox: Sandbox | None = None,
    worker: Worker | None = None,
) -> Services:
    return Services(
        **vars(on),
        **vars(features),
        converter=converter,
        operations=operations,
        loops=loops,
        sandbox=sandbox,
        worker=worker,
    )


@asynccontextmanager
async def _platform(settings: Settings, lanes: Sequence[str] = LANES) -> AsyncIterator[Platform]:
    """Open what everything stands on, and close it at the end."""
    failpoints.arm(settings.failpoints)
    tiers = _tiers(settings)
    with _owned(settings.data_dir):
        clock = SystemClock()
        secret = _secret(settings)
        notifier, queue = _adapters(settings, secret, lanes)
        cache = _cache(settings, secret, clock, notifier)
        keys = _keys(settings, clock)
        metrics, database, seals = Metrics(process=True), _database(settings), Seals(secret)
        audit = Audit(database, seals)
        counted = _counted(settings, clock)
        bursts = None if counted is None else SharedBursts(counted, clock)
        alarms = Alarms(clock, metrics, parse_patterns(settings.alarms), bursts)
        on = Platform(
            settings=settings,
            clock=clock,
            ids=RandomIds(clock),
            metrics=metrics,
            secret=secret,
            database=database,
            store=_store(settings, keys),
            keys=keys,
            notifier=notifier,
            queue=queue,
            cache=cache,
            egress=Egress(Policy(tuple(map(ip_network, settings.egress_allow))), metrics=metrics),
            seals=seals,
            audit=audit,
            watch=Watch(database, audit, alarms, clock, metrics),
            flags=Flags(database, cache, audit),
            limiter=MemoryLimiter(clock) if counted is None else SharedLimiter(counted, clock),
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


def _keys(settings: Settings, clock: Clock) -> TenantKeys | None:
    """Beside the master key, so apart from the database and the files."""
    path = settings.master_key_file
    if path is None:
        return None
    return TenantKeys(path.with_name(f"{path.name}.tenants"), MasterKeyFile(path), clock)


def _store(settings: Settings, keys: TenantKeys | None) -> ObjectStore:
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
    return RedisNotifier(settings.redis_url), CeleryQueue(settings.redis_url, secret, lanes=lanes)


def _cache(settings: Settings, secret: bytes, clock: Clock, notifier: Notifier) -> MemoryCache:
    """Embedded: this process's memory. Distributed: over a Redis of its own, where there is one; never the broker's."""
    far = None if settings.cache_url is None else RedisLevel(settings.cache_url, secret, clock)
    return MemoryCache(clock, far=far, notifier=notifier)


def _counted(settings: Settings, clock: Clock) -> OptionalRedis | None:
    """Where all processes count together; that of the cache, if there is one. None: this process counts, alone."""
    url = settings.cache_url or settings.redis_url
    return None if url is None else OptionalRedis(url, clock)


def _tiers(settings: Settings) -> Tiers:
    try:
        return load_tiers(settings.tiers_file)
    except TiersError as error:
        raise SettingsError(f"FILEWRIGHT_TIERS_FILE: {error}") from None


@asynccontextmanager
async def _sandbox(on: Platform) -> AsyncIterator[Sandbox]:
    sweep(on.jobs_dir)
    fonts = on.settings.fonts
    common = with_fonts(fonts, on.jobs_dir)
    sandbox = await open_sandbox(jobs_dir=on.jobs_dir, minimum=_LEVELS[on.settings.sandbox], common=common)
    try:
        if fonts is not None:
            await read_fonts(sandbox, on.jobs_dir)
        await _prepare_office(on, sandbox)
        yield sandbox
    finally:
        await sandbox.close()


async def _prepare_office(on: Platform, sandbox: Sandbox) -> None:
    """By default LibreOffice is warmed when its third document comes: until then it costs no memory."""
    if on.settings.office == "cold":
        standing(sandbox).keep_cold("FILEWRIGHT_OFFICE asks for it")
    elif on.settings.office == "ready":
        with Workspace.create(on.jobs_dir) as workspace:
            await try_warm(sandbox, workspace.tmp)


def _features(on: Platform, converter: Converter, operations: Operations) -> Features:
    scratch = on.settings.data_dir.absolute() / "scratch"
    sweep(scratch)
    scratch.mkdir(mode=0o700, exist_ok=True)
    artifacts = Artifacts(on.database, on.store, on.ids)
    uploads = Uploads(
        database=on.database,
        store=on.store,
        artifacts=artifacts,
        ids=on.ids,
        scratch=scratch,
        in_use=jobs_repository.has_a_right_to,
        spared=on.metrics.counter("bytes_not_stored_twice", "Bytes of uploads that their tenant had already.").inc,
    )
    choices = Choices(on.database, on.clock, learning=on.settings.learned_targets)
    eraser = Eraser(on.database, on.store, artifacts)
    jobs = Jobs(
        database=on.database,
        sources=uploads,
        files=artifacts,
        planner=converter,
        operations=operations,
        notifier=on.notifier,
        ids=on.ids,
        sealer=Sealer(on.secret),
        erase_files=eraser.erase,
        chosen=choices.count,
        cache=on.cache,
        rules=JobRules(look_again=OWN_LOOK_SECONDS),
    )
    idempotency = IdempotencyKeys(on.database, on.ids, on.clock)
    reports = Reports(on.database, on.cache, on.clock)
    fetching = Fetching(Imports(on.egress, uploads), uploads, on.egress, on.flags)
    people = _people(on, idempotency)
    admission = Admission(on.database, on.clock, scratch, on.metrics)
    invoices = Invoices(on.database, uploads, jobs)
    oversight = Oversight(on.database, on.audit, on.flags, people.accounts, on.tiers)
    webhooks = Webhooks(on.database, on.egress, Sealer(on.secret), on.secret, on.ids, on.audit)
    signer = Signer(on.secret)
    erasures = Erasures(
        on.database,
        on.store,
        on.ids,
        signer,
        on.notifier,
        metadata,
        audit=on.audit,
        keys=on.keys,
        leaving=[_signing_off(people)],
    )
    return Features(
        artifacts=artifacts,
        uploads=uploads,
        choices=choices,
        jobs=jobs,
        idempotency=idempotency,
        eraser=eraser,
        reports=reports,
        admission=admission,
        invoices=invoices,
        fetching=fetching,
        people=people,
        erasures=erasures,
        exports=Exports(on.database, artifacts, metadata, on.audit),
        webhooks=webhooks,
        oversight=oversight,
        quarantine=Quarantine(on.database, on.notifier, eraser, on.audit),
        networks=_networks(on),
    )


def _networks(on: Platform) -> NetworkLists:
    settings = on.settings
    named = {
        Listed.ALLOWED: settings.allowed_networks,
        Listed.BLOCKED: settings.blocked_networks,
        Listed.UNLIMITED: settings.unlimited_networks,
    }
    return NetworkLists(on.database, on.audit, on.ids, named)


def _signing_off(people: People) -> Leaving:
    """No token and no key of an account is good from the moment on in which it leaves."""

    async def sign_off(session: WriteSession, tenant: str) -> None:
        await people.sessions.end(session, UserSessionRow.tenant == tenant, why=End.BY_OWNER)
        await people.keys.revoke_all(session, tenant)

    return sign_off


def _people(on: Desk, idempotency: IdempotencyKeys) -> People:
    settings, database = on.settings, on.database
    known = FrequentPasswords()
    breached = settings.breached_passwords_file
    signing = SigningKeys(
        database, Box(on.secret, "filewright signing keys"), on.ids, on.clock, on.audit, token_life=BELIEVED
    )
    access = AccessTokens(signing, on.ids, on.clock, service="filewright", facts=FACTS)
    refresh = RefreshTokens(derived(on.secret, "filewright refresh tokens"))
    sessions = Sessions(database, refresh, on.ids, on.clock, on.notifier, on.audit)
    outbox = MailOutbox(
        database, _mail(settings), Box(on.secret, "filewright letters"), on.ids, on.metrics, on.notifier
    )
    codes = Codes(database)
    accounts = Accounts(
        database=database,
        passwords=Passwords(),
        choosing=Choosing(AnyOf(known, BreachedPasswords(breached)) if breached else known),
        codes=codes,
        sessions=sessions,
        access=access,
        outbox=outbox,
        letters=Letters(settings.public_url),
        ids=on.ids,
        rules=AccountRules(open_to_all=settings.registration == "open", verified_only=settings.mail_url is not None),
        audit=on.audit,
        watch=on.watch,
    )
    keys = ApiKeys(database, on.cache, on.ids, on.clock, on.audit)
    private = PrivateAnswers(idempotency, on.secret)
    offered = settings.provider
    provider = Provider(offered, on.egress, on.clock) if offered is not None else None
    box = Box(on.secret, "filewright sign-ins elsewhere")
    elsewhere = Elsewhere(provider, accounts, keys, database, box, on.clock, on.audit, on.watch)
    marks = SessionMarks(derived(on.secret, "filewright session cookies"))
    cookies = Cookies(marks, sessions, database, on.cache)
    patterns = parse_patterns(settings.alarms)
    if settings.alarm_mail is not None:
        on.watch.tell(AlarmLetters(outbox, settings.alarm_mail, patterns).tell)
    if settings.alarm_url is not None:
        on.watch.tell_afterwards(AlarmCalls(on.egress, settings.alarm_url, patterns, on.audit.mark).tell)
    return People(
        accounts, keys, elsewhere, codes, sessions, cookies, access, signing, outbox, private, on.clock, on.watch
    )


def _mail(settings: Settings) -> Mail:
    """By SMTP where there is a server; else into a folder, for the operator to look at."""
    server = settings.mail_server
    if server is None:
        return FolderMail(settings.data_dir.absolute() / "letters", settings.mail_from)
    return SmtpMail(server, settings.mail_from)


def _scanner(on: Platform) -> Scanner:
    """What looks at files before they are opened. To convert without any is the operator's choice, and is said."""
    found = scanner_of(on.settings, on.clock, on.metrics)
    if not found.active:
        log.info("files_are_not_scanned", hint="FILEWRIGHT_CLAMD_URL=unix:///run/clamav/clamd.ctl")
    return found


def scanner_of(settings: Settings, clock: Clock, metrics: Metrics) -> Scanner:
    """The scanner that these settings name."""
    if settings.clamd_url is None or settings.scanning == "off":
        return NoScanner()
    return ClamdPool(parse_addresses(settings.clamd_url), clock, metrics)


def _worker(
    on: Platform,
    converter: Converter,
    operations: Operations,
    features: Features,
    scanner: Scanner,
    lanes: Sequence[str] = LANES,
) -> Worker:
    runner = JobRunner(
        database=on.database,
        store=on.store,
        files=features.artifacts,
        converter=converter,
        operations=operations,
        notifier=on.notifier,
        ids=on.ids,
        clock=on.clock,
        sealer=Sealer(on.secret),
        jobs_dir=on.jobs_dir,
        instance=on.ids.new("wrk"),
        metrics=on.metrics,
        watch=on.watch,
        rules=_lease_rules(on.settings.lease_seconds),
        scanner=scanner,
    )
    return Worker(
        runner,
        on.queue,
        clock=on.clock,
        metrics=on.metrics,
        rules=WorkerRules(slots=on.settings.slots, lanes=lanes),
        may_claim=Readiness(on.store, on.jobs_dir, on.clock, scanner=scanner),
    )


def _lease_rules(seconds: float) -> LeaseRules:
    return LeaseRules(lease=seconds, heartbeat=seconds / 6, margin=seconds / 3)


def _lookout(on: Platform) -> Loop:
    """What every process does in which somebody waits for news of jobs."""
    return Loop("lookout", Lookout(on.database, on.notifier).run_once, every=LOOKOUT_SECONDS)


def _relaying(on: Platform, features: Features) -> tuple[Loop, ...]:
    """What every process that takes orders does beside them. Any number may do it at once."""
    return (
        Loop("relay", Relay(on.database, on.queue).run_once, every=1.0, topic=OUTBOX, batch=BATCH, apart=APART_SECONDS),
        Loop("choices", features.choices.exchange_once, every=5.0, batch=_NEVER_MORE),
    )


@asynccontextmanager
async def _people_known(on: Platform, people: People) -> AsyncIterator[None]:
    """While in the block, tokens can be made and checked, and news of sessions that end is heard."""
    async with on.notifier.follow(SESSION_NEWS, people.sessions.hear):
        await people.open()
        yield


def _knowing(on: Platform, people: People) -> tuple[Loop, ...]:
    """What every process that answers requests does to know whom to believe."""
    return (
        Loop("sessions", people.sessions.look_once, every=SESSIONS_SECONDS),
        Loop("keys", people.keys.look_once, every=KEYS_SECONDS),
        Loop("key-uses", people.keys.write_uses_once, every=15.0, batch=_NEVER_MORE),
        Loop("signing-keys", people.signing.refresh_once, every=SIGNING_SECONDS),
        Loop("mail", people.outbox.send_once, every=5.0, topic=MAIL),
    )


def _watching(features: Features) -> tuple[Loop, ...]:
    """What every process does that takes orders: know how much there is to do already, and who is let in."""
    return (
        Loop("admission", features.admission.look_once, every=ADMISSION_SECONDS),
        Loop("networks", features.networks.look_once, every=NETWORKS_SECONDS),
    )


def _billing(on: Platform) -> Billing:
    path = on.settings.stripe_key_file
    return NoBilling() if path is None else StripeBilling(on.egress, path.read_text(encoding="ascii").strip())


def _sender(on: Platform) -> Sender:
    return Sender(on.database, on.egress, Sealer(on.secret), on.secret, on.audit, metrics=on.metrics)


def _telling(on: Platform, sender: Sender) -> tuple[Loop, ...]:
    """Webhooks. Any number of processes may do it at once; those that answer requests have better things to do."""
    return (
        Loop("webhook-fanout", FanOut(on.database, on.ids).run_once, every=1.0, batch=FANOUT_BATCH),
        Loop("webhooks", sender.run_once, every=1.0),
    )


def _request_log(on: Platform, *, default: int) -> RequestLog | None:
    days = on.settings.request_log_days
    return RequestLog(on.database, on.clock, on.metrics) if (default if days is None else days) else None


def _recording(requests: RequestLog | None) -> tuple[Loop, ...]:
    return () if requests is None else (Loop("requests", requests.write_once, every=1.0, batch=REQUESTS_BATCH),)


def _upkeep(on: Platform, features: Features, rescuer: Rescuer) -> tuple[Loop, ...]:
    """What one process does for all of them."""
    pruners = (
        features.uploads.prune_once,
        features.artifacts.prune_once,
        features.idempotency.prune_once,
        features.people.codes.prune_once,
        features.webhooks.prune_once,
    )
    pruner = Pruner(on.database, on.store, features.eraser, others=pruners)
    orphans = OrphanCollector(on.database, on.store, on.metrics)
    partitions = Partitions(on.database, on.metrics, partitioned(on.settings.request_log_days))
    closing = Closing(on.database, on.ids, on.tiers, _billing(on))
    guard = FlagGuard(on.database, on.flags, JobOutcomes(on.database).since, on.metrics)
    copies = Copies(on.database, on.store, on.audit, on.seals)
    tampering = TamperCheck(on.database, copies, on.seals, on.watch)
    return (
        Loop("flag-guard", guard.run_once, every=GUARD_SECONDS),
        Loop("audit-head", copies.run_once, every=COPY_SECONDS),
        Loop("audit-check", tampering.run_once, every=TAMPERING_SECONDS, batch=_NEVER_MORE),
        Loop("dispatcher", Dispatcher(on.database, on.queue).run_once, every=1.0),
        Loop("rescuer", rescuer.run_once, every=1.0),
        Loop("pruner", pruner.run_once, every=60.0),
        Loop("orphans", orphans.run_once, every=3600.0, batch=ORPHANS_BATCH),
        Loop("partitions", partitions.run_once, every=PARTITIONS_SECONDS),
        Loop("signing-keys-follow", features.people.signing.rotate_once, every=3600.0, batch=_NEVER_MORE),
        Loop("billing", closing.run_once, every=CLOSING_SECONDS, batch=CLOSING_BATCH),
        Loop("erasures", features.erasures.run_once, every=15.0, topic=ERASURES_TOPIC),
        *_rotating(on),
        *_reporting(on, features.reports),
    )


def _rotating(on: Platform) -> tuple[Loop, ...]:
    """When a new master key is appended, what is wrapped under the one before is wrapped anew."""
    if on.keys is None:
        return ()
    return (Loop("tenant-keys", Rewrapping(on.keys, on.audit).run_once, every=ROTATING_SECONDS),)


def _reporting(on: Platform, reports: Reports) -> tuple[Loop, ...]:
    """A view is asked anew by a tick, so once in the whole system; where the database keeps none, there is no need."""
    if not keeps_views(on.database.dialect):
        return ()
    beat = Beat(on.database, Leader(on.database, "reports"), [reports.refreshing()])
    return (Loop("reports", beat.run_once, every=REPORTS_SECONDS),)


def _loops(on: Platform, *loops: Loop) -> Loops:
    watching = Loop("audit-notes", on.watch.write_once, every=WATCH_SECONDS, batch=NOTES_BATCH)
    return Loops((*loops, watching), clock=on.clock, notifier=on.notifier, metrics=on.metrics)


async def _prepare_bucket(settings: Settings) -> None:
    """With the bucket's own keys; a machine that has its rights by role is its operator's to prepare."""
    if settings.s3_access_key_id is None or settings.s3_secret_access_key is None:
        return
    keys = (settings.s3_access_key_id, settings.s3_secret_access_key)
    async with open_bucket(settings.effective_storage_url, *keys, SystemClock()) as bucket:
        await bucket.prepare()
        missing = (await bucket.probe()).missing
    if missing:
        log.warning("bucket_lacks", capabilities=missing)


def _database(settings: Settings) -> Database:
    return Database(
        settings.effective_database_url,
        pool_size=settings.database_pool_size,
        replicas=settings.database_replica_urls,
    )


async def _require_database(on: Platform, role: str) -> None:
    """A database of this version's schema, with room for this process and all others. Raises SettingsError."""
    await _require_schema(on.database)
    await _require_room(on, role)


async def _require_room(on: Platform, role: str) -> None:
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


async def database_facts(settings: Settings) -> dict[str, Any]:
    """What `doctor` shows. Raises SettingsError, DatabaseUnavailable."""
    database = _database(settings)
    try:
        await _budget(settings, database, "api" if settings.processes else "serve")
        kept_apart = await database.row_security()
        return {**database.facts(), **({} if kept_apart is None else {"row_security": asdict(kept_apart)})}
    finally:
        await database.close()


async def _require_schema(database: Database) -> None:
    """A process that does not own the database never changes its schema on the way.

    A newer schema is fine: each version's works for the version before it, so that processes are replaced one by one.
    """
    if is_behind(MIGRATIONS, await database.revision()):
        raise SettingsError("FILEWRIGHT_DATABASE_URL: the database is of an older version; run `filewright migrate`")


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


def _secret(settings: Settings) -> bytes:
    """The server's secret: the operator's file, or one of our own, made at the first start."""
    path = settings.secret_key_file or settings.data_dir / "secret.key"
    if not path.exists():
        made = path.with_suffix(".new")
        made.touch(mode=0o600)
        made.write_bytes(secrets.token_urlsafe(_SECRET_BYTES).encode())
        made.replace(path)
    return path.read_bytes().strip()
