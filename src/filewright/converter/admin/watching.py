"""What operators look at over HTTP: the audit log, alarms, networks, and how well conversions do."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from filewright.chassis.audit.watch import RAISED
from filewright.chassis.web.body import read_body
from filewright.chassis.web.jsonbody import MAX_JSON_BYTES, JsonBody
from filewright.chassis.web.openapi import answers, problems
from filewright.chassis.web.problems import invalid
from filewright.converter.admin.edge import OperatorsEdge, Routes, json_of
from filewright.converter.admin.figures import Figures
from filewright.converter.admin.networks import Entry, NetworkLists
from filewright.converter.admin.schemas import (
    Act,
    ActPage,
    Alarm,
    AlarmPage,
    FigureLine,
    FigureList,
    NetworkList,
    NetworkView,
    NetworkWish,
    RatingLine,
    RatingList,
)
from filewright.converter.admin.service import AuditFilter, Oversight

Days = Annotated[int, Query(ge=1, le=400, description="Today among them.")]
Before = Annotated[int | None, Query(ge=1, le=1 << 53, description="Acts before this place.")]
Limit = Annotated[int, Query(ge=1, le=100)]
Word = Annotated[str | None, Query(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]
NetworkId = Annotated[str, Path(examples=["net_01jd6qx2v7c8e9f0g1h2j3k4m5"])]


@dataclass(frozen=True)
class WatchingEndpoints:
    """The handlers; `router` says which address each has."""

    desk: OperatorsEdge
    oversight: Oversight
    networks: NetworkLists
    figures: Figures

    async def audit(
        self,
        request: Request,
        tenant: Word = None,
        actor: Word = None,
        action: Word = None,
        subject: Word = None,
        before: Before = None,
        limit: Limit = 50,
    ) -> Response:
        await self.desk.operator(request)
        wanted = AuditFilter(tenant, actor, action, subject)
        rows = await self.oversight.audited(wanted, before=before, limit=limit + 1)
        shown = [Act.model_validate(row, from_attributes=True) for row in rows[:limit]]
        return json_of(ActPage(data=shown, next_cursor=str(shown[-1].id) if len(rows) > limit else None))

    async def alarms(self, request: Request, before: Before = None, limit: Limit = 50) -> Response:
        await self.desk.operator(request)
        rows = await self.oversight.audited(AuditFilter(action=RAISED.name), before=before, limit=limit + 1)
        shown = [Alarm(id=row.id, at=row.at, whose=row.subject or "", **(row.details or {})) for row in rows[:limit]]
        return json_of(AlarmPage(data=shown, next_cursor=str(shown[-1].id) if len(rows) > limit else None))

    async def list_networks(self, request: Request) -> Response:
        await self.desk.operator(request)
        return json_of(NetworkList(data=[_network(entry) for entry in await self.networks.all()]))

    async def add_network(
        self, request: Request, wish: Annotated[NetworkWish, Depends(JsonBody(NetworkWish))]
    ) -> Response:
        caller = await self.desk.operator(request)
        try:
            network = ip_network(wish.network)
        except ValueError:
            raise invalid("/network", "This is no network; write it as 203.0.113.0/24 or 2001:db8::/32.") from None
        address = self.desk.edge.proxies.client(request.scope)
        async with self.desk.edge.once(request, caller, await read_body(request, MAX_JSON_BYTES)) as claim:
            if claim.replay:
                return claim.replay.response()
            added = await self.networks.add(wish.list, network, wish.note, actor=caller.actor, address=address)
            return await claim.keep_now(json_of(_network(added), 201))

    async def remove_network(self, request: Request, network_id: NetworkId) -> Response:
        caller = await self.desk.operator(request)
        address = self.desk.edge.proxies.client(request.scope)
        await self.networks.remove(network_id, actor=caller.actor, address=address)
        return Response(status_code=204)

    async def ratings(self, request: Request, days: Days = 30) -> Response:
        await self.desk.operator(request)
        lines = [
            RatingLine(
                target=found.target,
                ratings=found.count,
                mean=round(found.mean, 2),
                stars={str(star): found.stars.get(star, 0) for star in range(1, 6)},
            )
            for found in await self.oversight.ratings(days)
        ]
        return json_of(RatingList(data=lines))

    async def show_figures(
        self, request: Request, days: Annotated[int, Query(ge=1, le=90, description="Today among them.")] = 30
    ) -> Response:
        await self.desk.operator(request)
        found = await self.figures.of(days)
        whole, *lines = [FigureLine.model_validate(line, from_attributes=True) for line in found.lines]
        return json_of(FigureList(as_of=found.as_of, whole=whole, data=lines))


def router(on: WatchingEndpoints) -> APIRouter:
    """The addresses of what operators watch."""
    routes = Routes()
    add = routes.add
    gone: dict[str, Any] = {"status_code": 204, "response_class": Response}
    add("/audit", "GET", on.audit, "list_audit", "Acts, newest first", responses=answers(ActPage, "One page."))
    add("/alarms", "GET", on.alarms, "list_alarms", "Alarms, newest first", responses=answers(AlarmPage, "One page."))
    add(
        "/networks",
        "GET",
        on.list_networks,
        "list_networks",
        "The networks on the lists: those of the settings, then the newest first",
        responses=answers(NetworkList, "All of them."),
    )
    add(
        "/networks",
        "POST",
        on.add_network,
        "add_network",
        "Put a network on a list; every process follows within five seconds",
        status_code=201,
        responses=answers(NetworkView, "It is on the list.", status=201) | problems(409, 415, 422),
    )
    add(
        "/networks/{network_id}",
        "DELETE",
        on.remove_network,
        "remove_network",
        "Take a network off its list",
        responses={204: {"description": "It is not on the list any more."}} | problems(409),
        **gone,
    )
    add(
        "/ratings",
        "GET",
        on.ratings,
        "list_ratings",
        "What people think of results, by target",
        responses=answers(RatingList, "The figures."),
    )
    add(
        "/figures",
        "GET",
        on.show_figures,
        "list_figures",
        "How many conversions succeed, and what people think of results: in all, and by target",
        responses=answers(FigureList, "The figures."),
    )
    return routes.router


def _network(entry: Entry) -> NetworkView:
    return NetworkView(
        id=entry.id,
        list=entry.listed,
        network=str(entry.network),
        note=entry.note,
        created_at=entry.created_at,
    )
