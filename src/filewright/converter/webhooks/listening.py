"""Whether anybody listens: kept where the transactions that end jobs see it at no cost, and switched off in time."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from filewright.chassis.db.database import WriteSession
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.jobs import repository
from filewright.converter.jobs.models import TenantGateRow
from filewright.converter.webhooks.models import WebhookRow

GONE = "gone"
FAILING = "failing"
PATIENCE = timedelta(days=5)

log = get_logger(__name__)


async def tell_gate(session: WriteSession, tenant: str) -> None:
    """Write down at the tenant's gate whether the ends of its jobs are to be told. Call it after every change."""
    await repository.hold_gate(session, tenant)
    enabled = select(func.count()).select_from(WebhookRow)
    listening = (await session.scalars(enabled.where(WebhookRow.tenant == tenant, WebhookRow.enabled.is_(True)))).one()
    gate = update(TenantGateRow).where(TenantGateRow.tenant == tenant).values(listens=listening > 0)
    await session.execute(gate.execution_options(synchronize_session=False))


async def note(session: WriteSession, webhook_id: str, now: datetime, *, ok: bool, gone: bool) -> str | None:
    """What came of a try there; switch off what wants no more, or has taken nothing for too long, and say why."""
    hook = await session.get(WebhookRow, webhook_id, with_for_update=True, populate_existing=True)
    if hook is None or not hook.enabled:
        return None
    if ok:
        hook.failing_since = None
        return None
    hook.failing_since = hook.failing_since or now
    if not gone and now - hook.failing_since < PATIENCE:
        return None
    hook.enabled, hook.disabled_reason = False, GONE if gone else FAILING
    await session.flush()
    await tell_gate(session, hook.tenant)
    log.warning("webhook_switched_off", webhook_id=hook.id, reason=hook.disabled_reason)
    return hook.disabled_reason
