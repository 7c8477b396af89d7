"""Where an attack is let loose on the real converter, with a healthy job beside it, and judged by every oracle.

O1 no canary was reached · O2 no secret is in a product or an error · O3 limits were kept, also by this process ·
O4 no process, mount or file is left · O5 the healthy job beside it is fine · O6 the answer is one that was stated.
O7, that a harmless twin converts, is a test of its own.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field, replace
from pathlib import Path

from makers.attack import CONVERTED, Attack, Bait, Twin
from oracles import watching
from oracles.planted import Planted
from oracles.watching import Watched

from filewright.chassis.sandbox.port import Sandbox
from filewright.chassis.sandbox.workspace import Workspace
from filewright.converter.conversion.converter import Converter
from filewright.converter.conversion.orders import Assignment
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.errors import ConversionError
from filewright.converter.tiers import LOCAL

TIER = replace(
    LOCAL,
    max_memory_bytes=1024 << 20,
    max_output_bytes=128 << 20,
    max_pixels=50_000_000,
    max_pages=200,
)
"""Small, so that what grows without end meets its limit soon."""
_OWN_MEMORY = 192 << 20
_HEALTHY = b"# Healthy\n\nThis job has done nothing wrong.\n"


@dataclass
class Verdict:
    """How it ended, and what there is to look at."""

    answer: str
    error: str = ""
    products: list[Path] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class Arena:
    """One for all attacks; they run one after the other, because the oracles are shared."""

    def __init__(self, sandbox: Sandbox, jobs_dir: Path, bait: Bait, kept: Path) -> None:
        self.watched = Watched(sandbox)
        self.converter = Converter(Registry(standard_engines()), self.watched)
        self.bait = bait
        self._jobs_dir = jobs_dir
        self._kept = kept
        self._count = itertools.count()

    async def attack(self, attack: Attack, target: str) -> Verdict:
        """Let it loose; the verdict's `complaints` are what no attack may achieve."""
        data = attack.make(self.bait)
        before, mounted = watching.processes(), watching.mounts()
        self.bait.canaries.take()
        self.watched.exceeded()
        memory = watching.forget_peak()
        verdict, healthy = await asyncio.gather(
            self.convert(attack.filename, data, target, attack.source_format, attack.seconds),
            self.convert("a.md", _HEALTHY, "html"),
        )
        grown = watching.peak() - memory
        verdict.complaints += [f"reached a canary: {hit}" for hit in self.bait.canaries.take()]
        verdict.complaints += secrets_in(self.bait.planted, verdict)
        verdict.complaints += [f"wrote {path}" for path in self.bait.planted.written()]
        verdict.complaints += self.watched.exceeded()
        verdict.complaints += [f"left process {pid}" for pid in await watching.left_since(before)]
        verdict.complaints += [f"left mount {path}" for path in set(watching.mounts()) - set(mounted)]
        if grown > _OWN_MEMORY + 4 * len(data):
            verdict.complaints.append(f"this process grew by {grown:,} bytes")
        if healthy.answer != CONVERTED or b"done nothing wrong" not in healthy.products[0].read_bytes():
            verdict.complaints.append(f"the healthy job beside it ended as {healthy.answer} {healthy.error}")
        if verdict.answer not in attack.answers:
            verdict.complaints.append(f"answered {verdict.answer} ({verdict.error}), not {sorted(attack.answers)}")
        return verdict

    async def twin(self, twin: Twin) -> Verdict:
        """A file that must convert."""
        return await self.convert(twin.filename, twin.make(), twin.target)

    async def convert(
        self, filename: str, data: bytes, target: str, source_format: str | None = None, seconds: float = 30.0
    ) -> Verdict:
        """As a worker does it; products are copied out of the workspace, which is gone afterwards."""
        number = next(self._count)
        with Workspace.create(self._jobs_dir, f"attack-{number}") as workspace:
            source = workspace.inputs / "upload"
            source.write_bytes(data)
            assignment = Assignment(
                source, filename, target, replace(TIER, max_wall_seconds=seconds), source_format=source_format
            )
            try:
                done = await self.converter.convert(assignment, workspace=workspace.path)
            except ConversionError as error:
                return Verdict(error.code, f"{error} {vars(error)}")
            products = []
            for n, product in enumerate(done.products):
                kept = self._kept / f"{number}-{n}.{product.format}"
                product.path.rename(kept)
                products.append(kept)
            return Verdict(CONVERTED, products=products)


def secrets_in(planted: Planted, verdict: Verdict) -> list[str]:
    """In products and their names, and in what a caller is told of an error."""
    found = [f"the error tells the secret of {name}" for name in planted.found_in(verdict.error.encode())]
    for product in verdict.products[:20]:
        found += [f"{product.name} holds the secret of {name}" for name in planted.found_in_file(product)]
    return found
