"""Every promised pair of formats once: a small file of the source becomes the target, and the product is read again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from corpus.bench import Bench
from corpus.facts.checking import verdicts
from corpus.facts.delivery import Delivery
from corpus.rereading.readers import reread
from corpus.sources import source_of
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.routing.planner import Planner, Route

Way = tuple[tuple[str, str], ...]
WAITING = "not tried yet"
"""The trouble of a pair that is promised, and whose turn has not come."""


@dataclass(frozen=True)
class Pair:
    """What became of one."""

    source: str
    target: str
    engines: tuple[str, ...] = ()
    kept: int = 0
    """Facts of the file that the product still tells."""
    seconds: float = 0.0
    trouble: str = ""
    """Empty when all is well."""

    @property
    def failed(self) -> bool:
        return self.trouble not in ("", WAITING)


@cache
def promised() -> Mapping[str, Sequence[Route]]:
    """Every pair by its source. A file that stays of its format is no pair, though options may change it."""
    planner = Planner(Registry(standard_engines()).declared())
    routes = {source: [r for r in planner.targets(source) if r.target != source] for source in planner.sources()}
    return {source: found for source, found in routes.items() if found}


def way_of(route: Route) -> Way:
    """The engines, each with what it is given."""
    return tuple((step.conversion.source, step.engine) for step in route.steps)


async def try_pair(bench: Bench, source: str, target: str, folder: Path) -> Pair:
    """Convert, read the product with another tool, and look for the facts of the file in it."""
    started = time.monotonic()
    try:
        given = await source_of(bench, source, folder)
        path = given.place(folder)
    except Exception as error:
        return Pair(source, target, trouble=f"no file to begin with: {error}")
    async with bench.converting(path, given.filename, target) as ending:
        if not ending.converted:
            return Pair(source, target, trouble=f"{ending.code} {ending.detail}".strip()[-600:])
        delivery = Delivery(source, target, ending.products)
        wrong, found = await asyncio.to_thread(_read_again, delivery, given.facts)
        if ending.source_format != source:
            wrong = [f"taken for {ending.source_format}", *wrong]
        return Pair(source, target, ending.engines, found, round(time.monotonic() - started, 2), "; ".join(wrong))


def _read_again(delivery: Delivery, facts: Mapping[str, object]) -> tuple[list[str], int]:
    """What is wrong with the products, and how many facts they kept."""
    wrong = [trouble for product in delivery.products if (trouble := reread(product, delivery.target))]
    found = verdicts(facts, delivery) if not wrong else []
    wrong += [f"{verdict.fact}: {verdict.lost}" for verdict in found if verdict.lost]
    return wrong, sum(not verdict.lost for verdict in found)
