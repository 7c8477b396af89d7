"""The answer to an order with an idempotency key, kept in the unit of work that accepts the job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from typing_extensions import override

from filewright.chassis.db.database import WriteSession
from filewright.chassis.web.idempotency import Claim
from filewright.converter.jobs.endpoints.answers import accepted_response
from filewright.converter.jobs.ordering.wishes import Sharing, Within
from filewright.converter.jobs.schemas import Job


def keeping(claim: Claim) -> Within | None:
    """What keeps the answer; None for an order without a key."""
    if not claim.keeps:
        return None
    return _KeptWithOthers(claim) if claim.fresh else _Kept(claim)


@dataclass(frozen=True)
class _Kept:
    claim: Claim

    async def __call__(self, session: WriteSession, job: Job) -> None:
        await self.claim.keep(session, accepted_response(job))


class _KeptWithOthers(_Kept, Sharing):
    @override
    async def with_others(self, session: WriteSession, jobs: Sequence[tuple[Sharing, Job]]) -> None:
        kept = [(each.claim, accepted_response(job)) for each, job in jobs if isinstance(each, _KeptWithOthers)]
        await self.claim.keep_with(session, kept)
