"""Send what is due, and write down what came of it.

    claim   due deliveries under a lease of a minute, a few per receiver, so that one who is slow keeps nobody waiting
    send    one POST each, beside one another
    settle  under the lease's token: delivered, later again, or dead

A process that dies between the POST and the settling leaves a lease that lapses, and the delivery is sent once more
with the same `webhook-id`. Eight tries over a day; then it is dead, which its owner sees and can replay. A receiver
that answers 410 wants no more, and one to which nothing has arrived for five days is not asked any more either.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, or_, select, update

from filewright.chassis import failpoints
from filewright.chassis.audit import acts
from filewright.chassis.audit.log import SYSTEM, Audit
from filewright.chassis.db.database import Database, DatabaseUnavailable, ReadSession, WriteSession
from filewright.chassis.db.dialect import skip_locked
from filewright.chassis.egress.client import Answer, Bounds, Egress, Outgoing
from filewright.chassis.egress.errors import SourceForbidden
from filewright.chassis.sealing import CannotOpen
from filewright.chassis.tasks import ended
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics
from filewright.converter.jobs.models import JobRow
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.jobs.states import JobState
from filewright.converter.webhooks import listening
from filewright.converter.webhooks.events import payload_of_erased
from filewright.converter.webhooks.models import OF_BATCH, OF_JOBS, DeliveryRow, DeliveryState, WebhookRow
from filewright.converter.webhooks.signing import derived_secret, signed_headers

CLAIMED = failpoints.declare("webhooks.claimed", "deliveries are claimed and nothing of them is sent")
SENT = failpoints.declare("webhooks.sent", "a receiver has heard of an event and nobody has written that down")
SETTLED = failpoints.declare("webhooks.settled", "what came of a delivery is written down")
SWITCHED_OFF = acts.declare(
    "webhook.switched_off", "a webhook was switched off: its receiver wants no more, or is gone"
)
AGAIN = tuple(timedelta(seconds=seconds) for seconds in (5, 60, 600, 3600, 3 * 3600, 8 * 3600, 12 * 3600))
"""After each failed try but the last; spread by a fifth either way."""
LEASE = timedelta(seconds=60)
SLOTS = 32
PER_RECEIVER = 4
_LOOKED_AT = 200
_BOUNDS = Bounds(seconds=20.0, silent_seconds=10.0, body_bytes=64 << 10)
_LONGEST_WISH = timedelta(hours=12)

log = get_logger(__name__)


@dataclass(frozen=True)
class Order:
    """A delivery that is ours to send, with all that it takes; `refusal` says why it cannot be sent at all."""

    id: str
    token: str
    tenant: str
    receiver: str
    url: str
    tries: int
    body: bytes
    keys: tuple[str, ...]
    at: datetime
    refusal: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a try."""

    ok: bool
    status: int | None = None
    failure: str | None = None
    for_good: bool = False
    """No further try can do any better."""
    gone: bool = False
    """The receiver says that it wants no more."""
    wish: timedelta | None = None
    """When it wants to be asked again (`Retry-After`)."""


class Sender:
    """Run `run_once` again and again; `close` at the end. Any number may run."""

    def __init__(
        self,
        database: Database,
        egress: Egress,
        sealer: Sealer,
        secret: bytes,
        audit: Audit,
        *,
        metrics: Metrics,
        slots: int = SLOTS,
        per_receiver: int = PER_RECEIVER,
    ) -> None:
        self._database = database
        self._egress = egress
        self._sealer = sealer
        self._secret = secret
        self._audit = audit
        self._slots = slots
        self._per_receiver = per_receiver
        self._busy: Counter[str] = Counter()
        self._sending: set[asyncio.Task[None]] = set()
        self._outcomes = metrics.counter("webhook_tries", "Tries to deliver an event.", ("outcome",))

    async def run_once(self) -> int:
        """Begin to send what is due and what there is room for; how much that was. Raises DatabaseUnavailable."""
        room = self._slots - len(self._sending)
        if room <= 0 or not await self._any_due():
            return 0
        orders = await self._claim(room)
        failpoints.hit(CLAIMED)
        for order in orders:
            task = asyncio.create_task(self._deliver(order), name=f"webhook-{order.id}")
            self._busy[order.receiver] += 1
            self._sending.add(task)
            task.add_done_callback(partial(self._free, order.receiver))
        return len(orders)

    async def idle(self) -> None:
        """Wait until nothing is being sent."""
        while self._sending:
            await asyncio.wait(set(self._sending))

    async def close(self) -> None:
        """Stop at once; what was being sent is sent again by whoever comes next."""
        await ended(set(self._sending))

    def _free(self, receiver: str, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("webhook_defect", exc_info=error)
        self._busy[receiver] -= 1
        if not self._busy[receiver]:
            del self._busy[receiver]

    # --- claiming ------------------------------------------------------------------------------------------------

    async def _any_due(self) -> bool:
        async with self._database.read() as session:
            now = await self._database.now(session)
            return (await session.scalars(select(DeliveryRow.id).where(self._due(now)).limit(1))).first() is not None

    def _due(self, now: datetime) -> ColumnElement[bool]:
        full = [receiver for receiver, sending in self._busy.items() if sending >= self._per_receiver]
        return and_(
            DeliveryRow.state == DeliveryState.PENDING,
            DeliveryRow.not_before <= now,
            or_(DeliveryRow.lease_until.is_(None), DeliveryRow.lease_until <= now),
            DeliveryRow.receiver.not_in(full),
        )

    async def _claim(self, room: int) -> Sequence[Order]:
        async with self._database.write() as session:
            now = await self._database.now(session)
            due = select(DeliveryRow).where(self._due(now)).order_by(DeliveryRow.not_before).limit(_LOOKED_AT)
            taken: list[DeliveryRow] = []
            sending = Counter(self._busy)
            for row in (await session.scalars(skip_locked(due))).all():
                if len(taken) < room and sending[row.receiver] < self._per_receiver:
                    sending[row.receiver] += 1
                    row.lease_token, row.lease_until, row.tries = secrets.token_hex(16), now + LEASE, row.tries + 1
                    taken.append(row)
            return [await self._order(session, row, now) for row in taken]

    async def _order(self, session: ReadSession, row: DeliveryRow, now: datetime) -> Order:
        url, keys, refusal = await self._receiver(session, row, now)
        if row.revision != OF_BATCH and await self._is_erased(session, row.job_id):
            row.payload = payload_of_erased(row.event, row.created_at, row.job_id)
        return Order(
            id=row.id,
            token=row.lease_token or "",
            tenant=row.tenant,
            receiver=row.receiver,
            url=url,
            tries=row.tries,
            body=orjson.dumps(row.payload or payload_of_erased(row.event, row.created_at, row.job_id)),
            keys=keys,
            at=now,
            refusal=refusal,
        )

    async def _receiver(
        self, session: ReadSession, row: DeliveryRow, now: datetime
    ) -> tuple[str, tuple[str, ...], str | None]:
        if row.receiver == OF_JOBS:
            return row.url or "", (derived_secret(self._secret, row.tenant),), None
        hook = await session.get(WebhookRow, row.receiver)
        if hook is None:
            return "", (), "The webhook was deleted."
        if not hook.enabled:
            return "", (), "The webhook is switched off."
        sealed = [hook.secret]
        if hook.old_secret is not None and hook.old_until is not None and hook.old_until > now:
            sealed.append(hook.old_secret)
        try:
            return hook.url, tuple(self._sealer.open(value, context=hook.id) for value in sealed), None
        except CannotOpen:
            return "", (), "The webhook's secret cannot be read any more; rotate it."

    async def _is_erased(self, session: ReadSession, job_id: str) -> bool:
        state = (await session.scalars(select(JobRow.state).where(JobRow.id == job_id))).one_or_none()
        return state in {None, JobState.ERASED}

    # --- sending -------------------------------------------------------------------------------------------------

    async def _deliver(self, order: Order) -> None:
        outcome = await self._try(order)
        failpoints.hit(SENT)
        self._outcomes.labels("delivered" if outcome.ok else "failed").inc()
        try:
            async with self._database.write() as session:
                await self._settle(session, order, outcome)
            failpoints.hit(SETTLED)
        except DatabaseUnavailable:
            log.info("webhook_not_settled", delivery_id=order.id)  # the lease lapses, and it is sent again

    async def _try(self, order: Order) -> Outcome:
        if order.refusal is not None:
            return Outcome(ok=False, failure=order.refusal, for_good=True)
        request = Outgoing(
            "POST",
            order.url,
            {
                "Content-Type": "application/json",
                **signed_headers(order.id, int(order.at.timestamp()), order.body, order.keys),
            },
            order.body,
            purpose="webhook",
            secure_only=True,
            bounds=_BOUNDS,
        )
        try:
            return _judged(await self._egress.exchange(request))
        except SourceForbidden as error:
            return Outcome(ok=False, failure=error.detail, for_good=not error.retryable)

    async def _settle(self, session: WriteSession, order: Order, outcome: Outcome) -> None:
        now = await self._database.now(session)
        values: dict[str, Any] = {"status_code": outcome.status, "failure": outcome.failure}
        if outcome.ok:
            values |= {"state": DeliveryState.DELIVERED.value, "finished_at": now}
        elif outcome.for_good or order.tries > len(AGAIN):
            values |= {"state": DeliveryState.DEAD.value, "finished_at": now}
            log.info("webhook_dead", delivery_id=order.id, tries=order.tries, status=outcome.status)
        else:
            values |= {"not_before": now + pause_after(order.tries, outcome.wish)}
        mine = update(DeliveryRow).where(DeliveryRow.id == order.id, DeliveryRow.lease_token == order.token)
        done = await session.execute(
            mine.values(lease_token=None, lease_until=None, **values)
            .returning(DeliveryRow.id)
            .execution_options(synchronize_session=False)
        )
        if done.first() is not None and order.receiver != OF_JOBS and order.refusal is None:
            reason = await listening.note(session, order.receiver, now, ok=outcome.ok, gone=outcome.gone)
            if reason is not None:
                await self._audit.record(
                    session,
                    SWITCHED_OFF,
                    actor=SYSTEM,
                    tenant=order.tenant,
                    subject=order.receiver,
                    details={"reason": reason},
                )


def pause_after(tries: int, wish: timedelta | None = None) -> timedelta:
    """How long to wait after that many tries; longer when the receiver wishes so."""
    pause = AGAIN[min(tries, len(AGAIN)) - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - spreads, hides nothing
    return max(pause, min(wish or timedelta(0), _LONGEST_WISH))


def _judged(answer: Answer) -> Outcome:
    """By the status alone; what else the receiver says is nobody's to read."""
    status = answer.status
    if 200 <= status < 300:
        return Outcome(ok=True, status=status)
    if status == 410:
        return Outcome(ok=False, status=status, failure="The receiver wants no more.", for_good=True, gone=True)
    if 300 <= status < 400:
        return Outcome(ok=False, status=status, failure="The receiver leads on to another address; give that one.")
    wish = answer.headers.get("retry-after", "") if status in {429, 503} else ""
    seconds = int(wish) if wish.isascii() and wish.isdigit() and len(wish) < 7 else 0
    return Outcome(
        ok=False,
        status=status,
        failure=f"The receiver answered {status}.",
        wish=timedelta(seconds=seconds) if seconds else None,
    )
