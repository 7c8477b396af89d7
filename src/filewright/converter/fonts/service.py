"""What tenants may do with fonts: bring them, look at them, take them away.

Every method takes the `Caller` and sees only that tenant's. What a tenant has is changed while its gate is held, and
the moment is written there: results of jobs that were ordered before then answer no order any more
(`jobs/statements/accepting.py`).
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, update

from filewright.chassis.audit.acts import Act, declare
from filewright.chassis.audit.log import Audit
from filewright.chassis.db.database import Database, ReadSession, WriteSession
from filewright.chassis.ids import IdSource, is_id
from filewright.chassis.scanning.port import Scanner
from filewright.chassis.web.problems import Conflict, Forbidden, NotFound
from filewright.converter.artifacts.models import Artifact, ArtifactRow
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.errors import TooLarge
from filewright.converter.fonts.models import FONT_PREFIX, FontRow
from filewright.converter.fonts.reading import Found, read_font
from filewright.converter.jobs import repository
from filewright.converter.jobs.running.scanning import require_clean
from filewright.converter.tiers import Caller

ADDED = declare("font.added", "a font was brought, for the documents of its owner")
DELETED = declare("font.deleted", "a font was taken away")
MAX_PAGE = 100

Within = Callable[[WriteSession, FontRow], Awaitable[None]]
"""What else to do in the unit of work that has made a font."""


@dataclass(frozen=True)
class Room:
    """How much of what is allowed is used."""

    fonts: int
    bytes: int


class Fonts:
    """The service. `scratch` is a directory for files that exist for a moment."""

    def __init__(
        self, database: Database, artifacts: Artifacts, scanner: Scanner, ids: IdSource, audit: Audit, scratch: Path
    ) -> None:
        self._database = database
        self._artifacts = artifacts
        self._scanner = scanner
        self._ids = ids
        self._audit = audit
        self._scratch = scratch

    # --- looking -------------------------------------------------------------------------------------------------

    async def get(self, caller: Caller, font_id: str) -> FontRow:
        """The font. Raises NotFound."""
        async with self._database.read() as session:
            return await _own(session, caller, font_id)

    async def page(
        self, caller: Caller, *, after: str | None = None, limit: int = 20
    ) -> tuple[Sequence[FontRow], Room]:
        """Fonts by birth, newest first, older than the one `after`; and what all of them take."""
        found = select(FontRow).where(FontRow.tenant == caller.tenant).order_by(FontRow.id.desc())
        if after is not None:
            found = found.where(FontRow.id < after)
        async with self._database.read() as session:
            return (await session.scalars(found.limit(limit))).all(), await _room(session, caller.tenant)

    def check_allowed(self, caller: Caller) -> None:
        """Raises Forbidden for one whose tier has no fonts of its own."""
        if caller.tier.max_fonts < 1:
            raise Forbidden("Fonts are kept for those with an account whose tier has them.")

    # --- changing ------------------------------------------------------------------------------------------------

    async def add(self, caller: Caller, artifact: Artifact, *, within: Within | None = None) -> FontRow:
        """Keep that file as a font; of the same bytes there is one, which may be of another artifact.

        Raises what `require_clean` and `read_font` do, Conflict when there are as many as are allowed, and TooLarge.
        """
        self.check_allowed(caller)
        found = await self._look(artifact)
        async with self._database.write() as session:
            now = await repository.hold_gate(session, caller.tenant)
            same = select(FontRow).where(FontRow.tenant == caller.tenant, FontRow.sha256 == artifact.sha256)
            row = (await session.scalars(same)).first()
            if row is None:
                _check_room(caller, await _room(session, caller.tenant), artifact.bytes)
                row = self._row(artifact, found)
                row.created_at = now
                session.add(row)
                await session.flush()
                kept = update(ArtifactRow).where(ArtifactRow.id == artifact.id).values(expires_at=None)
                await session.execute(kept.execution_options(synchronize_session=False))
                await repository.note_fonts(session, caller.tenant, now)
                await self._record(session, ADDED, caller, row.id)
            if within is not None:
                await within(session, row)
        return row

    async def delete(self, caller: Caller, font_id: str) -> None:
        """Take it away: no job that begins from now on has it. Raises NotFound."""
        async with self._database.write() as session:
            now = await repository.hold_gate(session, caller.tenant)
            row = await _own(session, caller, font_id)
            artifact_id = row.artifact_id
            await session.delete(row)
            await session.flush()
            await self._artifacts.mark_erased(session, [artifact_id])
            await repository.note_fonts(session, caller.tenant, now)
            await self._record(session, DELETED, caller, font_id)
        await self._artifacts.erase([artifact_id])

    # --- below the surface ---------------------------------------------------------------------------------------

    async def _look(self, artifact: Artifact) -> Found:
        """At what the scanner, where there is one, has called clean."""
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            path = self._artifacts.local_path(artifact.parts)
            if path is None:
                path = Path(folder) / "font"
                await self._artifacts.fetch(artifact, path)
            if self._scanner.active:
                await require_clean(self._scanner, [path], folder=Path(folder), what="the font")
            return await asyncio.to_thread(read_font, path)

    def _row(self, artifact: Artifact, found: Found) -> FontRow:
        return FontRow(
            id=self._ids.new(FONT_PREFIX),
            tenant=artifact.tenant,
            artifact_id=artifact.id,
            sha256=artifact.sha256,
            filename=artifact.filename,
            format=found.format,
            bytes=artifact.bytes,
            embedding=found.embedding.value,
            faces=[face.as_json() for face in found.faces],
        )

    async def _record(self, session: WriteSession, act: Act, caller: Caller, subject: str) -> None:
        await self._audit.record(session, act, actor=caller.actor, tenant=caller.tenant, subject=subject)


async def is_a_font(session: ReadSession, artifact_id: str) -> bool:
    """Whether a font consists of that artifact."""
    return (await session.scalars(select(FontRow.id).where(FontRow.artifact_id == artifact_id))).first() is not None


async def _own(session: ReadSession, caller: Caller, font_id: str) -> FontRow:
    row = await session.get(FontRow, font_id) if is_id(font_id, FONT_PREFIX) else None
    if row is None or row.tenant != caller.tenant:
        raise NotFound("There is no such font.")
    return row


async def _room(session: ReadSession, tenant: str) -> Room:
    taken = select(func.count(), func.coalesce(func.sum(FontRow.bytes), 0)).where(FontRow.tenant == tenant)
    fonts, size = (await session.execute(taken)).one()
    return Room(fonts, int(size))


def _check_room(caller: Caller, room: Room, more: int) -> None:
    tier = caller.tier
    if room.fonts >= tier.max_fonts:
        raise Conflict(f"There can be {tier.max_fonts} fonts; delete one that is not needed.")
    if room.bytes + more > tier.max_fonts_bytes:
        raise TooLarge(f"All fonts together may have {tier.max_fonts_bytes} bytes; {room.bytes} of them are taken.")
