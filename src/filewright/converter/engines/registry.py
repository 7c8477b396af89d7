"""Which engines are installed here, at which version, and what they can do.

The registry asks each engine once and remembers; `refresh()` asks again. Finding a way through the conversions is
`routing`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from filewright.converter.engines.port import Availability, Conversion, Engine


@dataclass(frozen=True)
class Diagnosis:
    """What `doctor` says about one engine."""

    engine: str
    available: bool
    version: str
    missing: str
    install: str
    conversions: int
    origin: str = ""
    """The file or package of a plug-in; empty for what Filewright brings."""


class Registry:
    """The engines of one process. Names are unique."""

    def __init__(self, engines: Iterable[Engine]) -> None:
        self._engines: dict[str, Engine] = {}
        for engine in engines:
            if engine.name in self._engines:
                raise ValueError(f"two engines are called {engine.name!r}")
            self._engines[engine.name] = engine
        self._checks: dict[str, Availability] = {}

    def engine(self, name: str) -> Engine:
        """The engine of that name; KeyError for a name that is not in the list."""
        return self._engines[name]

    def availability(self, name: str) -> Availability:
        """What the engine said when it was asked last."""
        if name not in self._checks:
            self._checks[name] = self._engines[name].check()
        return self._checks[name]

    def version(self, name: str) -> str:
        """The version to show in routes; empty when the engine is not installed."""
        return self.availability(name).version

    def refresh(self) -> None:
        """Forget what the engines said, so that the next question asks them again."""
        self._checks.clear()

    def abilities(self) -> Sequence[tuple[str, Conversion]]:
        """What can be done here: name of the engine and conversion, of engines that are installed."""
        return [(name, conversion) for name, conversion in self.declared() if self.availability(name).available]

    def declared(self) -> Sequence[tuple[str, Conversion]]:
        """What could be done with every engine installed."""
        return [(engine.name, conversion) for engine in self._engines.values() for conversion in engine.conversions]

    def diagnose(self) -> Sequence[Diagnosis]:
        """A row per engine, in the order of the list."""
        return [self._diagnosis(engine) for engine in self._engines.values()]

    def _diagnosis(self, engine: Engine) -> Diagnosis:
        found = self.availability(engine.name)
        return Diagnosis(
            engine=engine.name,
            available=found.available,
            version=found.version,
            missing=found.missing,
            install=found.install,
            conversions=len(engine.conversions),
            origin=getattr(engine, "origin", ""),
        )
