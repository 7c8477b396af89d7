"""Conversions by day, kind of file and target: how many, how many well, how long.

What is counted is every end of a job that its owner did not bring about by deleting it: a job that failed, was ordered
again and succeeded is two. It is counted on the day (UTC) on which it ended, for as long as the job is remembered.

How long is what the attempt took that succeeded, from claim to commit. Days and targets are stored with a small
histogram each, because medians of parts give no median of the whole; histograms add up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from filewright.converter.formats.catalogue import FORMATS

BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds; each column of the histogram counts what took no longer than its bound, the last one everything."""
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Counted:
    """One row of the report's source."""

    day: date
    source_format: str
    target_format: str
    conversions: int
    succeeded: int
    seconds: float
    """Of all that succeeded, together."""
    within: tuple[int, ...]
    """How many of those took no longer than each of `BOUNDS`, and how many there are."""


@dataclass(frozen=True)
class ConversionsOfDay:
    """One line of the report."""

    day: date
    family: str
    target: str
    conversions: int
    succeeded: int
    success_share: float
    seconds_mean: float | None
    """None where nothing succeeded."""
    seconds_p50: float | None
    seconds_p95: float | None


def report(counted: Iterable[Counted], since: date) -> Sequence[ConversionsOfDay]:
    """Newest day first, then the most converted."""
    groups: defaultdict[tuple[date, str, str], list[Counted]] = defaultdict(list)
    for row in counted:
        if row.day >= since:
            groups[row.day, family_of(row.source_format), row.target_format or UNKNOWN].append(row)
    lines = (_line(*key, rows) for key, rows in groups.items())
    return sorted(lines, key=lambda line: (-line.day.toordinal(), -line.conversions, line.family, line.target))


def family_of(format_id: str) -> str:
    """The family of a format; of one that is not known any more: unknown."""
    known = FORMATS.get(format_id)
    return known.family if known else UNKNOWN


def quantile(share: float, within: Sequence[int]) -> float | None:
    """About the time within which that share was done: as if times were spread evenly between two bounds.

    Beyond the last bound nothing is known but that it was longer: the bound is given.
    """
    total = within[-1]
    if not total:
        return None
    wanted = share * total
    steps = pairwise(zip((0.0, *BOUNDS), (0, *within), strict=False))
    for (low, before), (high, up_to) in steps:
        if up_to >= wanted:
            return round(low + (high - low) * (wanted - before) / max(1, up_to - before), 3)
    return BOUNDS[-1]


def _line(day: date, family: str, target: str, rows: Sequence[Counted]) -> ConversionsOfDay:
    conversions = sum(row.conversions for row in rows)
    succeeded = sum(row.succeeded for row in rows)
    within = [sum(column) for column in zip(*(row.within for row in rows), strict=True)]
    return ConversionsOfDay(
        day=day,
        family=family,
        target=target,
        conversions=conversions,
        succeeded=succeeded,
        success_share=round(succeeded / conversions, 4) if conversions else 0.0,
        seconds_mean=round(sum(row.seconds for row in rows) / succeeded, 3) if succeeded else None,
        seconds_p50=quantile(0.50, within),
        seconds_p95=quantile(0.95, within),
    )


def as_row(values: Mapping[str, Any]) -> Counted:
    """A row of the database as a value."""
    day = values["day"]
    return Counted(
        day=day if isinstance(day, date) else date.fromisoformat(day),
        source_format=values["source_format"],
        target_format=values["target_format"],
        conversions=int(values["conversions"]),
        succeeded=int(values["succeeded"]),
        seconds=float(values["seconds"]),
        within=tuple(int(values[column]) for column in COLUMNS),
    )


COLUMNS = (*(f"within_{n}" for n in range(len(BOUNDS))), "succeeded")
"""Names of the histogram's columns; the last bound is no bound."""
