"""Units of work that consist of chains alone: written once, and one trip on SQLite.

A unit is a generator. It makes a change with `row = yield from make(CHAIN, …)`, may look at the row before it makes the
next, and what it returns is the outcome. When it raises, nothing of it is kept. On SQLite it runs in the connection's
thread, and it may be run again from its beginning: so it touches nothing but its own variables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError

from filewright.chassis.db.hot.compiled import Values
from filewright.chassis.db.hot.statements import Chain
from filewright.chassis.db.hot.trips import Way, committed
from filewright.chassis.db.onetrip import OneTripConnection

T = TypeVar("T")
_WHOLE = "a unit of work"


@dataclass(frozen=True)
class Step:
    """One change of a unit."""

    chain: Chain
    values: Values


Unit = Generator[Step, Any, T]


def make(chain: Chain, **values: Any) -> Unit[Any]:
    """The row at the chain's end; None when its guard matched none."""
    row = yield Step(chain, values)
    return row


async def run_alone(way: Way, unit: Callable[[], Unit[T]], before_commit: Callable[[], None]) -> T:
    """On SQLite, from its beginning to its commit in one trip. Raises what the unit raises, and DBAPIError."""
    driver = way.driver
    assert isinstance(driver, OneTripConnection)

    def carry(connection: sqlite3.Connection) -> T:
        outcome = _carried(way, unit(), connection)
        before_commit()
        return outcome

    try:
        return await driver.trip(partial(committed, carry))
    except sqlite3.Error as error:
        raise DBAPIError(_WHOLE, None, error) from error


def _carried(way: Way, steps: Unit[T], connection: sqlite3.Connection) -> T:
    try:
        step = next(steps)
        while True:
            step = steps.send(step.chain.made_here(way, step.values, connection))
    except StopIteration as end:
        outcome: T = end.value
        return outcome
