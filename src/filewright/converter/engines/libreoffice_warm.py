"""LibreOffice out of a warm parent: a fork for each conversion, at a quarter of what a start from cold costs.

`WarmOffice` is that. `BestOffice` is what the engine uses: once there is more than a document or two to convert, it has
the warm parent prove itself and uses it for as long as it works; else a `soffice.bin` that listens, if that proves
itself; else one that is started for each document. It can say why. Nothing that a caller sees depends on which it was,
but for the time.
"""

from __future__ import annotations

import asyncio
import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from weakref import finalize

from filewright.chassis.sandbox.port import (
    Ending,
    Limits,
    Outcome,
    PythonCall,
    Sandbox,
    SandboxLevel,
    SandboxUnavailable,
    WarmParent,
)
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.engines.inside.office.samples import SAMPLES, Sample
from filewright.converter.engines.libreoffice_daemon import daemons, trouble_with
from filewright.converter.engines.libreoffice_helpers import Offices
from filewright.converter.engines.libreoffice_installation import Installation, installation, interpreter_of
from filewright.converter.engines.libreoffice_office import Answer, ColdOffice, Office, Order, emptied
from filewright.converter.engines.port import Work
from filewright.converter.errors import EngineCrashed

_log = get_logger(__name__)
_INSIDE = "filewright.converter.engines.inside.office"
_CHILDREN = 2000
_GROWTH_BYTES = 64 << 20
_SECONDS = 3600.0
_FIRST_COLD = 2
"""So many documents of a sandbox come from cold: a warm parent takes as long to start as four of them."""
_PAUSE_SECONDS = 600.0
"""How long nothing warm is tried after it failed."""
_TRIAL = Limits(wall_seconds=60, cpu_seconds=30, write_bytes=64 << 20)


def warm_parent(installed: Installation) -> WarmParent | None:
    """A parent with LibreOffice in it; None when the Python that its `uno` was built for is not there."""
    found = interpreter_of(installed)
    if found is None:
        return None
    interpreter, modules = found
    return WarmParent(
        arguments=(str(installed.root),),
        main=f"{_INSIDE}.warm_parent",
        interpreter=str(interpreter),
        python_path=(str(modules),),
        readable=installed.readable,
        has_directory=True,
        children=_CHILDREN,
        growth_bytes=_GROWTH_BYTES,
        seconds=_SECONDS,
    )


class FontsNotTaken(Exception):
    """The fonts of a party can not be added to those that the warm parent found when it started."""


@dataclass(frozen=True)
class WarmOffice:
    """A child of the warm parent for each conversion. Raises SandboxUnavailable when there is no such parent, and
    FontsNotTaken.
    """

    parent: WarmParent

    async def convert(self, work: Work, order: Order) -> Answer:
        product = work.out / f"{order.document.stem}.{order.export.extension}"
        call = _call(
            self.parent,
            document=work.inside(order.document),
            import_filter=order.import_filter,
            product=work.inside(product),
            export_filter=order.export.filter,
            options=order.export.options,
        )
        return _answer(await work.run(call))


def _call(parent: WarmParent, **arguments: str) -> PythonCall:
    return PythonCall(f"{_INSIDE}.desktop:convert", arguments, parent)


def _answer(outcome: Outcome) -> Answer:
    value = outcome.untrusted_value
    if outcome.ending is not Ending.COMPLETED or not isinstance(value, Mapping):
        raise EngineCrashed
    if value.get("has_fonts") is False:
        raise FontsNotTaken
    return Answer(value.get("opened") is True, outcome.untrusted_stdout.decode("utf-8", "replace").splitlines())


@dataclass(frozen=True)
class Rules:
    """Which ways the operator allows. The last one, a start from cold for each document, always is."""

    fork: bool = True
    daemon: bool = True
    documents: int = 1
    """That a child of the warm parent converts, all of one party."""
    jobs_dir: Path | None = None
    """Where what outlives a document has its own directory; None: nothing does."""


@dataclass
class Standing:
    """How far the ways that are not cold are to be trusted in one sandbox."""

    rules: Rules = field(default_factory=Rules)
    children: Offices | None = None
    daemons: Offices | None = None
    daemons_trouble: str = ""
    daemons_paused_until: float = 0.0
    is_missing: bool = False
    """LibreOffice is not here at all."""
    takes_fonts: bool = True
    """Children of the warm parent do, as far as is known."""
    trying: asyncio.Lock = field(default_factory=asyncio.Lock)
    documents: int = 0
    proven: bool = False
    trouble: str = ""
    paused_until: float = 0.0

    def fail(self, trouble: str) -> None:
        """Back to the cold way, for a while."""
        self.proven, self.trouble = False, trouble
        self.paused_until = time.monotonic() + _PAUSE_SECONDS
        _log.warning("office_is_cold", reason=trouble)

    def keep_cold(self, reason: str) -> None:
        """Nothing but cold starts in this sandbox, because somebody wants it so."""
        self.rules = replace(self.rules, daemon=False)
        self.proven, self.trouble, self.paused_until = False, reason, math.inf

    def facts(self) -> dict[str, str]:
        """For those who ask how documents are converted here."""
        if self.is_missing:
            return {
                "way": "basic",
                "reason": "LibreOffice is not installed; office2pdf makes PDFs of docx, pptx and xlsx",
            }
        if self.trouble and self.daemons is not None:
            return {"way": "daemon", "reason": self.trouble}
        if self.trouble:
            beside = f"; and no daemon: {self.daemons_trouble}" if self.daemons_trouble else ""
            return {"way": "cold", "reason": f"{self.trouble}{beside}"}
        return {"way": "warm" if self.proven else "not warm yet"}

    def children_of(self, parent: WarmParent, sandbox: Sandbox) -> Office:
        """A child for each document, or for several if that is what the operator wants."""
        if self.rules.documents == 1 or self.rules.jobs_dir is None:
            return WarmOffice(parent)
        if self.children is None:
            call = PythonCall(f"{_INSIDE}.helper:serve", {}, parent)
            self.children = Offices(sandbox, self.rules.jobs_dir, lambda: call, documents=self.rules.documents)
        return self.children

    async def leave(self, office: Office, trouble: str) -> None:
        """That way is no way any more."""
        if office is self.daemons:
            await self.leave_daemons(trouble)
        else:
            self.fail(trouble)

    async def leave_daemons(self, trouble: str) -> None:
        """They did not prove themselves, or do not start any more; for a while none is tried."""
        self.daemons_trouble, self.daemons_paused_until = trouble, time.monotonic() + _PAUSE_SECONDS
        _log.warning("office_daemon_is_off", reason=trouble)
        await self.dismiss_daemons()

    async def dismiss_daemons(self) -> None:
        """They are not needed for now."""
        daemons, self.daemons = self.daemons, None
        if daemons is not None:
            await daemons.close()

    async def close(self) -> None:
        """End what lasts longer than a document; before the sandbox is closed."""
        for helpers in (self.children, self.daemons):
            if helpers is not None:
                await helpers.close()
        self.children = self.daemons = None


_standings: dict[int, Standing] = {}
"""By the identity of the sandbox, while it is."""


def standing(sandbox: Sandbox) -> Standing:
    """What is known so far; kept for as long as the sandbox is."""
    key = id(sandbox)
    if key not in _standings:
        _standings[key] = Standing()
        finalize(sandbox, _standings.pop, key, None)
    return _standings[key]


@dataclass(frozen=True)
class BestOffice:
    """The best way that has proven itself here."""

    installed: Installation

    async def convert(self, work: Work, order: Order) -> Answer:
        now = standing(work.sandbox)
        now.documents += 1
        office = None
        if now.proven or now.daemons is not None or now.documents > _FIRST_COLD:
            office = await self._proven(work, order, now)
        if office is not None:
            try:
                return await office.convert(work, order)
            except SandboxUnavailable as error:
                await now.leave(office, str(error))
            except FontsNotTaken:
                now.takes_fonts = False
                _log.warning("office_takes_no_fonts", hint="documents of tenants with fonts come from cold")
            except EngineCrashed:
                # It may have been the document, or something that this way does not have. A fresh process tells.
                _log.warning("office_crashed", source=work.conversion.source, target=work.conversion.target)
            emptied(work.out)
        return await ColdOffice(self.installed).convert(work, order)

    async def _proven(self, work: Work, order: Order, now: Standing) -> Office | None:
        """What outlives a document knows no fonts of one party alone: with such, it is a child of its own, or cold."""
        if work.fonts is not None and not now.takes_fonts:
            return None
        scratch = work.workspace / "tmp"
        parent = await proven_parent(self.installed, work.sandbox, scratch)
        if parent is not None:
            await now.dismiss_daemons()
            alone = order.tells_names or work.fonts is not None
            return WarmOffice(parent) if alone else now.children_of(parent, work.sandbox)
        if order.tells_names or work.fonts is not None:
            return None
        return await proven_daemons(self.installed, work.sandbox, scratch)


async def proven_parent(installed: Installation, sandbox: Sandbox, scratch: Path) -> WarmParent | None:
    """The warm parent once its children have made of our own documents what they should, in a directory of `scratch`.

    None when there is none, or it failed and another attempt is not due yet; `standing` says why.
    """
    now = standing(sandbox)
    async with now.trying:
        if now.trouble and time.monotonic() < now.paused_until:
            return None
        parent = warm_parent(installed)
        if not now.rules.fork:
            now.trouble, now.paused_until = "FILEWRIGHT_OFFICE asks for it", math.inf
        elif parent is None:
            now.fail("Python's uno is missing (on Debian: apt-get install python3-uno)")
        elif sandbox.level < SandboxLevel.CONFINED:
            now.fail("this sandbox has no warm parents")
        elif not now.proven:
            trouble = await _trouble(parent, sandbox, scratch)
            if trouble:
                now.fail(trouble)
            now.proven, now.trouble = not trouble, trouble
        return parent if now.proven else None


async def proven_daemons(installed: Installation, sandbox: Sandbox, scratch: Path) -> Offices | None:
    """LibreOffices that listen, once one has made of our own documents what it should; None: not here, or not now."""
    now = standing(sandbox)
    async with now.trying:
        rules = now.rules
        if now.daemons is not None or not rules.daemon or rules.jobs_dir is None:
            return now.daemons
        if time.monotonic() < now.daemons_paused_until:
            return None
        try:
            found = daemons(installed, sandbox, rules.jobs_dir)
            trouble = await trouble_with(found, scratch)
        except SandboxUnavailable as error:
            trouble = str(error)
        else:
            now.daemons = found
        if trouble:
            await now.leave_daemons(trouble)
        else:
            now.daemons_trouble = ""
            _log.warning("office_is_a_daemon", reason=now.trouble)
        return now.daemons


async def try_warm(sandbox: Sandbox, scratch: Path) -> Standing:
    """Have the warm parent started and proven now, if LibreOffice is here at all."""
    found = installation()
    if found is None:
        standing(sandbox).is_missing = True
    elif await proven_parent(found, sandbox, scratch) is None:
        await proven_daemons(found, sandbox, scratch)
    return standing(sandbox)


async def _trouble(parent: WarmParent, sandbox: Sandbox, scratch: Path) -> str:
    place = scratch / "trial"
    place.mkdir()
    try:
        for sample in SAMPLES:
            trouble = await _trouble_with(sample, parent, sandbox, place)
            if trouble:
                return f"{sample.name}: {trouble}"
    except SandboxUnavailable as error:
        return str(error)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return ""


async def _trouble_with(sample: Sample, parent: WarmParent, sandbox: Sandbox, place: Path) -> str:
    source, product = place / f"{sample.name}.xml", place / f"{sample.name}.words"
    source.write_text(sample.document, encoding="utf-8")
    export_filter, options = sample.words
    call = _call(
        parent,
        document=source.name,
        import_filter=sample.flat,
        product=product.name,
        export_filter=export_filter,
        options=options,
    )
    outcome = await sandbox.run(call, workspace=place, limits=_TRIAL)
    if outcome.ending is not Ending.COMPLETED:
        return f"{outcome.ending} {outcome.untrusted_stderr[-300:].decode(errors='replace')!r}"
    said = product.read_text(encoding="utf-8", errors="replace") if product.is_file() else ""
    return "" if sample.says in said else "what came out is not what went in"
