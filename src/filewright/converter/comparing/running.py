"""Let one engine convert every file of a folder, with nothing that another engine could help out with."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from filewright.chassis.errors import ProblemError
from filewright.chassis.sandbox.port import Sandbox
from filewright.chassis.sandbox.workspace import Workspace
from filewright.converter.comparing.results import Result, place_for
from filewright.converter.conversion.converter import Converter
from filewright.converter.conversion.orders import Assignment, Converted
from filewright.converter.engines.port import Engine
from filewright.converter.engines.registry import Registry
from filewright.converter.errors import InputError
from filewright.converter.formats.catalogue import FORMATS
from filewright.converter.tiers import LOCAL

_PREFERRED = "pdf"
"""Of what an engine makes of a format: what can be looked at page by page."""


@dataclass(frozen=True)
class Run:
    """One engine, one folder to convert, one to keep the products in."""

    engine: Engine
    sandbox: Sandbox
    jobs_dir: Path
    keep: Path
    target: str | None = None
    """None: a PDF where the engine makes one, else what it names first."""

    async def results(self, folder: Path) -> AsyncIterator[Result]:
        """As they come, by name. Files that the engine does not take are left out."""
        converter = Converter(Registry([self.engine]), self.sandbox)
        number = 0
        for path in files_of(folder):
            target = await self._target(converter, path)
            if target is not None:
                number += 1
                yield await self._result(converter, path, path.relative_to(folder).as_posix(), target, number)

    async def _target(self, converter: Converter, path: Path) -> str | None:
        """What to make of it; None for a file that is nothing for this engine, or not to be read by anybody."""
        try:
            found = (await converter.inspect(path, path.name, tier=LOCAL)).format
        except (ProblemError, OSError):
            return None
        targets = [each.target for each in self.engine.conversions if each.source == found and each.target != found]
        if self.target is not None:
            return self.target if self.target in targets else None
        return _PREFERRED if _PREFERRED in targets else next(iter(targets), None)

    async def _result(self, converter: Converter, path: Path, source: str, target: str, number: int) -> Result:
        sha256 = await asyncio.to_thread(_digest, path)
        with Workspace.create(self.jobs_dir) as workspace:
            started = time.monotonic()
            try:
                done = await converter.convert(Assignment(path, path.name, target, LOCAL), workspace=workspace.path)
            except ProblemError as error:
                detail = (error.detail or error.title) if isinstance(error, InputError) else error.title
                return Result(source, sha256, target, _since(started), code=error.code, detail=detail)
            took = _since(started)
            kept = place_for(self.keep, number, FORMATS[target].extension)
            await asyncio.to_thread(shutil.copyfile, done.products[0].path, self.keep / kept)
            return _of(done, source, sha256, took, kept)


def files_of(folder: Path) -> Iterator[Path]:
    """All below it that are plain files and not hidden, by name."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not path.is_symlink() and not hidden:
            yield path


def _of(done: Converted, source: str, sha256: str, seconds: float, kept: str) -> Result:
    first = done.products[0]
    return Result(
        source,
        sha256,
        done.target_format or first.format or "",
        seconds,
        products=len(done.products),
        bytes=sum(product.bytes for product in done.products),
        digest=first.sha256,
        pages=first.pages,
        text_recall=done.fidelity.text_recall if done.fidelity is not None else None,
        product=kept,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
