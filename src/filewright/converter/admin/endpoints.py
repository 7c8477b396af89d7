"""What operators see and do over HTTP, with the scope `admin`; whoever signed in must have done so lately."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel

from filewright.chassis.clock import Clock
from filewright.chassis.web.body import read_body
from filewright.chassis.web.cursors import decode_cursor, encode_cursor
from filewright.chassis.web.edge import Edge
from filewright.chassis.web.jsonbody import MAX_JSON_BYTES, JsonBody
from filewright.chassis.web.openapi import answers, problems
from filewright.chassis.web.problems import Forbidden, NotFound, request_id_of
from filewright.chassis.web.scopes import needs
from filewright.converter.admin.schemas import (
    FLAG_NAME,
    Act,
    ActPage,
    FlagList,
    FlagView,
    FlagWish,
    QuarantinedJob,
    QuarantinePage,
    RatingLine,
    RatingList,
    TierChange,
    TierList,
    UserPage,
    UserView,
)
from filewright.converter.admin.service import AuditFilter, Oversight, actor_of
from filewright.converter.jobs.answers import job_response
from filewright.converter.jobs.lookups import JOB_PREFIX
from filewright.converter.jobs.schemas import Job
from filewright.converter.tiers import ADMIN, Caller

LATELY = timedelta(minutes=30)
"""How long a sign-in is good for what operators do."""
_USER_PREFIX = "usr"
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=100)]
Word = Annotated[str | None, Query(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]
Name = Annotated[str, Path(pattern=FLAG_NAME, description="The flag's name.", examples=["new-engine"])]


@dataclass(frozen=True)
class AdminEndpoints:
    """The handlers; `router` says which address each has."""

    edge: Edge[Caller]
    oversight: Oversight
    clock: Clock

    async def flags(self, request: Request) -> Response:
        await self._operator(request)
        return _json(FlagList(data=[FlagView(**asdict(flag)) for flag in await self.oversight.flags.all()]))

    async def set_flag(
        self, request: Request, name: Name, wish: Annotated[FlagWish, Depends(JsonBody(FlagWish))]
    ) -> Response:
        caller = await self._operator(request)
        flag = await self.oversight.flags.set(
            wish.as_flag(name), actor=actor_of(caller), request_id=request_id_of(request.scope)
        )
        return _json(FlagView(**asdict(flag)))

    async def remove_flag(self, request: Request, name: Name) -> Response:
        caller = await self._operator(request)
        gone = await self.oversight.flags.remove(name, actor=actor_of(caller), request_id=request_id_of(request.scope))
        if not gone:
            raise NotFound("There is no such flag.")
        return Response(status_code=204)

    async def tiers(self, request: Request) -> Response:
        await self._operator(request)
        return _json(TierList(data={name: asdict(tier) for name, tier in self.oversight.tiers.by_name.items()}))

    async def quarantine(self, request: Request, cursor: Cursor = None, limit: Limit = 20) -> Response:
        await self._operator(request)
        after = decode_cursor(cursor, JOB_PREFIX) if cursor is not None else None
        rows = await self.oversight.quarantined(after=after, limit=limit + 1)
        shown = [QuarantinedJob.model_validate(row, from_attributes=True) for row in rows[:limit]]
        return _json(QuarantinePage(data=shown, next_cursor=_next([row.id for row in rows], limit)))

    async def release(
        self, request: Request, job_id: Annotated[str, Path(examples=["job_01jd6qx2v7c8e9f0g1h2j3k4m5"])]
    ) -> Response:
        caller = await self._operator(request)
        async with self.edge.once(request, caller, await read_body(request, MAX_JSON_BYTES)) as claim:
            if claim.replay:
                return claim.replay.response()
            job = await self.oversight.release(caller, job_id, request_id_of(request.scope))
            return await claim.keep_now(job_response(job))

    async def users(self, request: Request, cursor: Cursor = None, limit: Limit = 20) -> Response:
        await self._operator(request)
        after = decode_cursor(cursor, _USER_PREFIX) if cursor is not None else None
        rows = await self.oversight.users(after=after, limit=limit + 1)
        return _json(
            UserPage(data=[_user(row) for row in rows[:limit]], next_cursor=_next([row.id for row in rows], limit))
        )

    async def set_tier(
        self,
        request: Request,
        user_id: Annotated[str, Path(examples=["usr_01jd6qx2v7c8e9f0g1h2j3k4m5"])],
        wish: Annotated[TierChange, Depends(JsonBody(TierChange))],
    ) -> Response:
        caller = await self._operator(request)
        user = await self.oversight.set_tier(caller, user_id, wish.tier, request_id_of(request.scope))
        return _json(_user(user))

    async def audit(
        self,
        request: Request,
        tenant: Word = None,
        actor: Word = None,
        action: Word = None,
        subject: Word = None,
        before: Annotated[int | None, Query(ge=1, le=1 << 53, description="Acts before this place.")] = None,
        limit: Limit = 50,
    ) -> Response:
        await self._operator(request)
        wanted = AuditFilter(tenant, actor, action, subject)
        rows = await self.oversight.audited(wanted, before=before, limit=limit + 1)
        shown = [Act.model_validate(row, from_attributes=True) for row in rows[:limit]]
        return _json(ActPage(data=shown, next_cursor=str(shown[-1].id) if len(rows) > limit else None))

    async def ratings(
        self, request: Request, days: Annotated[int, Query(ge=1, le=400, description="Today among them.")] = 30
    ) -> Response:
        await self._operator(request)
        lines = [
            RatingLine(
                target=found.target,
                ratings=found.count,
                mean=round(found.mean, 2),
                stars={str(star): found.stars.get(star, 0) for star in range(1, 6)},
            )
            for found in await self.oversight.ratings(days)
        ]
        return _json(RatingList(data=lines))

    async def _operator(self, request: Request) -> Caller:
        """The caller, who may. Raises Forbidden."""
        caller = await self.edge.identify(request)
        if ADMIN not in caller.scopes:
            raise Forbidden("This is for operators.")
        signed_in = caller.authenticated_at
        if caller.session is not None and (signed_in is None or self.clock.now() - signed_in > LATELY):
            raise Forbidden("Sign in again: what operators do asks for a sign-in of the last half hour.")
        return caller


def router(edge: Edge[Caller], oversight: Oversight, clock: Clock) -> APIRouter:
    """The addresses of operators."""
    on = AdminEndpoints(edge, oversight, clock)
    routes = APIRouter(prefix="/v1/admin", tags=["admin"])

    def add(
        path: str, method: str, handler: Callable[..., Awaitable[Response]], name: str, summary: str, **more: Any
    ) -> None:
        routes.add_api_route(
            path,
            handler,
            methods=[method],
            operation_id=f"admin_{name}",
            summary=summary,
            openapi_extra=needs(ADMIN),
            **more,
        )

    add("/flags", "GET", on.flags, "list_flags", "Every flag", responses=answers(FlagList, "All of them."))
    add(
        "/flags/{name}",
        "PUT",
        on.set_flag,
        "set_flag",
        "Set a flag; a halt is over by that",
        responses=answers(FlagView, "The flag.") | problems(415),
    )
    add(
        "/flags/{name}",
        "DELETE",
        on.remove_flag,
        "remove_flag",
        "Forget a flag: it is what the program takes it to be",
        status_code=204,
        response_class=Response,
        responses={204: {"description": "Forgotten."}},
    )
    add("/tiers", "GET", on.tiers, "list_tiers", "The tiers that hold", responses=answers(TierList, "By name."))
    add(
        "/quarantine",
        "GET",
        on.quarantine,
        "list_quarantine",
        "Jobs whose input is kept from the engines, newest first",
        responses=answers(QuarantinePage, "One page."),
    )
    add(
        "/quarantine/{job_id}/release",
        "POST",
        on.release,
        "release",
        "Let a quarantined job run again",
        responses=answers(Job, "The job, queued.") | problems(409, 410, 415, 422),
    )
    add("/users", "GET", on.users, "list_users", "Accounts, newest first", responses=answers(UserPage, "One page."))
    add(
        "/users/{user_id}",
        "PATCH",
        on.set_tier,
        "set_tier",
        "Give an account another tier",
        responses=answers(UserView, "The account.") | problems(415),
    )
    add("/audit", "GET", on.audit, "list_audit", "Acts, newest first", responses=answers(ActPage, "One page."))
    add(
        "/ratings",
        "GET",
        on.ratings,
        "list_ratings",
        "What people think of results, by target",
        responses=answers(RatingList, "The figures."),
    )
    return routes


def _user(row: Any) -> UserView:
    return UserView(
        id=row.id,
        email=row.email,
        tier=row.tier,
        role=row.role,
        verified=row.email_verified_at is not None,
        disabled=row.disabled_at is not None,
        created_at=row.created_at,
    )


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")


def _next(ids: list[str], limit: int) -> str | None:
    return encode_cursor(ids[limit - 1]) if len(ids) > limit else None
