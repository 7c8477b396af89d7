"""One file, one target: how it ended and what became of the facts. What tests assert on and the page is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from corpus.bench import Bench, Ending
from corpus.cases import Case
from corpus.facts.checking import verdicts
from corpus.facts.delivery import Delivery

REFUSALS: Mapping[str, frozenset[str]] = {
    "password-required": frozenset({"password_required"}),
    "corrupt": frozenset({"corrupt_input"}),
    "truncated": frozenset({"corrupt_input"}),
    "malformed": frozenset({"corrupt_input"}),
    "malformed-deep": frozenset({"corrupt_input"}),
    "missing-volume": frozenset({"corrupt_input"}),
    "empty": frozenset({"empty_input"}),
    "too-many-pixels": frozenset({"image_too_large"}),
    "wrong-extension": frozenset({"type_mismatch"}),
}
"""The codes that are right for each reason to refuse."""
REFUSAL_SECONDS = 60.0


@dataclass(frozen=True)
class Tried:
    """One line of the results."""

    file: str
    target: str
    source_format: str
    code: str = ""
    """Empty when it converted, or was refused as it should be."""
    detail: str = ""
    seconds: float = 0.0
    engines: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    products: int = 0
    kept: tuple[str, ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)
    refused_with: str = ""

    @property
    def fine(self) -> bool:
        return not self.code and not self.lost

    def summary(self) -> str:
        """One line for people."""
        reason = self.code or "; ".join(f"{name}: {why}" for name, why in self.lost.items())
        return f"{self.file} ({self.source_format}) → {self.target}: {reason} {self.detail.strip()[-600:]}"

    def as_json(self) -> Mapping[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Tried:
        lists = {name: tuple(record[name]) for name in ("engines", "tried", "kept")}
        return cls(**{**record, **lists})


async def try_target(bench: Bench, case: Case, target: str, folder: Path) -> Tried:
    """Convert and check the facts."""
    path = case.place(folder)
    try:
        source_format = await bench.format_of(path, case.filename)
    except Exception as error:
        return Tried(case.name, target, "?", code=getattr(error, "code", "defect"), detail=str(error))
    async with bench.converting(path, case.filename, target) as ending:
        if not ending.converted:
            return _failed(case, source_format, ending)
        delivery = Delivery(source_format, target, ending.products)
        found = await asyncio.to_thread(verdicts, case.facts, delivery)
        return Tried(
            case.name,
            target,
            source_format,
            seconds=round(ending.seconds, 2),
            engines=ending.engines,
            tried=ending.tried,
            products=len(ending.products),
            kept=tuple(verdict.fact for verdict in found if not verdict.lost),
            lost={verdict.fact: verdict.lost for verdict in found if verdict.lost},
        )


async def refusal_of(bench: Bench, case: Case, target: str, folder: Path) -> Tried:
    """A file that must be refused, sent to the first target that people would ask for."""
    path = case.place(folder)
    async with bench.converting(path, case.filename, refusing_target(case.filename), seconds=REFUSAL_SECONDS) as ending:
        right = ending.code in REFUSALS[str(case.refused_for)]
        return Tried(
            case.name,
            target,
            ending.source_format,
            code="" if right else ending.code or "converted",
            detail="" if right else ending.detail,
            seconds=round(ending.seconds, 2),
            refused_with=ending.code,
        )


def refusing_target(filename: str) -> str:
    """A target that every kind of file of that name can become, so that only the file is in the way."""
    ending = filename.rsplit(".", 1)[-1].lower()
    return {
        **dict.fromkeys(("zip", "7z"), "tar.gz"),
        **dict.fromkeys(("wav", "mp3"), "flac"),
        **dict.fromkeys(("json", "parquet"), "csv"),
        **dict.fromkeys(("avif", "jpg", "pdf", "xlsx"), "png"),
        "vtt": "srt",
        "mp4": "webm",
    }.get(ending, "pdf")


def _failed(case: Case, source_format: str, ending: Ending) -> Tried:
    return Tried(
        case.name,
        ending.target,
        source_format,
        code=ending.code,
        detail=ending.detail,
        seconds=round(ending.seconds, 2),
    )
