"""Hold a set of results against one from before: file by file, and what it comes to."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.port import Ending, Limits, PythonCall, Sandbox
from filewright.chassis.sandbox.workspace import Workspace
from filewright.converter.comparing.results import Result, ResultSet
from filewright.converter.formats.catalogue import FORMATS

_COMPARE = "filewright.converter.comparing.inside.products:compare"
_WARM = ("filewright.converter.comparing.inside.products",)
_LIMITS = Limits(wall_seconds=120, memory_bytes=2 << 30, write_bytes=256 << 20)
_ALIKE = 0.95
"""As `conversion.inside.fidelity.likeness.ALIKE`, which this process does not load."""
_ALL_WORDS = 0.999
_LARGEST_PICTURE = 16 << 20


class Verdict(StrEnum):
    """What became of a file, the gravest first."""

    FAILS = "fails"
    """It was converted before."""
    DIFFERS = "differs"
    """Pages, words or looks are not what they were."""
    UNREADABLE = "unreadable"
    """One of the two products could not be read."""
    NOT_COMPARABLE = "not comparable"
    """The file itself is another one by now, or another format was made of it."""
    ONLY_BEFORE = "only before"
    ONLY_NOW = "only now"
    WORKS = "works"
    """It failed before."""
    FAILS_AS_BEFORE = "fails as before"
    ALIKE = "alike"
    SAME = "same"
    """To the byte."""


WORSE = frozenset({Verdict.FAILS, Verdict.DIFFERS, Verdict.UNREADABLE})
"""What somebody should look at before an upgrade."""
_GRAVITY = {verdict: number for number, verdict in enumerate(Verdict)}


@dataclass(frozen=True)
class Pair:
    """One file in both sets."""

    source: str
    verdict: Verdict
    before: Result | None
    now: Result | None
    recall: float | None = None
    """Of the words of the product before, the part that is in the one now."""
    likeness: tuple[float, ...] = ()
    """Page by page."""
    pictures: tuple[bytes, bytes] | None = field(default=None, repr=False)
    """The page that is the least alike, before and now, as PNG."""

    @property
    def worst(self) -> float | None:
        """How alike that page is."""
        return min(self.likeness, default=None)

    @property
    def worst_page(self) -> int | None:
        """Counted from 1."""
        return self.likeness.index(min(self.likeness)) + 1 if self.likeness else None

    def as_json(self) -> dict[str, Any]:
        """Without the pictures."""
        return {
            "source": self.source,
            "verdict": self.verdict.value,
            "before": _shown(self.before),
            "now": _shown(self.now),
            "recall": _rounded(self.recall),
            "likeness": [_rounded(page) for page in self.likeness],
            "worst_page": self.worst_page,
        }


@dataclass(frozen=True)
class Comparison:
    """Everything, the gravest first."""

    before: ResultSet
    now: ResultSet
    pairs: tuple[Pair, ...]

    @property
    def is_worse(self) -> bool:
        return any(pair.verdict in WORSE for pair in self.pairs)

    def counts(self) -> Mapping[str, int]:
        """How many of each verdict there are."""
        found = [pair.verdict for pair in self.pairs]
        return {verdict.value: found.count(verdict) for verdict in Verdict if verdict in found}

    def as_json(self) -> dict[str, Any]:
        return {
            "engine": self.now.engine,
            "before": {"engine": self.before.engine, "version": self.before.version},
            "now": {"engine": self.now.engine, "version": self.now.version},
            "counts": dict(self.counts()),
            "files": [pair.as_json() for pair in self.pairs],
        }


async def compared(before: ResultSet, now: ResultSet, *, sandbox: Sandbox, jobs_dir: Path) -> Comparison:
    """Every file of either set. Raises NotASavedSet when a product that a set names is not in it."""
    pairs = [pair async for pair in _pairs(before, now, sandbox, jobs_dir)]
    pairs.sort(key=lambda pair: (_GRAVITY[pair.verdict], 1.0 if pair.worst is None else pair.worst, pair.source))
    return Comparison(before, now, tuple(pairs))


async def _pairs(before: ResultSet, now: ResultSet, sandbox: Sandbox, jobs_dir: Path) -> AsyncIterator[Pair]:
    for source in sorted({*before.results, *now.results}):
        first, second = before.results.get(source), now.results.get(source)
        if first is None or second is None:
            yield Pair(source, Verdict.ONLY_NOW if first is None else Verdict.ONLY_BEFORE, first, second)
        elif (verdict := _without_looking(first, second)) is not None:
            yield Pair(source, verdict, first, second)
        else:
            yield await _looked_at(before, now, first, second, sandbox, jobs_dir)


def _without_looking(first: Result, second: Result) -> Verdict | None:
    if first.sha256 != second.sha256 or first.target != second.target:
        return Verdict.NOT_COMPARABLE
    if first.failed or second.failed:
        if first.failed and second.failed:
            return Verdict.FAILS_AS_BEFORE
        return Verdict.WORKS if first.failed else Verdict.FAILS
    if first.products != second.products:
        return Verdict.DIFFERS
    return Verdict.SAME if first.digest == second.digest else None


async def _looked_at(
    before: ResultSet, now: ResultSet, first: Result, second: Result, sandbox: Sandbox, jobs_dir: Path
) -> Pair:
    with Workspace.create(jobs_dir) as workspace:
        names = []
        for name, held, result in (("before", before, first), ("now", now, second)):
            given = f"in/{name}.{FORMATS[result.target].extension}"
            await asyncio.to_thread(shutil.copyfile, held.product_of(result), workspace.path / given)
            names.append(given)
        call = PythonCall(_COMPARE, {"before": names[0], "after": names[1], "format_id": first.target}, _WARM)
        outcome = await sandbox.run(call, workspace=workspace.path, limits=_LIMITS)
        seen = _seen(outcome.untrusted_value) if outcome.ending is Ending.COMPLETED else None
        if seen is None:
            return Pair(first.source, Verdict.UNREADABLE, first, second)
        pages, recall, likeness = seen
        pictures = await asyncio.to_thread(_pictures, workspace.path / "out") if likeness else None
    differs = (
        len(set(pages)) > 1
        or min(likeness, default=1.0) < _ALIKE
        or (recall if recall is not None else 1.0) < _ALL_WORDS
    )
    verdict = Verdict.DIFFERS if differs else Verdict.ALIKE
    return Pair(first.source, verdict, first, second, recall, likeness, pictures)


def _seen(untrusted: Any) -> tuple[tuple[object, ...], float | None, tuple[float, ...]] | None:
    """What the child said, if it has the shape of it."""
    try:
        recall = untrusted["recall"]
        return (
            tuple(untrusted["pages"]),
            None if recall is None else float(recall),
            tuple(float(page) for page in untrusted["likeness"]),
        )
    except (TypeError, KeyError, ValueError):
        return None


def _pictures(out: Path) -> tuple[bytes, bytes] | None:
    paths = [out / f"{name}.png" for name in ("before", "after")]
    if any(path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_PICTURE for path in paths):
        return None
    first, second = (path.read_bytes() for path in paths)
    return first, second


def _shown(result: Result | None) -> dict[str, Any] | None:
    if result is None:
        return None
    shown: dict[str, Any] = {"seconds": result.seconds}
    if result.failed:
        return {**shown, "code": result.code, "detail": result.detail}
    return {
        **shown,
        "products": result.products,
        "bytes": result.bytes,
        "pages": result.pages,
        "text_recall": result.text_recall,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
