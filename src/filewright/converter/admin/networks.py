"""The lists of networks: those of the settings, and those that operators add while the service runs.

    allowed     only these are let in, unless the list is empty
    blocked     these are not, whatever else is said
    unlimited   requests from these are not counted

Every process that answers requests asks the database every `LOOK_SECONDS`; the one that made a change knows it at once.
A database that is away leaves the lists as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_network

from sqlalchemy import select

from filewright.chassis.audit import acts
from filewright.chassis.audit.log import Audit
from filewright.chassis.db.database import Database, WriteSession
from filewright.chassis.db.dialect import insert_or_ignore
from filewright.chassis.ids import IdSource, is_id
from filewright.chassis.networks import Address, Network
from filewright.chassis.web.networks import Networks
from filewright.chassis.web.problems import Conflict, NotFound
from filewright.chassis.web.proxies import stranger
from filewright.converter.admin.models import NETWORK_PREFIX, NetworkRow

ADDED = acts.declare("network.listed", "an operator put a network on a list")
REMOVED = acts.declare("network.removed", "an operator took a network off a list")
LOOK_SECONDS = 5.0
MOST = 10_000


class Listed(StrEnum):
    """The lists."""

    ALLOWED = "allowed"
    BLOCKED = "blocked"
    UNLIMITED = "unlimited"


@dataclass(frozen=True)
class Entry:
    """A network on a list; `id` is None for one that the settings name."""

    listed: Listed
    network: Network
    id: str | None = None
    note: str | None = None
    created_at: datetime | None = None


class NetworkLists:
    """The service. `known` is what requests are held against."""

    def __init__(
        self, database: Database, audit: Audit, ids: IdSource, settings: Mapping[Listed, Iterable[str]]
    ) -> None:
        self._database = database
        self._audit = audit
        self._ids = ids
        self._fixed = [Entry(listed, ip_network(text)) for listed, texts in settings.items() for text in texts]
        self.known = Networks(**_by_list(self._fixed))

    async def all(self) -> Sequence[Entry]:
        """Every entry: those of the settings, then the newest first."""
        async with self._database.read() as session:
            rows = await session.scalars(select(NetworkRow).order_by(NetworkRow.id.desc()).limit(MOST))
            return [*self._fixed, *(_entry(row) for row in rows)]

    async def add(
        self, listed: Listed, network: Network, note: str | None, *, actor: str, address: Address | None
    ) -> Entry:
        """Put it on a list. `address` is the operator's own. Raises Conflict for one that would shut them out."""
        wanted = Entry(listed, network, note=note)
        entries = [*await self.all(), wanted]
        if not Networks(**_by_list(entries)).let_in(address):
            raise Conflict("This would shut yourself out; do it from a network that stays let in.")
        if len(entries) > MOST:
            raise Conflict(f"There can be {MOST} networks on the lists.")
        async with self._database.write() as session:
            made = replace(wanted, id=self._ids.new(NETWORK_PREFIX), created_at=await self._database.now(session))
            fresh = {**vars(made), "listed": str(listed), "network": str(network)}
            if not await insert_or_ignore(session, NetworkRow, fresh, key=("listed", "network")):
                raise Conflict("This network is on the list already.")
            await self._record(session, ADDED, made, actor)
        await self.look_once()
        return made

    async def remove(self, entry_id: str, *, actor: str, address: Address | None) -> None:
        """Take it off its list. Raises NotFound, Conflict for one that would shut the operator out."""
        entries = await self.all()
        found = next((entry for entry in entries if entry.id == entry_id and is_id(entry_id, NETWORK_PREFIX)), None)
        if found is None:
            raise NotFound("There is no such entry; what the settings name is changed there.")
        left = [entry for entry in entries if entry is not found]
        if not Networks(**_by_list(left)).let_in(address):
            raise Conflict("This would shut yourself out; do it from a network that stays let in.")
        async with self._database.write() as session:
            row = await session.get(NetworkRow, entry_id, with_for_update=True)
            if row is None:
                raise NotFound("There is no such entry.")
            await session.delete(row)
            await session.flush()
            await self._record(session, REMOVED, found, actor)
        await self.look_once()

    async def look_once(self) -> int:
        """Learn what is on the lists; always 0."""
        self.known.replace(**_by_list(await self.all()))
        return 0

    async def _record(self, session: WriteSession, act: acts.Act, entry: Entry, actor: str) -> None:
        # A single address may be somebody's: the list has it for as long as it holds, the log its mark.
        alone = entry.network.num_addresses == 1
        named = self._audit.mark(stranger(entry.network.network_address)) if alone else str(entry.network)
        details = {"list": str(entry.listed), "network": named}
        await self._audit.record(session, act, actor=actor, subject=entry.id, details=details)


def _by_list(entries: Iterable[Entry]) -> dict[str, list[Network]]:
    found: dict[str, list[Network]] = {str(listed): [] for listed in Listed}
    for entry in entries:
        found[str(entry.listed)].append(entry.network)
    return found


def _entry(row: NetworkRow) -> Entry:
    return Entry(Listed(row.listed), ip_network(row.network), row.id, row.note, row.created_at)
