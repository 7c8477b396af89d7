"""A converter that stands in for the engines, because these tests are about HTTP.

A text that begins with `!fail`, `!locked`, `!many N` or `!wait` makes the job do so; anything else is copied in upper
case.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filewright.chassis.clock import Clock
from filewright.chassis.sandbox.port import Sandbox
from filewright.converter.conversion import checks
from filewright.converter.conversion.converter import Converter
from filewright.converter.conversion.orders import Assignment, Converted, Hop, Product, Stage
from filewright.converter.engines.port import Availability, Conversion, Loss, Work
from filewright.converter.engines.registry import Registry
from filewright.converter.errors import Cancelled, CorruptInput, PasswordRequired
from filewright.converter.formats.catalogue import FORMATS


class ObedientEngine:
    """Declares a few conversions between texts."""

    name = "obedient"
    conversions: Sequence[Conversion] = (
        Conversion("txt", "md", cost=10, loss=Loss.NONE),
        Conversion("txt", "html", cost=20, options={"title": {"type": "string", "default": ""}}),
        Conversion("txt", "png", cost=30, loss=Loss.MOST, many=True),
        Conversion("csv", "json", cost=10, loss=Loss.NONE),
    )

    def check(self) -> Availability:
        return Availability(available=True, version="1.0")

    async def convert(self, work: Work) -> Sequence[Path]:
        raise NotImplementedError("the obedient converter does the work")


@dataclass(frozen=True)
class Gate:
    """What jobs that `!wait` wait for: a file, so that every process of a service sees it."""

    path: Path

    def set(self) -> None:
        """Let them go on."""
        self.path.touch()

    def clear(self) -> None:
        """Hold those that come."""
        self.path.unlink(missing_ok=True)

    def is_set(self) -> bool:
        return self.path.exists()


class ObedientConverter(Converter):
    """The real one's plans; the work is what the text says."""

    def __init__(self, sandbox: Sandbox, clock: Clock, go_on: Gate) -> None:
        super().__init__(Registry([ObedientEngine()]), sandbox, clock=clock)
        self.go_on = go_on

    async def convert(
        self,
        assignment: Assignment,
        *,
        workspace: Path,
        on_stage: Callable[[Stage], None] = lambda _: None,
        on_progress: Callable[[float], None] = lambda _: None,
        cancel: asyncio.Event | None = None,
    ) -> Converted:
        assert cancel is not None
        text = assignment.source.read_bytes()
        on_progress(0.5)
        if text.startswith(b"!fail"):
            raise CorruptInput("The file is torn in two.")
        if text.startswith(b"!locked") and assignment.password != "sesame":
            raise PasswordRequired
        if text.startswith(b"!wait"):
            await self._wait(cancel)
        count = int(text.split()[1]) if text.startswith(b"!many") else 1
        products = tuple(self._product(assignment, workspace, text.upper(), n, count) for n in range(count))
        hop = Hop("obedient", "1.0", assignment.source_format or "txt", assignment.target_format, lossy=False)
        return Converted(hop.source, hop.target, (hop,), products, 0.01)

    async def _wait(self, cancel: asyncio.Event) -> None:
        while not self.go_on.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(cancel.wait(), 0.02)
            if cancel.is_set():
                raise Cancelled

    def _product(self, assignment: Assignment, workspace: Path, data: bytes, n: int, count: int) -> Product:
        known = FORMATS[assignment.target_format]
        path = workspace / "out" / f"output-{n}.{known.extension}"
        path.write_bytes(data if count == 1 else data + b" " + str(n + 1).encode())
        stem = assignment.filename.rpartition(".")[0] or assignment.filename
        name = f"{stem}.{known.extension}" if count == 1 else f"{stem}-{n + 1}.{known.extension}"
        return Product(path, name, known.id, known.media_type, checks.seen(path))
