"""What tenants may do with webhooks: register, look, change, take a new secret, remove, see deliveries, replay them.

Every method takes the `Caller` and sees only that tenant's. A secret is shown when it is made and never again; the one
for addresses that jobs name is the tenant's own and can be asked for. Its deliveries are those of the webhook `jobs`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select, update

from filewright.chassis.audit.acts import Act, declare
from filewright.chassis.audit.log import Audit
from filewright.chassis.db.database import Database, ReadSession, WriteSession
from filewright.chassis.egress.client import Egress
from filewright.chassis.ids import IdSource, is_id
from filewright.chassis.web.problems import Conflict, NotFound
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.jobs.states import JobState
from filewright.converter.tiers import Caller
from filewright.converter.webhooks import listening
from filewright.converter.webhooks.events import Event
from filewright.converter.webhooks.models import (
    DELIVERY_PREFIX,
    OF_BATCH,
    OF_JOBS,
    WEBHOOK_PREFIX,
    DeliveryRow,
    DeliveryState,
    WebhookRow,
)
from filewright.converter.webhooks.signing import derived_secret, new_secret

CREATED = declare("webhook.created", "an address was registered as a webhook")
CHANGED = declare("webhook.changed", "a webhook was changed, or switched on or off")
ROTATED = declare("webhook.secret_rotated", "a webhook got a new secret")
DELETED = declare("webhook.deleted", "a webhook was removed")
REPLAYED = declare("webhook.replayed", "a delivery was sent anew")
MAX_WEBHOOKS = 20
MAX_PAGE = 100
ROTATION = timedelta(hours=24)
"""How long the old secret signs beside the new one."""
KEPT = timedelta(days=30)
"""How long a delivery can be looked at."""

Within = Callable[[WriteSession, WebhookRow], Awaitable[None]]
"""What else to do in the unit of work that has made or changed a webhook."""


@dataclass(frozen=True)
class Wanted:
    """What a webhook is to be; None leaves a thing as it is."""

    url: str | None = None
    events: Sequence[Event] | None = None
    description: str | None = None
    enabled: bool | None = None


class Webhooks:
    """The service. `secret` is the server's."""

    def __init__(
        self, database: Database, egress: Egress, sealer: Sealer, secret: bytes, ids: IdSource, audit: Audit
    ) -> None:
        self._database = database
        self._egress = egress
        self._sealer = sealer
        self._secret = secret
        self._ids = ids
        self._audit = audit

    # --- looking -------------------------------------------------------------------------------------------------

    async def get(self, caller: Caller, webhook_id: str) -> WebhookRow:
        """The webhook. Raises NotFound."""
        async with self._database.read() as session:
            return await self._own(session, caller, webhook_id)

    async def page(self, caller: Caller, *, after: str | None = None, limit: int = 20) -> Sequence[WebhookRow]:
        """Webhooks by birth, newest first, older than the one `after`."""
        found = select(WebhookRow).where(WebhookRow.tenant == caller.tenant).order_by(WebhookRow.id.desc())
        if after is not None:
            found = found.where(WebhookRow.id < after)
        async with self._database.read() as session:
            return (await session.scalars(found.limit(limit))).all()

    def secret_of_jobs(self, caller: Caller) -> str:
        """What signs the deliveries to addresses that the tenant's jobs name."""
        return derived_secret(self._secret, caller.tenant)

    async def deliveries(
        self,
        caller: Caller,
        webhook_id: str,
        *,
        after: str | None = None,
        limit: int = 20,
        state: DeliveryState | None = None,
    ) -> Sequence[DeliveryRow]:
        """Deliveries of one webhook, or of `OF_JOBS`, newest first. Raises NotFound."""
        found = select(DeliveryRow).where(DeliveryRow.tenant == caller.tenant, DeliveryRow.receiver == webhook_id)
        if after is not None:
            found = found.where(DeliveryRow.id < after)
        if state is not None:
            found = found.where(DeliveryRow.state == state)
        async with self._database.read() as session:
            if webhook_id != OF_JOBS:
                await self._own(session, caller, webhook_id)
            return (await session.scalars(found.order_by(DeliveryRow.id.desc()).limit(limit))).all()

    # --- changing ------------------------------------------------------------------------------------------------

    async def create(self, caller: Caller, wanted: Wanted, *, within: Within | None = None) -> tuple[WebhookRow, str]:
        """Register an address; the webhook and its secret. Raises SourceForbidden, Conflict when there are too many."""
        self._egress.check(wanted.url or "", secure_only=True)
        async with self._database.write() as session:
            await listening.tell_gate(session, caller.tenant)  # held from here on, so that the count stays true
            mine = select(func.count()).select_from(WebhookRow).where(WebhookRow.tenant == caller.tenant)
            if (await session.scalars(mine)).one() >= MAX_WEBHOOKS:
                raise Conflict(f"There can be {MAX_WEBHOOKS} webhooks; delete one that is not needed.")
            secret, webhook_id = new_secret(), self._ids.new(WEBHOOK_PREFIX)
            row = WebhookRow(
                id=webhook_id,
                tenant=caller.tenant,
                url=wanted.url,
                events=sorted(set(wanted.events or ())),
                description=wanted.description,
                enabled=True,
                secret=self._sealer.seal(secret, context=webhook_id),
                created_at=await self._database.now(session),
            )
            session.add(row)
            await session.flush()
            await listening.tell_gate(session, caller.tenant)
            if within is not None:
                await within(session, row)
            await self._record(session, CREATED, caller, webhook_id)
        return row, secret

    async def change(self, caller: Caller, webhook_id: str, wanted: Wanted) -> WebhookRow:
        """Change what is named in `wanted`; switching it on again forgets why it was off. Raises NotFound."""
        if wanted.url is not None:
            self._egress.check(wanted.url, secure_only=True)
        async with self._database.write() as session:
            row = await self._own(session, caller, webhook_id)
            row.url = wanted.url if wanted.url is not None else row.url
            row.events = sorted(set(wanted.events)) if wanted.events is not None else row.events
            row.description = wanted.description if wanted.description is not None else row.description
            if wanted.enabled is not None:
                row.enabled, row.disabled_reason, row.failing_since = wanted.enabled, None, None
            await session.flush()
            await listening.tell_gate(session, caller.tenant)
            await self._record(session, CHANGED, caller, webhook_id)
        return row

    async def rotate(self, caller: Caller, webhook_id: str, *, within: Within | None = None) -> tuple[WebhookRow, str]:
        """A new secret; the old one signs beside it for a day. Raises NotFound."""
        async with self._database.write() as session:
            row = await self._own(session, caller, webhook_id)
            secret = new_secret()
            row.old_secret, row.old_until = row.secret, await self._database.now(session) + ROTATION
            row.secret = self._sealer.seal(secret, context=row.id)
            await session.flush()
            if within is not None:
                await within(session, row)
            await self._record(session, ROTATED, caller, webhook_id)
        return row, secret

    async def delete(self, caller: Caller, webhook_id: str) -> None:
        """Remove it and its deliveries. Raises NotFound."""
        async with self._database.write() as session:
            row = await self._own(session, caller, webhook_id)
            await session.delete(row)
            mine = (DeliveryRow.tenant == caller.tenant, DeliveryRow.receiver == webhook_id)
            await session.execute(delete(DeliveryRow).where(*mine).execution_options(synchronize_session=False))
            await session.flush()
            await listening.tell_gate(session, caller.tenant)
            await self._record(session, DELETED, caller, webhook_id)

    async def replay(self, caller: Caller, webhook_id: str, delivery_id: str) -> DeliveryRow:
        """Send it again, under the same id, from the first try on. Raises NotFound, Conflict while it is under way."""
        async with self._database.write() as session:
            if webhook_id != OF_JOBS and not (await self._own(session, caller, webhook_id)).enabled:
                raise Conflict("The webhook is switched off; switch it on first.")
            row = await session.get(DeliveryRow, delivery_id) if is_id(delivery_id, DELIVERY_PREFIX) else None
            if row is None or (row.tenant, row.receiver) != (caller.tenant, webhook_id):
                raise NotFound("There is no such delivery.")
            if row.state == DeliveryState.PENDING:
                raise Conflict("The delivery is under way already.")
            row.state, row.tries, row.finished_at = DeliveryState.PENDING.value, 0, None
            row.not_before = await self._database.now(session)
            row.lease_token = row.lease_until = None
            await session.flush()
            await self._record(session, REPLAYED, caller, delivery_id)
        return row

    # --- upkeep --------------------------------------------------------------------------------------------------

    async def prune_once(self, batch: int = 500) -> int:
        """Forget deliveries that are old, and what was told of jobs that are erased; how many."""
        async with self._database.read() as session:
            before = await self._database.now(session) - KEPT
            old = select(DeliveryRow.id).where(DeliveryRow.created_at < before).limit(batch)
            erased = (
                select(DeliveryRow.id)
                .join(JobRow, JobRow.id == DeliveryRow.job_id)
                .where(JobRow.state == JobState.ERASED, DeliveryRow.payload.is_not(None))
                .where(DeliveryRow.revision != OF_BATCH)  # what is told of a batch is nothing but ids
                .where(DeliveryRow.state != DeliveryState.PENDING)  # at its next try it tells no more than that
                .limit(batch)
            )
            forgotten = (await session.scalars(old)).all()
            emptied = (await session.scalars(erased)).all()
        if forgotten or emptied:
            await self._write_off(forgotten, emptied)
        return len(forgotten) + len(emptied)

    async def _write_off(self, forgotten: Sequence[str], emptied: Sequence[str]) -> None:
        unseen: dict[str, Any] = {"synchronize_session": False}
        async with self._database.write() as session:
            gone = delete(DeliveryRow).where(DeliveryRow.id.in_(forgotten))
            await session.execute(gone.execution_options(**unseen))
            empty = update(DeliveryRow).where(DeliveryRow.id.in_(emptied)).values(payload=None)
            await session.execute(empty.execution_options(**unseen))

    async def _record(self, session: WriteSession, act: Act, caller: Caller, subject: str) -> None:
        await self._audit.record(session, act, actor=caller.actor, tenant=caller.tenant, subject=subject)

    async def _own(self, session: ReadSession, caller: Caller, webhook_id: str) -> WebhookRow:
        row = await session.get(WebhookRow, webhook_id) if is_id(webhook_id, WEBHOOK_PREFIX) else None
        if row is None or row.tenant != caller.tenant:
            raise NotFound("There is no such webhook.")
        return row
