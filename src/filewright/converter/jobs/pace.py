"""How long a piece of work takes, by how long the same took with other files: the pure part.

Of each kind of work the last runs are known: how large the files were, with which options, and how long it took. A new
one is taken to last as long as the most like it: of about its size, the latest first, with the same options if enough
of them had those; each corrected for the difference that is left by how time grows with size on the whole. Medians
throughout, so that a run that was odd (a cold start, a machine that did something else) moves nothing.
"""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import combinations
from statistics import median
from typing import Any, Self

import orjson

from filewright.converter.conversion.orders import Hop
from filewright.converter.operations.orders import OrderedStep

MOST_RUNS = 200
"""That are known of a kind; each new one takes the place of the oldest."""
MAX_KIND_CHARS = 255
_ENOUGH = 5
_ALIKE = 15
_STEPS_OF_AN_OCTAVE = 4
_PAIRS_OF = 24
_STEEPEST = 1.5 * math.log(2)
"""Per doubling of the size; in proportion to it would be log 2."""
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
    """One that is over. `size`: the logarithm of bytes, to the base of 2; `took`: of seconds, the natural one."""

    size: float
    took: float
    manner: int

    @classmethod
    def of(cls, size: int, seconds: float, manner: int) -> Self:
        """As it is kept: nobody can tell a file by it."""
        return cls(round(size_of(size), 1), round(math.log(max(seconds, _SHORTEST)), 3), manner)

    def as_json(self) -> list[float | int]:
        return [self.size, self.took, self.manner]


def size_of(size: int) -> float:
    return math.log2(size + 1)


class Pace:
    """Of one kind of work. `runs`: the oldest first."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs[-MOST_RUNS:]
        self._growth = _growth(self.runs)
        by_manner: defaultdict[int, list[Run]] = defaultdict(list)
        for run in reversed(self.runs):
            by_manner[run.manner].append(run)
        self._of_manner = {manner: runs for manner, runs in by_manner.items() if len(runs) >= _ENOUGH}
        self._latest = list(reversed(self.runs))
        self._told: dict[tuple[int, int | None, float], float] = {}

    def seconds(self, size: int, manner: int, prior: float) -> float:
        """For a file of so many bytes. `prior`: what was thought before anything was known; it counts as one run."""
        wanted = size_of(size)
        middle = round(wanted * _STEPS_OF_AN_OCTAVE)
        about = (middle, manner if manner in self._of_manner else None, prior)
        took = self._told.get(about)
        if took is None:
            took = self._told[about] = self._took_about(*about)
        return round(math.exp(took + self._growth * (wanted - middle / _STEPS_OF_AN_OCTAVE)), 3)

    def _took_about(self, middle: int, manner: int | None, prior: float) -> float:
        """The logarithm of the seconds, for files of just that size."""
        wanted, runs = middle / _STEPS_OF_AN_OCTAVE, self._latest if manner is None else self._of_manner[manner]
        apart = ((round(abs(run.size - wanted) * _STEPS_OF_AN_OCTAVE), age) for age, run in enumerate(runs))
        alike = [runs[age] for _, age in nsmallest(_ALIKE, apart)]
        found = [run.took + self._growth * (wanted - run.size) for run in alike]
        if len(found) < _ENOUGH:
            found.append(math.log(max(prior, _SHORTEST)))
        return median(found)


def _growth(runs: Sequence[Run]) -> float:
    """By how much the logarithm of the time grows with a doubling of the size: the median over pairs (Theil, Sen)."""
    chosen = sorted(runs, key=lambda run: run.size)[:: max(1, len(runs) // _PAIRS_OF)]
    pairs = ((low, high) for low, high in combinations(chosen, 2) if high.size - low.size >= 1)
    slopes = [(high.took - low.took) / (high.size - low.size) for low, high in pairs]
    return min(max(median(slopes), 0.0), _STEEPEST) if len(slopes) >= _ENOUGH else 0.0
