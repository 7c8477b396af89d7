"""The loops of each process: what it does without being asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from filewright.chassis.audit.copies import EVERY_SECONDS as COPY_SECONDS
from filewright.chassis.audit.copies import Copies
from filewright.chassis.audit.watch import BATCH as NOTES_BATCH
from filewright.chassis.audit.watch import EVERY_SECONDS as WATCH_SECONDS
from filewright.chassis.coordination.leader import Leader
from filewright.chassis.coordination.ticks import Beat
from filewright.chassis.db.materialized import keeps_views
from filewright.chassis.flags.guard import EVERY_SECONDS as GUARD_SECONDS
from filewright.chassis.flags.guard import FlagGuard
from filewright.chassis.identity.sessions import LOOK_SECONDS as SESSIONS_SECONDS
from filewright.chassis.identity.sessions import NEWS as SESSION_NEWS
from filewright.chassis.identity.signing import REFRESH_SECONDS as SIGNING_SECONDS
from filewright.chassis.mail.outbox import TOPIC as MAIL
from filewright.chassis.queue.outbox import TOPIC as OUTBOX
from filewright.chassis.queue.relay import APART_SECONDS, BATCH, Relay
from filewright.chassis.web.request_log import BATCH as REQUESTS_BATCH
from filewright.chassis.web.request_log import RequestLog
from filewright.converter.accounts.api_keys import LOOK_SECONDS as KEYS_SECONDS
from filewright.converter.accounts.people import People
from filewright.converter.admin.networks import LOOK_SECONDS as NETWORKS_SECONDS
from filewright.converter.admin.outcomes import JobOutcomes
from filewright.converter.billing.closing import BATCH as CLOSING_BATCH
from filewright.converter.billing.closing import EVERY_SECONDS as CLOSING_SECONDS
from filewright.converter.billing.closing import Closing
from filewright.converter.billing.nothing import NoBilling
from filewright.converter.billing.port import Billing
from filewright.converter.billing.stripe import StripeBilling
from filewright.converter.bootstrap.features import Features
from filewright.converter.bootstrap.platform import Platform
from filewright.converter.jobs.forecasts.admission import EVERY_SECONDS as ADMISSION_SECONDS
from filewright.converter.jobs.forecasts.paces import EVERY_SECONDS as PACES_SECONDS
from filewright.converter.jobs.looking.lookout import EVERY_SECONDS as LOOKOUT_SECONDS
from filewright.converter.jobs.looking.lookout import Lookout
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.maintenance.dispatcher import Dispatcher
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
from filewright.converter.privacy.erasing import TOPIC as ERASURES_TOPIC
from filewright.converter.reports.service import LOOK_SECONDS as REPORTS_SECONDS
from filewright.converter.reports.service import Reports
from filewright.converter.webhooks.fanout import BATCH as FANOUT_BATCH
from filewright.converter.webhooks.fanout import FanOut
from filewright.converter.webhooks.sender import Sender

_NEVER_MORE = 1_000_000
"""Of a loop that does in one run all there is."""


def looking_out(on: Platform) -> Loop:
    """What every process does in which somebody waits for news of jobs."""
    return Loop("lookout", Lookout(on.database, on.notifier).run_once, every=LOOKOUT_SECONDS)


def relaying(on: Platform, features: Features) -> tuple[Loop, ...]:
    """What every process that takes orders does beside them. Any number may do it at once."""
    relay, apart = Relay(on.database, on.queue, alone=on.alone), 0.0 if on.alone else APART_SECONDS
    return (
        Loop("relay", relay.run_once, every=1.0, topic=OUTBOX, batch=BATCH, apart=apart),
        Loop("choices", features.choices.exchange_once, every=5.0, batch=_NEVER_MORE),
    )


@asynccontextmanager
async def people_known(on: Platform, people: People) -> AsyncIterator[None]:
    """While in the block, tokens can be made and checked, and news of sessions that end is heard."""
    async with on.notifier.follow(SESSION_NEWS, people.sessions.hear):
        await people.open()
        yield


def knowing(on: Platform, people: People) -> tuple[Loop, ...]:
    """What every process that answers requests does to know whom to believe."""
    return (
        Loop("sessions", people.sessions.look_once, every=SESSIONS_SECONDS),
        Loop("keys", people.keys.look_once, every=KEYS_SECONDS),
        Loop("key-uses", people.keys.write_uses_once, every=15.0, batch=_NEVER_MORE),
        Loop("signing-keys", people.signing.refresh_once, every=SIGNING_SECONDS),
        Loop("mail", people.outbox.send_once, every=5.0, topic=MAIL),
    )


def pacing(features: Features) -> Loop:
    """What every process does that runs jobs or takes orders: learn, and know, how long work takes."""
    return Loop("paces", features.paces.exchange_once, every=PACES_SECONDS, batch=_NEVER_MORE)


def watching(features: Features) -> tuple[Loop, ...]:
    """What every process does that takes orders: know how much there is to do already, and who is let in."""
    return (
        Loop("admission", features.admission.look_once, every=ADMISSION_SECONDS),
        pacing(features),
        Loop("networks", features.networks.look_once, every=NETWORKS_SECONDS),
    )


def _billing(on: Platform) -> Billing:
    path = on.settings.stripe_key_file
    return NoBilling() if path is None else StripeBilling(on.egress, path.read_text(encoding="ascii").strip())


def sender_on(on: Platform) -> Sender:
    return Sender(on.database, on.egress, Sealer(on.secret), on.secret, on.audit, metrics=on.metrics)


def telling(on: Platform, sender: Sender) -> tuple[Loop, ...]:
    """Webhooks. Any number of processes may do it at once; those that answer requests have better things to do."""
    return (
        Loop("webhook-fanout", FanOut(on.database, on.ids).run_once, every=1.0, batch=FANOUT_BATCH),
        Loop("webhooks", sender.run_once, every=1.0),
    )


def request_log_on(on: Platform, *, default: int) -> RequestLog | None:
    days = on.settings.request_log_days
    return RequestLog(on.database, on.clock, on.metrics) if (default if days is None else days) else None


def recording(requests: RequestLog | None) -> tuple[Loop, ...]:
    return () if requests is None else (Loop("requests", requests.write_once, every=1.0, batch=REQUESTS_BATCH),)


def upkeep(on: Platform, features: Features, rescuer: Rescuer) -> tuple[Loop, ...]:
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


def loops_of(on: Platform, *loops: Loop) -> Loops:
    watching = Loop("audit-notes", on.watch.write_once, every=WATCH_SECONDS, batch=NOTES_BATCH)
    return Loops((*loops, watching), clock=on.clock, notifier=on.notifier, metrics=on.metrics)
