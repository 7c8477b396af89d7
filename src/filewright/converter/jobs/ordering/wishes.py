"""An order on its way to the database: what it is about, how it was planned, and what is to be written beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from filewright.chassis.db.database import WriteSession
from filewright.converter.artifacts.models import Artifact
from filewright.converter.jobs.forecasts.admission import UNSEEN, Pressure
from filewright.converter.jobs.looking import views
from filewright.converter.jobs.orders import JobOrder, Planned
from filewright.converter.jobs.schemas import Job
from filewright.converter.jobs.statements.parts import FARTHEST_PLACE
from filewright.converter.tiers import Caller

Within = Callable[[WriteSession, Job], Awaitable[None]]
WithinAll = Callable[[WriteSession, Sequence[Job]], Awaitable[None]]


class Sharing(ABC):
    """A `Within` that can do for several jobs, in one unit of work, what it does for one."""

    @abstractmethod
    async def __call__(self, session: WriteSession, job: Job) -> None:
        """For one job."""

    @abstractmethod
    async def with_others(self, session: WriteSession, jobs: Sequence[tuple[Sharing, Job]]) -> None:
        """For each of these, itself among them. Raises Conflict when one of them cannot be done."""


@dataclass(frozen=True)
class Ordered:
    """An order that can be carried out: what it is about and what was planned."""

    id: str
    order: JobOrder
    inputs: tuple[Artifact, ...]
    planned: Planned

    pressure: Pressure = UNSEEN

    def accepted(self, row: Any) -> Job:
        """What its owner sees of it now that it is written down."""
        place = row.place if row.place <= FARTHEST_PLACE else None
        seen = self.pressure
        return views.accepted(
            self.id, self.order, self.inputs, self.planned, at=row.created_at, place=place, pressure=seen
        )


@dataclass(frozen=True)
class Wish:
    """An order on its way to the database. `within`: see `Jobs.submit`."""

    caller: Caller
    ordered: Ordered
    values: Mapping[str, Any]
    within: Within | None

    @property
    def to_be_worked_on(self) -> Wish:
        """The same, whatever result is there."""
        return replace(self, values={**self.values, "wanted": None})
