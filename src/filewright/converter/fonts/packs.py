"""Fonts of tenants where jobs run: each tenant's in a directory of its own, for as long as its jobs come.

A pack is laid down when the first job needs it and removed a minute after the last one, or when the process ends; what
a killed process left is swept with the workspaces. When the tenant changes its fonts, jobs that begin then get another
pack, and those that run keep theirs.

Where files are scanned, fonts are, too, before anything opens them. One that the scanner does not call clean, or that
cannot be unwrapped, is left out of the pack; `fidelity` of the jobs names it, as each font that was not there.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import String, select

from filewright.chassis.db.database import Database
from filewright.chassis.db.hot import Look, given
from filewright.chassis.sandbox.port import Sandbox
from filewright.chassis.sandbox.workspace import remove_tree
from filewright.chassis.scanning.port import Scanner
from filewright.chassis.tasks import to_its_end
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.artifacts.models import ArtifactRow, artifact_of
from filewright.converter.engines.font_packs import FontPack, shared_configuration
from filewright.converter.errors import ConversionError, Expired, ScanUnavailable, Timeout
from filewright.converter.fonts.laying import laid_down, names_of
from filewright.converter.fonts.models import FontRow
from filewright.converter.fonts.reading import Face
from filewright.converter.jobs.ports import Files
from filewright.converter.jobs.running.scanning import require_clean

_IDLE_SECONDS = 60.0
_ANY = Look(lambda _: select(FontRow.id).where(FontRow.tenant == given("of_tenant", String())).limit(1))
"""Most tenants have none, and every job asks."""
_REMEMBERED = 1000
log = get_logger(__name__)


@dataclass(eq=False)
class _Laid:
    """A pack that is there, or about to be."""

    pack: asyncio.Task[FontPack]
    users: int = 0
    end: asyncio.TimerHandle | None = field(default=None)


class Packs:
    """Implements `jobs.ports.Fonts`. `operators`: whether the operator has a folder of fonts, too."""

    def __init__(
        self,
        database: Database,
        files: Files,
        sandbox: Sandbox,
        scanner: Scanner,
        jobs_dir: Path,
        *,
        operators: bool,
        idle_seconds: float = _IDLE_SECONDS,
    ) -> None:
        self._database = database
        self._files = files
        self._sandbox = sandbox
        self._scanner = scanner
        self._jobs_dir = jobs_dir.resolve()
        self._shared = shared_configuration(jobs_dir) if operators else None
        self._idle_seconds = idle_seconds
        self._laid: dict[str, _Laid] = {}
        self._removals: set[asyncio.Task[None]] = set()
        self._unfit: deque[str] = deque(maxlen=_REMEMBERED)
        """Digests of fonts that could not be unwrapped here: the next job need not wait for that again."""

    @asynccontextmanager
    async def lent(self, tenant: str) -> AsyncIterator[FontPack | None]:
        """The tenant's fonts as they are now; None when it has none."""
        fonts = await self._fonts_of(tenant) if await self._database.ask(_ANY, of_tenant=tenant) else ()
        if not fonts:
            yield None
            return
        key = _key(tenant, fonts)
        laid = self._laid.get(key)
        if laid is None:
            laid = self._laid[key] = _Laid(asyncio.create_task(self._lay(fonts)))
        laid.users += 1
        if laid.end is not None:
            laid.end.cancel()
            laid.end = None
        try:
            yield await asyncio.shield(laid.pack)
        finally:
            laid.users -= 1
            self._let_go(key, laid)

    async def close(self) -> None:
        """Remove all of them; when no job runs any more."""
        for key, laid in list(self._laid.items()):
            self._remove(key, laid)
        await to_its_end(asyncio.gather(*self._removals))

    def _let_go(self, key: str, laid: _Laid) -> None:
        if laid.users:
            return
        failed = laid.pack.done() and (laid.pack.cancelled() or laid.pack.exception() is not None)
        wait = 0.0 if failed else self._idle_seconds
        laid.end = asyncio.get_running_loop().call_later(wait, self._remove, key, laid)

    def _remove(self, key: str, laid: _Laid) -> None:
        if laid.end is not None:
            laid.end.cancel()
        if self._laid.get(key) is laid:
            del self._laid[key]
        removal = asyncio.create_task(_removed(laid))
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)

    async def _fonts_of(self, tenant: str) -> Sequence[Any]:
        found = select(FontRow, ArtifactRow).join(ArtifactRow, ArtifactRow.id == FontRow.artifact_id)
        async with self._database.read() as session:
            return (await session.execute(found.where(FontRow.tenant == tenant).order_by(FontRow.id))).all()

    async def _lay(self, fonts: Sequence[Any]) -> FontPack:
        faces = [Face.from_json(face) for font, _ in fonts for face in font.faces]
        pack = FontPack(self._jobs_dir / f".fonts-{secrets.token_hex(8)}", names_of(faces))
        await asyncio.to_thread(pack.files.mkdir, 0o700, parents=True)
        try:
            for font, artifact in fonts:
                await self._lay_one(font, artifact, pack)
            await asyncio.to_thread(pack.write_configuration, self._shared)
        except BaseException:
            await to_its_end(asyncio.to_thread(remove_tree, pack.place))
            raise
        return pack

    async def _lay_one(self, font: FontRow, artifact: ArtifactRow, pack: FontPack) -> None:
        if font.sha256 in self._unfit:
            return
        path = pack.files / f"{font.sha256}.{font.format}"
        try:
            await self._files.fetch(artifact_of(artifact), path)
            await self._require_clean(path, pack)
            unwrapped = await laid_down(path, self._sandbox, self._jobs_dir)
            if unwrapped != path:
                path = unwrapped
                await self._require_clean(path, pack)
        except Expired:  # taken away a moment ago
            log.info("font_gone", artifact_id=artifact.id)
        except ScanUnavailable:
            raise
        except ConversionError as error:
            log.warning("font_left_out", font_id=font.id, code=error.code)
            if not (error.retryable or isinstance(error, Timeout)):  # another time it may go well
                self._unfit.append(font.sha256)
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _require_clean(self, path: Path, pack: FontPack) -> None:
        if self._scanner.active:
            await require_clean(self._scanner, [path], folder=pack.place, what="the font")


def _key(tenant: str, fonts: Sequence[Any]) -> str:
    return hashlib.sha256("\n".join([tenant, *(font.sha256 for font, _ in fonts)]).encode()).hexdigest()


async def _removed(laid: _Laid) -> None:
    laid.pack.cancel()
    await asyncio.wait([laid.pack])
    if not laid.pack.cancelled() and laid.pack.exception() is None:
        await asyncio.to_thread(remove_tree, laid.pack.result().place)
