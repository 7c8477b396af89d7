"""LibreOffice out of a warm parent: a fork for each conversion, at a quarter of what a start from cold costs.

`WarmOffice` is that. `BestOffice` is what the engine uses: once there is more than a document or two to convert, it has
the warm parent prove itself, uses it for as long as it works, and otherwise goes by `soffice.bin` and can say why.
Nothing that a caller sees depends on which it was, but for the time.
"""

from __future__ import annotations

import asyncio
import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from filewright.converter.engines.libreoffice_installation import Installation, installation
from filewright.converter.engines.libreoffice_office import Answer, ColdOffice, Order, emptied
from filewright.converter.engines.port import Work
from filewright.converter.errors import EngineCrashed

_log = get_logger(__name__)
_INSIDE = "filewright.converter.engines.inside.office"
_DEBIANS_MODULES = Path("/usr/lib/python3/dist-packages")
_DEBIANS_PYTHON = Path("/usr/bin/python3")
_CHILDREN = 500
_GROWTH_BYTES = 64 << 20
_SECONDS = 3600.0
_FIRST_COLD = 2
"""So many documents of a sandbox come from cold: a warm parent takes as long to start as four of them."""
_PAUSE_SECONDS = 600.0
"""How long nothing warm is tried after it failed."""
_TRIAL = Limits(wall_seconds=60, cpu_seconds=30, write_bytes=64 << 20)


def warm_parent(installed: Installation) -> WarmParent | None:
    """A parent with LibreOffice in it; None when the Python that its `uno` was built for is not there."""
    places = ((_DEBIANS_PYTHON, _DEBIANS_MODULES), (installed.root / "program" / "python", installed.root / "program"))
    for interpreter, modules in places:
        if interpreter.exists() and (modules / "uno.py").exists():
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
    return None


@dataclass(frozen=True)
class WarmOffice:
    """A child of the warm parent for each conversion. Raises SandboxUnavailable when there is no such parent."""

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
    return Answer(value.get("opened") is True, outcome.untrusted_stdout.decode("utf-8", "replace").splitlines())


@dataclass
class Standing:
    """How far the warm parent is to be trusted in one sandbox."""

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
        """No warm parent in this sandbox, because somebody wants it so."""
        self.proven, self.trouble, self.paused_until = False, reason, math.inf

    def facts(self) -> dict[str, str]:
        """For those who ask how documents are converted here."""
        if self.trouble:
            return {"way": "cold", "reason": self.trouble}
        return {"way": "warm" if self.proven else "not warm yet"}


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
    """Warm where that has proven itself here, cold otherwise."""

    installed: Installation

    async def convert(self, work: Work, order: Order) -> Answer:
        now = standing(work.sandbox)
        now.documents += 1
        parent = None
        if now.proven or now.documents > _FIRST_COLD:
            parent = await proven_parent(self.installed, work.sandbox, work.workspace / "tmp")
        if parent is not None:
            try:
                return await WarmOffice(parent).convert(work, order)
            except SandboxUnavailable as error:
                now.fail(str(error))
            except EngineCrashed:
                # It may have been the document, or something that a fork does not have. A process of its own tells.
                _log.warning("office_fork_crashed", source=work.conversion.source, target=work.conversion.target)
            emptied(work.out)
        return await ColdOffice(self.installed).convert(work, order)


async def proven_parent(installed: Installation, sandbox: Sandbox, scratch: Path) -> WarmParent | None:
    """The warm parent once its children have made of our own documents what they should, in a directory of `scratch`.

    None when there is none, or it failed and another attempt is not due yet; `standing` says why.
    """
    now = standing(sandbox)
    async with now.trying:
        if now.trouble and time.monotonic() < now.paused_until:
            return None
        parent = warm_parent(installed)
        if parent is None:
            now.fail("Python's uno is missing (on Debian: apt-get install python3-uno)")
        elif sandbox.level < SandboxLevel.CONFINED:
            now.fail("this sandbox has no warm parents")
        elif not now.proven:
            trouble = await _trouble(parent, sandbox, scratch)
            if trouble:
                now.fail(trouble)
            now.proven, now.trouble = not trouble, trouble
        return parent if now.proven else None


async def try_warm(sandbox: Sandbox, scratch: Path) -> Standing:
    """Have the warm parent started and proven now, if LibreOffice is here at all."""
    found = installation()
    if found is None:
        standing(sandbox).keep_cold("LibreOffice is not installed")
    else:
        await proven_parent(found, sandbox, scratch)
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
