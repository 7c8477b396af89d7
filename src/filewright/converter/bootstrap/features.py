"""What the product can do, put together on a platform."""

from __future__ import annotations

from dataclasses import dataclass

from filewright.chassis.db.sessions import ReadSession, WriteSession
from filewright.chassis.identity.sessions import End, UserSessionRow
from filewright.chassis.sandbox.workspace import sweep
from filewright.chassis.scanning.port import Scanner
from filewright.chassis.sealing import derived
from filewright.chassis.web.idempotency import IdempotencyKeys
from filewright.converter.accounts.people import People
from filewright.converter.admin.networks import Listed, NetworkLists
from filewright.converter.admin.service import Oversight
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.billing.invoices import Invoices
from filewright.converter.bootstrap.people import people_on
from filewright.converter.bootstrap.platform import Platform
from filewright.converter.choices.service import Choices
from filewright.converter.conversion.converter import Converter
from filewright.converter.engines.font_packs import SYSTEM_FOLDERS
from filewright.converter.fonts.service import Fonts, is_a_font
from filewright.converter.jobs import repository as jobs_repository
from filewright.converter.jobs.forecasts.admission import Admission
from filewright.converter.jobs.forecasts.paces import Paces
from filewright.converter.jobs.looking.lookout import OWN_LOOK_SECONDS
from filewright.converter.jobs.ordering.fetching import Fetching
from filewright.converter.jobs.ordering.known import KnownResults
from filewright.converter.jobs.ordering.ordering import Reusing
from filewright.converter.jobs.ordering.result_keys import ResultKeys, Surroundings
from filewright.converter.jobs.rules import JobRules
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.jobs.service import Jobs
from filewright.converter.jobs.steering.erasing import Eraser
from filewright.converter.jobs.steering.quarantine import Quarantine
from filewright.converter.migrations.tables import metadata
from filewright.converter.operations.chains import Operations
from filewright.converter.privacy.certificates import Signer
from filewright.converter.privacy.erasing import Erasures, Leaving
from filewright.converter.privacy.exporting import Exports
from filewright.converter.reports.service import Reports
from filewright.converter.uploads.imports import Imports
from filewright.converter.uploads.service import Uploads
from filewright.converter.webhooks.service import Webhooks


@dataclass(frozen=True)
class Features:
    """What the product can do, apart from running jobs: what requests and upkeep ask."""

    artifacts: Artifacts
    uploads: Uploads
    fonts: Fonts
    choices: Choices
    jobs: Jobs
    idempotency: IdempotencyKeys
    eraser: Eraser
    reports: Reports
    admission: Admission
    paces: Paces
    invoices: Invoices
    fetching: Fetching
    people: People
    erasures: Erasures
    exports: Exports
    webhooks: Webhooks
    oversight: Oversight
    quarantine: Quarantine
    networks: NetworkLists


def features_on(on: Platform, converter: Converter, operations: Operations, scanner: Scanner) -> Features:
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
        in_use=_in_use,
        spared=on.metrics.counter("bytes_not_stored_twice", "Bytes of uploads that their tenant had already.").inc,
        cache=on.cache,
    )
    choices = Choices(on.database, on.clock, learning=on.settings.learned_targets)
    eraser = Eraser(on.database, on.store, artifacts)
    admission, paces = Admission(on.database, on.clock, scratch, on.metrics), Paces(on.database)
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
        reusing=_reusing(on, artifacts),
        paces=paces,
        pressure=lambda: admission.pressure,
    )
    idempotency = IdempotencyKeys(on.database, on.ids, on.clock)
    reports = Reports(on.database, on.cache, on.clock)
    fetching = Fetching(Imports(on.egress, uploads), uploads, on.egress, on.flags)
    people = people_on(on, idempotency)
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
        fonts=Fonts(on.database, artifacts, scanner, on.ids, on.audit, scratch),
        choices=choices,
        jobs=jobs,
        idempotency=idempotency,
        eraser=eraser,
        reports=reports,
        admission=admission,
        paces=paces,
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


async def _in_use(session: ReadSession, artifact_id: str) -> bool:
    return await jobs_repository.has_a_right_to(session, artifact_id) or await is_a_font(session, artifact_id)


def _reusing(on: Platform, artifacts: Artifacts) -> Reusing | None:
    settings = on.settings
    if not settings.result_cache:
        return None
    fonts = SYSTEM_FOLDERS if settings.fonts is None else (*SYSTEM_FOLDERS, settings.fonts)
    scanned = settings.clamd_url is not None and settings.scanning != "off"
    surroundings = Surroundings(fonts, scanned=scanned, clock=on.clock)
    keys = ResultKeys(derived(on.secret, "filewright result keys"), surroundings)
    return Reusing(keys, KnownResults(on.database, artifacts, on.ids, on.metrics))


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
