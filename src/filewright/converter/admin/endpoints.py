"""What operators see and change over HTTP: flags, tiers, quarantine, accounts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from filewright.chassis.web.body import read_body
from filewright.chassis.web.cursors import decode_cursor
from filewright.chassis.web.jsonbody import MAX_JSON_BYTES, JsonBody
from filewright.chassis.web.openapi import answers, problems
from filewright.chassis.web.problems import NotFound
from filewright.converter.admin.edge import OperatorsEdge, Routes, json_of, next_cursor
from filewright.converter.admin.schemas import (
    FLAG_NAME,
    CreditsGiven,
    CreditsWish,
    FlagList,
    FlagView,
    FlagWish,
    QuarantinedJob,
    QuarantinePage,
    TierList,
    UserChange,
    UserPage,
    UserView,
)
from filewright.converter.admin.service import Oversight
from filewright.converter.jobs.endpoints.answers import job_response
from filewright.converter.jobs.looking.lookups import JOB_PREFIX
from filewright.converter.jobs.schemas import Job
from filewright.converter.jobs.steering.quarantine import Quarantine
from filewright.converter.tiers import SUPPORT_ROLE

_USER_PREFIX = "usr"
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=100)]
Wanted = Annotated[
    str | None,
    Query(min_length=1, max_length=128, pattern=r"^[^\x00]*$", description="How an address begins, or an id."),
]
JobId = Annotated[str, Path(examples=["job_01jd6qx2v7c8e9f0g1h2j3k4m5"])]
UserId = Annotated[str, Path(examples=["usr_01jd6qx2v7c8e9f0g1h2j3k4m5"])]
Name = Annotated[str, Path(pattern=FLAG_NAME, description="The flag's name.", examples=["new-engine"])]


@dataclass(frozen=True)
class AdminEndpoints:
    """The handlers; `router` says which address each has."""

    desk: OperatorsEdge
    oversight: Oversight
    quarantine: Quarantine

    async def flags(self, request: Request) -> Response:
        await self.desk.operator(request)
        return json_of(FlagList(data=[FlagView(**asdict(flag)) for flag in await self.oversight.flags.all()]))

    async def set_flag(
        self, request: Request, name: Name, wish: Annotated[FlagWish, Depends(JsonBody(FlagWish))]
    ) -> Response:
        caller = await self.desk.operator(request)
        flag = await self.oversight.flags.set(wish.as_flag(name), actor=caller.actor)
        return json_of(FlagView(**asdict(flag)))

    async def remove_flag(self, request: Request, name: Name) -> Response:
        caller = await self.desk.operator(request)
        gone = await self.oversight.flags.remove(name, actor=caller.actor)
        if not gone:
            raise NotFound("There is no such flag.")
        return Response(status_code=204)

    async def tiers(self, request: Request) -> Response:
        await self.desk.operator(request)
        return json_of(TierList(data={name: asdict(tier) for name, tier in self.oversight.tiers.by_name.items()}))

    async def quarantined(self, request: Request, cursor: Cursor = None, limit: Limit = 20) -> Response:
        await self.desk.operator(request)
        after = decode_cursor(cursor, JOB_PREFIX) if cursor is not None else None
        rows = await self.quarantine.page(after=after, limit=limit + 1)
        shown = [QuarantinedJob.model_validate(row, from_attributes=True) for row in rows[:limit]]
        return json_of(QuarantinePage(data=shown, next_cursor=next_cursor([row.id for row in rows], limit)))

    async def discard(self, request: Request, job_id: JobId) -> Response:
        caller = await self.desk.operator(request)
        await self.quarantine.discard(job_id, actor=caller.actor)
        return Response(status_code=204)

    async def release(self, request: Request, job_id: JobId) -> Response:
        caller = await self.desk.operator(request)
        async with self.desk.edge.once(request, caller, await read_body(request, MAX_JSON_BYTES)) as claim:
            if claim.replay:
                return claim.replay.response()
            job = await self.quarantine.release(job_id, actor=caller.actor)
            return await claim.keep_now(job_response(job))

    async def users(self, request: Request, q: Wanted = None, cursor: Cursor = None, limit: Limit = 20) -> Response:
        await self.desk.operator(request)
        after = decode_cursor(cursor, _USER_PREFIX) if cursor is not None else None
        rows = await self.oversight.users(wanted=q, after=after, limit=limit + 1)
        return json_of(
            UserPage(
                data=[_user(row) for row in rows[:limit]], next_cursor=next_cursor([row.id for row in rows], limit)
            )
        )

    async def change_user(
        self,
        request: Request,
        user_id: UserId,
        wish: Annotated[UserChange, Depends(JsonBody(UserChange))],
    ) -> Response:
        caller = await self.desk.operator(request)
        user = None
        if wish.tier is not None:
            user = await self.oversight.set_tier(user_id, wish.tier, actor=caller.actor)
        if wish.disabled is not None:
            user = await self.oversight.set_disabled(caller, user_id, wish.disabled)
        return json_of(_user(user))

    async def give_credits(
        self,
        request: Request,
        user_id: UserId,
        wish: Annotated[CreditsWish, Depends(JsonBody(CreditsWish))],
    ) -> Response:
        caller = await self.desk.operator(request)
        async with self.desk.edge.once(request, caller, await read_body(request, MAX_JSON_BYTES)) as claim:
            if claim.replay:
                return claim.replay.response()
            given = await self.oversight.give_credits(user_id, wish.amount, wish.reason, actor=caller.actor)
            return await claim.keep_now(json_of(CreditsGiven(id=given, amount=wish.amount, reason=wish.reason), 201))


def router(on: AdminEndpoints) -> APIRouter:
    """The addresses of what operators change."""
    routes = Routes()
    add = routes.add
    gone: dict[str, Any] = {"status_code": 204, "response_class": Response}
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
        responses={204: {"description": "Forgotten."}},
        **gone,
    )
    add("/tiers", "GET", on.tiers, "list_tiers", "The tiers that hold", responses=answers(TierList, "By name."))
    add(
        "/quarantine",
        "GET",
        on.quarantined,
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
        least=SUPPORT_ROLE,
        responses=answers(Job, "The job, queued.") | problems(409, 410, 415, 422),
    )
    add(
        "/quarantine/{job_id}",
        "DELETE",
        on.discard,
        "discard",
        "Erase a quarantined or infected job's files",
        least=SUPPORT_ROLE,
        responses={204: {"description": "Erased."}} | problems(409),
        **gone,
    )
    add("/users", "GET", on.users, "list_users", "Accounts, newest first", responses=answers(UserPage, "One page."))
    add(
        "/users/{user_id}",
        "PATCH",
        on.change_user,
        "change_user",
        "Give an account another tier, shut it or open it again",
        responses=answers(UserView, "The account.") | problems(409, 415),
    )
    add(
        "/users/{user_id}/credits",
        "POST",
        on.give_credits,
        "give_credits",
        "Give an account credits; bought ones stand on its next invoice",
        status_code=201,
        responses=answers(CreditsGiven, "Given.", status=201) | problems(409, 415, 422),
    )
    return routes.router


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
