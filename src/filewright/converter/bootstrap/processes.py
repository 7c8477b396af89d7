"""The processes, wired: `build` for the one of a bare machine, and one for each role of many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from filewright.chassis.coordination.leader import Leader
from filewright.chassis.queue.port import LANES
from filewright.chassis.sandbox.absent import NoSandbox
from filewright.chassis.sandbox.port import Sandbox
from filewright.chassis.scanning.nothing import NoScanner
from filewright.chassis.scanning.port import Scanner
from filewright.chassis.tasks import ended
from filewright.chassis.web.request_log import RequestLog
from filewright.converter.bootstrap.checks import require_database, require_room
from filewright.converter.bootstrap.features import Features, features_on
from filewright.converter.bootstrap.platform import MIGRATIONS, Platform, opened_platform
from filewright.converter.bootstrap.upkeep import (
    knowing,
    looking_out,
    loops_of,
    pacing,
    people_known,
    recording,
    relaying,
    request_log_on,
    sender_on,
    telling,
    upkeep,
    watching,
)
from filewright.converter.bootstrap.work import (
    MakeConverter,
    converter_on,
    opened_looks,
    opened_packs,
    opened_sandbox,
    operations_on,
    scanner_on,
    worker_on,
)
from filewright.converter.conversion.converter import Converter
from filewright.converter.engines.libreoffice_warm import standing
from filewright.converter.jobs.running.succession import EVERY_SECONDS as SUCCESSION_SECONDS
from filewright.converter.jobs.running.succession import Succession
from filewright.converter.jobs.running.worker import Worker
from filewright.converter.maintenance.depth import depth
from filewright.converter.maintenance.leadership import CAMPAIGN_SECONDS, Leadership
from filewright.converter.maintenance.loops import Loop, Loops
from filewright.converter.maintenance.rescuer import Rescuer
from filewright.converter.maintenance.vitals import Facts, no_facts
from filewright.converter.operations.chains import Operations
from filewright.converter.settings import DEFAULT_REQUEST_LOG_DAYS, Settings, SettingsError
from filewright.converter.webhooks.sender import Sender

_DRAIN_SECONDS = 20.0


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
    async with (
        opened_platform(settings) as on,
        opened_sandbox(on) as sandbox,
        opened_looks(on, sandbox) as looks,
        opened_packs(on, sandbox, scanner := scanner_on(on)) as packs,
    ):
        await on.database.migrate(MIGRATIONS)
        await require_room(on, "serve")
        await on.store.sweep()
        converter = converter_on(on, sandbox, make_converter, looks)
        operations = operations_on(on, converter, sandbox)
        features = features_on(on, converter, operations, scanner)
        rescuer = Rescuer(on.database, on.notifier, on.metrics, on.audit)
        worker = worker_on(on, converter, operations, features, scanner, packs)
        features.admission.beside(worker)
        # Nobody else works on this database: whoever held a lease in it, or was answering a keyed request, is dead.
        await rescuer.adopt(worker.instance)
        await features.idempotency.abandon_all()
        requests, sender = request_log_on(on, default=0), sender_on(on)
        loops = loops_of(
            on,
            looking_out(on),
            *relaying(on, features),
            *watching(features),
            *knowing(on, features.people),
            *telling(on, sender),
            *upkeep(on, features, rescuer),
            *recording(requests),
        )
        async with people_known(on, features.people):
            services = _services(on, features, converter, operations, loops, sandbox, worker)
            yield replace(services, requests=requests, scanner=scanner, sender=sender)


@asynccontextmanager
async def build_api(settings: Settings, make_converter: MakeConverter | None = None) -> AsyncIterator[Services]:
    """`api`: answers requests and runs no engine. Any number of them share the database, the bucket and Redis.

    Raises as `build`, and SettingsError when `filewright migrate` has not been run for this version.
    """
    async with opened_platform(settings) as on:
        await require_database(on, "api")
        converter = converter_on(on, NoSandbox(), make_converter)
        operations = operations_on(on, converter, NoSandbox())
        features = features_on(on, converter, operations, scanner_on(on))
        requests = request_log_on(on, default=DEFAULT_REQUEST_LOG_DAYS)
        front = (looking_out(on), *relaying(on, features), *watching(features), *knowing(on, features.people))
        loops = loops_of(on, *front, *recording(requests))
        async with people_known(on, features.people):
            yield replace(_services(on, features, converter, operations, loops), requests=requests)


@asynccontextmanager
async def build_worker(
    settings: Settings, lanes: Sequence[str] = LANES, make_converter: MakeConverter | None = None
) -> AsyncIterator[Services]:
    """`worker`: runs jobs of these lanes in its slots and answers nobody. Raises as `build_api`."""
    async with (
        opened_platform(settings, lanes) as on,
        opened_sandbox(on) as sandbox,
        opened_looks(on, sandbox) as looks,
        opened_packs(on, sandbox, scanner := scanner_on(on)) as packs,
    ):
        await require_database(on, "worker")
        converter = converter_on(on, sandbox, make_converter, looks)
        operations = operations_on(on, converter, sandbox)
        features = features_on(on, converter, operations, scanner)
        worker = worker_on(on, converter, operations, features, scanner, packs, lanes)

        rescuer = Rescuer(on.database, on.notifier, on.metrics, on.audit)
        succession = Succession(settings.data_dir, worker.instance, rescuer.take_over)
        succession.begin()

        async def facts() -> Mapping[str, Any]:
            return {"lanes": list(lanes), "scanner": dict(scanner.facts()), "office": standing(sandbox).facts()}

        loops = loops_of(on, pacing(features), Loop("succession", succession.run_once, every=SUCCESSION_SECONDS))
        services = _services(on, features, converter, operations, loops, sandbox, worker)
        yield replace(services, facts=facts, scanner=scanner)


@asynccontextmanager
async def build_beat(settings: Settings, make_converter: MakeConverter | None = None) -> AsyncIterator[Services]:
    """`beat`: upkeep. Of several, one leads and the others wait for its end. Raises as `build_api`."""
    async with opened_platform(settings) as on:
        await require_database(on, "beat")
        converter = converter_on(on, NoSandbox(), make_converter)
        operations = operations_on(on, converter, NoSandbox())
        features = features_on(on, converter, operations, NoScanner())
        rescuer = Rescuer(on.database, on.notifier, on.metrics, on.audit)
        leadership = Leadership(Leader(on.database, "upkeep"), on.clock)
        led = (replace(loop, run_once=leadership.led(loop.run_once)) for loop in upkeep(on, features, rescuer))
        campaign = Loop("leadership", leadership.campaign_once, every=CAMPAIGN_SECONDS)
        sender = sender_on(on)
        loops = loops_of(on, campaign, *relaying(on, features), *telling(on, sender), *led)

        async def facts() -> Mapping[str, Any]:
            if not leadership.leads:
                return {"leads": False}
            return {"leads": True, "queue": (await depth(on.database)).as_json()}

        try:
            yield replace(_services(on, features, converter, operations, loops), sender=sender, facts=facts)
        finally:
            await leadership.resign()


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
