"""Send a file through the real converter, as a caller would, and say how that ended. Nothing is faked, nothing raises.

An ending is a success with products, a refusal or failure with one of the product's codes, or a defect: an exception
that no caller should ever see, a product that is not what the converter said, or a file left behind.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.port import SandboxLevel
from filewright.chassis.sandbox.workspace import Workspace
from filewright.converter.commands.workbench import open_workbench
from filewright.converter.conversion.converter import Converter
from filewright.converter.conversion.orders import Assignment, Converted
from filewright.converter.engines.registry import Registry
from filewright.converter.errors import ConversionError, EngineCrashed, InputError, LimitError
from filewright.converter.routing.planner import Route
from filewright.converter.tiers import LOCAL

SECONDS = 120.0
"""What one conversion may take on a busy machine; the tier's own limit is longer."""
TOO_SLOW = "too_slow"
"""Given up by the suite, before the tier's own limit would have ended it."""


@dataclass(frozen=True)
class Ending:
    """How one conversion ended."""

    target: str
    seconds: float
    source_format: str = ""
    engines: tuple[str, ...] = ()
    products: tuple[Path, ...] = ()
    code: str = ""
    """The product's code for a refusal or a failure; `defect` for what no caller should see."""
    detail: str = ""
    tried: tuple[str, ...] = field(default=())
    """Engines that failed before another succeeded."""
    fidelity: Mapping[str, Any] | None = None
    """How true the product is said to be."""

    @property
    def converted(self) -> bool:
        return bool(self.products)

    @property
    def typed(self) -> bool:
        """It converted, or said in a stable code why it is the file's own fault, or too much."""
        return self.converted or self.code not in {"defect", TOO_SLOW, EngineCrashed.code, "internal"}


class Bench:
    """The engines of this machine, and a directory to work in."""

    def __init__(self, converter: Converter, registry: Registry, jobs_dir: Path) -> None:
        self.converter = converter
        self.registry = registry
        self._jobs_dir = jobs_dir

    async def format_of(self, path: Path, filename: str, password: str | None = None) -> str:
        """What the converter takes the file for; raises the converter's errors."""
        return (await self.converter.inspect(path, filename, tier=LOCAL, password=password)).format

    def promised(self, source_format: str) -> Sequence[Route]:
        """Every target that the formats page lists for a format."""
        return self.converter.planner.targets(source_format)

    @asynccontextmanager
    async def converting(
        self,
        path: Path,
        filename: str,
        target: str,
        *,
        password: str | None = None,
        options: Mapping[str, Any] | None = None,
        seconds: float = SECONDS,
    ) -> AsyncIterator[Ending]:
        """Convert; the products live as long as the context."""
        with Workspace.create(self._jobs_dir) as workspace:
            assignment = Assignment(
                source=path,
                filename=filename,
                target_format=target,
                tier=LOCAL,
                options=options or {},
                password=password,
            )
            started = time.monotonic()
            try:
                converted = await asyncio.wait_for(
                    self.converter.convert(assignment, workspace=workspace.path), timeout=seconds
                )
            except ConversionError as error:
                fault = "" if isinstance(error, (InputError, LimitError)) else f"{error!r} "
                ending = failure(target, started, error.code, f"{fault}{error.detail or error.title}")
            except TimeoutError:
                ending = failure(target, started, TOO_SLOW, f"still at work after {seconds:.0f} s")
            except Exception:
                ending = failure(target, started, "defect", traceback.format_exc())
            else:
                ending = _judge(target, started, converted)
            yield ending


@asynccontextmanager
async def open_bench(jobs_dir: Path) -> AsyncIterator[Bench]:
    """The standard engines in the strongest sandbox that this machine gives."""
    async with open_workbench(jobs_dir, SandboxLevel.CONFINED) as opened:
        yield Bench(opened.converter, opened.registry, jobs_dir)


def failure(target: str, started: float, code: str, detail: str) -> Ending:
    """An ending without products."""
    return Ending(target=target, seconds=time.monotonic() - started, code=code, detail=detail)


def _judge(target: str, started: float, converted: Converted) -> Ending:
    """What the converter says of its products must be so."""
    for product in converted.products:
        data = product.path.read_bytes()
        if (len(data), hashlib.sha256(data).hexdigest()) != (product.bytes, product.sha256) or not data:
            return failure(target, started, "defect", f"{product.name} is not what the converter said")
    return Ending(
        target=target,
        seconds=time.monotonic() - started,
        source_format=converted.source_format,
        engines=tuple(hop.engine for hop in converted.route),
        products=tuple(product.path for product in converted.products),
        tried=converted.fallen_back_from,
        fidelity=None if converted.fidelity is None else converted.fidelity.as_json(),
    )
