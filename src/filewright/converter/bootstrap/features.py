"""What the product can do, put together on a platform."""

from __future__ import annotations

from dataclasses import dataclass

from filewright.chassis.audit.alarms import parse_patterns
from filewright.chassis.db.sessions import ReadSession, WriteSession
from filewright.chassis.identity.access import BELIEVED, AccessTokens
from filewright.chassis.identity.known_passwords import AnyOf, BreachedPasswords, FrequentPasswords
from filewright.chassis.identity.marks import SessionMarks
from filewright.chassis.identity.oidc import Provider
from filewright.chassis.identity.passwords import Passwords
from filewright.chassis.identity.refresh import RefreshTokens
from filewright.chassis.identity.sessions import End, Sessions, UserSessionRow
from filewright.chassis.identity.signing import SigningKeys
from filewright.chassis.mail.folder import FolderMail
from filewright.chassis.mail.outbox import MailOutbox
from filewright.chassis.mail.port import Mail
from filewright.chassis.mail.smtp import SmtpMail
from filewright.chassis.sandbox.workspace import sweep
from filewright.chassis.sealing import Box, derived
from filewright.chassis.web.idempotency import IdempotencyKeys
from filewright.converter.accounts.api_keys import ApiKeys
from filewright.converter.accounts.choosing import Choosing
from filewright.converter.accounts.codes import Codes
from filewright.converter.accounts.cookies import Cookies
from filewright.converter.accounts.elsewhere import Elsewhere
from filewright.converter.accounts.letters import Letters
from filewright.converter.accounts.people import People
from filewright.converter.accounts.private import PrivateAnswers
from filewright.converter.accounts.service import FACTS, AccountRules, Accounts
from filewright.converter.admin.networks import Listed, NetworkLists
from filewright.converter.admin.service import Oversight
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.billing.invoices import Invoices
from filewright.converter.bootstrap.platform import Desk, Platform
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
from filewright.converter.maintenance.telling import AlarmCalls, AlarmLetters
from filewright.converter.migrations.tables import metadata
from filewright.converter.operations.chains import Operations
from filewright.converter.privacy.certificates import Signer
from filewright.converter.privacy.erasing import Erasures, Leaving
from filewright.converter.privacy.exporting import Exports
from filewright.converter.reports.service import Reports
from filewright.converter.settings import Settings
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


def features_on(on: Platform, converter: Converter, operations: Operations) -> Features:
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
        fonts=Fonts(on.database, artifacts, on.ids, on.audit, scratch),
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


def people_on(on: Desk, idempotency: IdempotencyKeys) -> People:
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
