"""Two questions in one table: how many conversions succeed, and how content people are with what comes of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from filewright.converter.admin.service import Oversight
from filewright.converter.reports.service import Reports

WHOLE = "*"
"""Stands for all targets together."""


@dataclass(frozen=True)
class Line:
    """Of one target, or of all."""

    target: str
    conversions: int
    succeeded: int
    success_share: float | None
    """None where nothing ended."""
    ratings: int
    rating_mean: float | None


@dataclass(frozen=True)
class Found:
    """The line of all targets first, then the most converted."""

    as_of: datetime
    lines: tuple[Line, ...]


class Figures:
    """Puts the report on conversions beside the ratings."""

    def __init__(self, reports: Reports, oversight: Oversight) -> None:
        self._reports = reports
        self._oversight = oversight

    async def of(self, days: int) -> Found:
        """Of the last days, today among them."""
        report = await self._reports.conversions(days)
        ended, succeeded, rated, stars = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
        for day in report.lines:
            for target in (WHOLE, day.target):
                ended[target] += day.conversions
                succeeded[target] += day.succeeded
        for rating in await self._oversight.ratings(days):
            for target in (WHOLE, rating.target):
                rated[target] += rating.count
                stars[target] += sum(star * count for star, count in rating.stars.items())
        targets = sorted((ended | rated).keys() - {WHOLE}, key=lambda target: (-ended[target], target))
        return Found(
            report.as_of,
            tuple(
                Line(
                    target,
                    ended[target],
                    succeeded[target],
                    round(succeeded[target] / ended[target], 4) if ended[target] else None,
                    rated[target],
                    round(stars[target] / rated[target], 2) if rated[target] else None,
                )
                for target in (WHOLE, *targets)
            ),
        )
