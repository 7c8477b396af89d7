"""Engines that installed Python packages bring, by an entry point of the group `filewright.engines`.

An entry point names an object of the `Engine` protocol. Such a package runs in Filewright's own process, as every
package that is installed beside it could: what it converts with runs in the sandbox only because it uses the `Work` it
is given. Here only its manners are seen to: it can not take a name that is taken, and nothing it raises goes further.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from filewright.chassis.errors import ProblemError
from filewright.chassis.sandbox.port import SandboxUnavailable
from filewright.chassis.telemetry.logs import get_logger
from filewright.converter.engines.plugins.document import ENGINE_NAME
from filewright.converter.engines.plugins.problem import PluginError, Problem
from filewright.converter.engines.port import Availability, Conversion, Engine, Work
from filewright.converter.errors import EngineCrashed
from filewright.converter.formats.catalogue import FORMATS, Format, FormatClash, learn

GROUP = "filewright.engines"
log = get_logger(__name__)


def installed_entry_points() -> Sequence[EntryPoint]:
    """In the order of their names, which is the same on every machine."""
    return sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))


def load_engine(point: EntryPoint, *, taken: Collection[str] = ()) -> Engine:
    """The engine behind an entry point; its formats are known from then on. Raises PluginError."""
    where = _where(point)
    try:
        engine = point.load()
        problems = [Problem(where, what) for what in _mistakes(engine, taken)]
        formats = () if problems else tuple(getattr(engine, "formats", ()))
        problems += [Problem(where, what) for what in _foreign(formats, engine)] if not problems else []
    except (Exception, SystemExit) as error:
        raise PluginError(Problem(where, f"it cannot be loaded: {type(error).__name__}: {error}")) from error
    if problems:
        raise PluginError(*problems)
    try:
        learn(*formats)
    except FormatClash as error:
        raise PluginError(Problem(where, f"formats: {error}")) from None
    return WellMannered(engine, where)


class WellMannered:
    """An engine of others, whose surprises end as errors that a job can have."""

    def __init__(self, engine: Engine, origin: str) -> None:
        self.name = engine.name
        self.origin = origin
        self.conversions: Sequence[Conversion] = tuple(engine.conversions)
        self._engine = engine

    def check(self) -> Availability:
        try:
            return self._engine.check()
        except Exception as error:  # noqa: BLE001 - doctor has to go on
            return Availability(available=False, missing=f"it cannot be asked: {type(error).__name__}: {error}")

    async def convert(self, work: Work) -> Sequence[Path]:
        try:
            return await self._engine.convert(work)
        except (ProblemError, SandboxUnavailable):
            raise
        except Exception as error:
            log.exception("engine_failed", engine=self.name, origin=self.origin)
            raise EngineCrashed from error


def _mistakes(engine: object, taken: Collection[str]) -> Iterable[str]:
    if isinstance(engine, type):
        yield f"{engine.__name__}: give an object, not its class"
        return
    name = getattr(engine, "name", None)
    if not isinstance(name, str) or re.fullmatch(ENGINE_NAME, name) is None:
        yield f"name: {name!r} is none; use small letters, digits and `-`"
    elif name in taken:
        yield f"name: there is an engine called {name!r} already, which a plug-in never replaces; take another name"
    if not callable(getattr(engine, "check", None)):
        yield "check: this method is missing"
    if not inspect.iscoroutinefunction(getattr(engine, "convert", None)):
        yield "convert: this has to be a coroutine (`async def`)"
    conversions = getattr(engine, "conversions", None)
    if not isinstance(conversions, Sequence) or not all(isinstance(one, Conversion) for one in conversions):
        yield "conversions: give a sequence of `Conversion`"
    elif not conversions:
        yield "conversions: there are none"


def _foreign(formats: Sequence[object], engine: Engine) -> Iterable[str]:
    if not all(isinstance(one, Format) for one in formats):
        yield "formats: give a sequence of `Format`"
        return
    known = {*FORMATS, *(one.id for one in formats if isinstance(one, Format))}
    for one in engine.conversions:
        for name in (one.source, one.target):
            if name not in known:
                yield f"conversions: there is no format {name!r}; describe it in `formats`"


def _where(point: EntryPoint) -> str:
    package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else "a package"
    return f"{package}, entry point {point.name!r} ({point.value})"
