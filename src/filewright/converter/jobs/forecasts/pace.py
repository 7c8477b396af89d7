"""How long a piece of work takes, by how long the same took with other files: the pure part.

Of each kind of work the last runs are known: how much there was to read, with which options, and how long it took. Two
things are made of them, medians throughout, so that a run that was odd (a cold start, a machine that did something
else) moves nothing:

- a line: what every run costs, and what a file costs by its size (`Line`);
- how far the latest runs that should have taken about as long, with the same options if there were such, were off that
  line. It makes up for what is no line, for options that matter, and for a machine that is slower today.
"""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from statistics import median
from typing import Any, Self

import orjson

from filewright.converter.conversion.orders import Hop
from filewright.converter.operations.orders import OrderedStep

MOST_RUNS = 200
"""That are known of a kind; each new one takes the place of the oldest."""
MAX_KIND_CHARS = 255
_ENOUGH = 5
"""With fewer runs, something else has a say."""
_ENOUGH_FOR_A_LINE = 6
_ALIKE = 11
_STEPS = 4
"""Two runs should have taken about as long when the lines say so to this part of a logarithm."""
_SHORTEST = 0.001


def kind_of(route: Sequence[Hop]) -> str:
    """By what a kind of work is known: the engines and formats of its way; no versions, so that a new one need not
    learn again.
    """
    hops = (f"{hop.operation or 'convert'} {hop.source}>{hop.target} {hop.engine}" for hop in route)
    whole = ", ".join(hops)
    if len(whole) <= MAX_KIND_CHARS:
        return whole
    return f"{whole[: MAX_KIND_CHARS - 9]}~{zlib.crc32(whole.encode()):08x}"


def manner_of(options: Mapping[str, Any], steps: Sequence[OrderedStep] = ()) -> int:
    """A number for the options: the same for the same, and of no meaning."""
    told = [dict(options), [[step.operation, step.to, dict(step.options)] for step in steps]]
    return zlib.crc32(orjson.dumps(told, option=orjson.OPT_SORT_KEYS))


@dataclass(frozen=True)
class Run:
    """One that is over. `size`: the logarithm of what there was to read, to the base of 2; `took`: of seconds, the
    natural one.
    """

    size: float
    took: float
    manner: int

    @classmethod
    def of(cls, size: int, seconds: float, manner: int) -> Self:
        """As it is kept: nobody can tell a file by it."""
        return cls(round(math.log2(size + 1), 2), round(math.log(max(seconds, _SHORTEST)), 3), manner)

    def as_json(self) -> list[float | int]:
        return [self.size, self.took, self.manner]


@dataclass(frozen=True)
class Line:
    """Seconds by size: through the middle of the smallest third of the runs and the middle of the largest (Tukey's
    resistant line). Beyond those, a file of twice the size takes no more than twice as long.
    """

    low: tuple[float, float]
    high: tuple[float, float]

    @classmethod
    def through(cls, runs: Sequence[Run]) -> Self:
        """Flat, where there are few, or larger ones took no longer."""
        by_size = sorted((run.size, run.took) for run in runs)
        third = len(by_size) // 3
        if len(by_size) < _ENOUGH_FOR_A_LINE:
            return cls.flat(by_size)
        low, high = _middle(by_size[:third]), _middle(by_size[-third:])
        return cls(low, high) if low[0] < high[0] and low[1] < high[1] else cls.flat(by_size)

    @classmethod
    def flat(cls, runs: Sequence[tuple[float, float]]) -> Self:
        middle = _middle(runs)
        return cls(middle, middle)

    def log_seconds(self, size: float) -> float:
        """The logarithm of what a file of that size takes."""
        (left, quick), (right, slow) = self.low, self.high
        if left == right:
            return math.log(quick)
        straight = quick + (slow - quick) * (size - left) / (right - left)
        if size > right:
            return math.log(min(straight, slow * size / right))
        return math.log(max(straight, quick * min(size / left, 1.0), _SHORTEST))


def _middle(runs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The size and the seconds of which half of them have more."""
    return 2.0 ** median(size for size, _ in runs), math.exp(median(took for _, took in runs))


class Pace:
    """Of one kind of work. `runs`: the oldest first."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs[-MOST_RUNS:]
        by_manner: defaultdict[int, list[Run]] = defaultdict(list)
        for run in reversed(self.runs):
            by_manner[run.manner].append(run)
        self._every = _Known(Line.through(self.runs), list(reversed(self.runs)))
        self._of_manner = {manner: self._known(runs) for manner, runs in by_manner.items()}
        self._told: dict[tuple[int, int | None, float], float] = {}

    def _known(self, runs: Sequence[Run]) -> _Known:
        """Those with the same options: with a line of their own if there are enough."""
        return _Known(Line.through(runs) if len(runs) >= _ENOUGH_FOR_A_LINE else self._every.line, runs)

    def seconds(self, size: int, manner: int, prior: float) -> float:
        """For a file with so much to read. `prior`: what was thought before anything was known; it counts as one run
        until there are enough.
        """
        known = self._of_manner.get(manner, self._every)
        straight = known.line.log_seconds(size + 1)
        about = (round(straight * _STEPS), manner if known is not self._every else None, prior)
        off = self._told.get(about)
        if off is None:
            off = self._told[about] = self._off(known, straight, prior)
        return round(math.exp(straight + off), 3)

    def _off(self, known: _Known, straight: float, prior: float) -> float:
        """By how much the logarithm differs from that of the line, with runs that were about as long."""
        found = known.off(straight)
        if len(found) >= _ENOUGH:
            return median(found)
        if len(self.runs) > len(known.latest):  # what it was with other options counts as one more
            found.append(median(self._every.off(straight)))
        if len(self.runs) < _ENOUGH:
            found.append(math.log(max(prior, _SHORTEST)) - straight)
        return median(found)


class _Known:
    """Runs, the latest first, and the line that they are held against."""

    def __init__(self, line: Line, latest: Sequence[Run]) -> None:
        self.line, self.latest = line, latest
        self._held = [(line.log_seconds(2.0**run.size), run.took) for run in latest]

    def off(self, straight: float) -> list[float]:
        """How far those were off that should have taken about as long: the nearest, and of these the latest."""
        apart = ((round(abs(held - straight) * _STEPS), age) for age, (held, _) in enumerate(self._held))
        return [self._held[age][1] - self._held[age][0] for _, age in nsmallest(_ALIKE, apart)]
