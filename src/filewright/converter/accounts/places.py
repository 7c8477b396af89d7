"""Where API keys are used from: a network that a key had not been used from before is worth a line in the audit log.

What was seen lately is kept in memory, and what is not there is looked up in the log itself, off the path of requests;
so a key that is used from the same few places writes nothing, however many processes and restarts there are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from sqlalchemy import select

from filewright.chassis.audit.log import Audit
from filewright.chassis.audit.models import AuditLogRow
from filewright.chassis.db.database import WriteSession
from filewright.converter.accounts import acts

_REMEMBERED = 20_000
_MOST_WAITING = 1_000
Used = tuple[str, str, str]
"""Key, tenant, network."""


class Places:
    """Of all keys, as far as this process has seen."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._seen: OrderedDict[Used, None] = OrderedDict()
        self._waiting: list[Used] = []

    def note(self, key: str, tenant: str, network: str) -> None:
        """The key was used from there."""
        used = (key, tenant, network)
        if used in self._seen:
            self._seen.move_to_end(used)
        elif len(self._waiting) < _MOST_WAITING:
            self._seen[used] = None
            self._waiting.append(used)
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)

    def take(self) -> Sequence[Used]:
        """What has not been looked at."""
        taken, self._waiting = self._waiting, []
        return taken

    def give_back(self, taken: Sequence[Used]) -> None:
        """It could not be looked at now."""
        self._waiting = [*taken, *self._waiting]

    async def write(self, session: WriteSession, taken: Sequence[Used]) -> None:
        """Write down what the log does not know. The last thing in a unit of work."""
        for key, tenant, network in taken:
            actor = self._audit.mark(network)
            known = select(AuditLogRow.id).where(
                AuditLogRow.tenant == tenant,
                AuditLogRow.action == acts.KEY_NEW_PLACE.name,
                AuditLogRow.subject == key,
                AuditLogRow.actor == actor,
            )
            if (await session.scalars(known.limit(1))).first() is None:
                await self._audit.record(session, acts.KEY_NEW_PLACE, actor=actor, tenant=tenant, subject=key)
