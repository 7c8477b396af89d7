"""HTTP for the own account: who the caller is, the password, sessions and API keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from filewright.chassis.identity.models import ApiKeyRow, UserSessionRow
from filewright.chassis.identity.sessions import PREFIX as SESSION_PREFIX
from filewright.chassis.web.body import read_body
from filewright.chassis.web.cursors import decode_cursor, encode_cursor
from filewright.chassis.web.edge import Edge
from filewright.chassis.web.jsonbody import MAX_JSON_BYTES, JsonBody
from filewright.chassis.web.openapi import answers, problems
from filewright.chassis.web.scopes import needs
from filewright.converter.accounts.api_keys import KEY_PREFIX, ApiKeys, KeyOrder
from filewright.converter.accounts.endpoints import json_response
from filewright.converter.accounts.own_account import OwnAccount
from filewright.converter.accounts.people import People
from filewright.converter.accounts.private import PrivateAnswers
from filewright.converter.accounts.schemas import (
    Account,
    KeyPage,
    KeyRequest,
    KeyView,
    NewKeyView,
    PasswordChange,
    SessionPage,
    SessionView,
)
from filewright.converter.tiers import Caller

SessionId = Annotated[str, Path(description="The session's id, `ses_…`.", examples=["ses_01jd6qx2v7c8e9f0g1h2j3k4m5"])]
KeyId = Annotated[str, Path(description="The key's id, `key_…`.", examples=["key_01jd6qx2v7c8e9f0g1h2j3k4m5"])]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=100)]


@dataclass(frozen=True)
class OwnEndpoints:
    """The handlers; `router` says which address each has."""

    edge: Edge[Caller]
    own: OwnAccount
    keys: ApiKeys
    private: PrivateAnswers

    async def show(self, request: Request) -> Response:
        caller = await self.edge.identify(request)
        user = await self.own.get(caller) if caller.user is not None else None
        shown = Account(
            kind="user" if user else "local" if caller.tier.name == "local" else "anonymous",
            id=user.id if user else None,
            email=user.email if user else None,
            email_verified=user is not None and user.email_verified_at is not None,
            tier=caller.tier.name,
            role=user.role if user else None,
            scopes=sorted(caller.scopes),
            created_at=user.created_at if user else None,
        )
        return json_response(shown)

    async def change_password(
        self, request: Request, asked: Annotated[PasswordChange, Depends(JsonBody(PasswordChange))]
    ) -> Response:
        caller = await self.edge.identify(request)

        async def answer() -> Response:
            await self.own.change_password(caller, asked.current_password, asked.new_password)
            return Response(status_code=204)

        return await self._once(request, caller, answer)

    async def sessions(self, request: Request, cursor: Cursor = None, limit: Limit = 20) -> Response:
        caller = await self.edge.identify(request)
        after = decode_cursor(cursor, SESSION_PREFIX) if cursor is not None else None
        found = await self.own.list_sessions(caller, after=after, limit=limit)
        data = [_session_view(row, caller) for row in found[:limit]]
        return json_response(SessionPage(data=data, next_cursor=_following(found, limit)))

    async def end_session(self, request: Request, session_id: SessionId) -> Response:
        await self.own.end_session(await self.edge.identify(request), session_id)
        return Response(status_code=204)

    async def create_key(
        self, request: Request, asked: Annotated[KeyRequest, Depends(JsonBody(KeyRequest))]
    ) -> Response:
        caller = await self.edge.identify(request)
        order = KeyOrder(
            asked.name, frozenset(asked.scopes), asked.mode == "live", tuple(asked.networks), asked.expires_at
        )

        async def answer() -> Response:
            row, made = await self.keys.create(caller, order)
            shown = NewKeyView(**_key_view(row).model_dump(), key=made.text)
            response = json_response(shown, 201)
            response.headers["Location"] = f"/v1/api-keys/{row.id}"
            return response

        return await self._once(request, caller, answer)

    async def list_keys(self, request: Request, cursor: Cursor = None, limit: Limit = 20) -> Response:
        caller = await self.edge.identify(request)
        after = decode_cursor(cursor, KEY_PREFIX) if cursor is not None else None
        found = await self.keys.list_page(caller, after=after, limit=limit)
        data = [_key_view(row) for row in found[:limit]]
        return json_response(KeyPage(data=data, next_cursor=_following(found, limit)))

    async def revoke_key(self, request: Request, key_id: KeyId) -> Response:
        await self.keys.revoke(await self.edge.identify(request), key_id)
        return Response(status_code=204)

    async def _once(self, request: Request, caller: Caller, answer: Callable[[], Awaitable[Response]]) -> Response:
        return await self.private.once(request, caller.tenant, await read_body(request, MAX_JSON_BYTES), answer)


def _following(found: Any, limit: int) -> str | None:
    return encode_cursor(found[limit - 1].id) if len(found) > limit else None


def _session_view(row: UserSessionRow, caller: Caller) -> SessionView:
    return SessionView(
        id=row.id,
        current=row.id == caller.session,
        address=row.address,
        agent=row.agent,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
    )


def _key_view(row: ApiKeyRow) -> KeyView:
    return KeyView(
        id=row.id,
        name=row.name,
        hint=row.hint,
        mode="live" if row.live else "test",
        scopes=row.scopes,
        networks=row.networks,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def router(edge: Edge[Caller], people: People) -> APIRouter:
    """The addresses of the own account."""
    on = OwnEndpoints(edge, people.own, people.keys, people.private)
    routes = APIRouter(prefix="/v1", tags=["account"])
    gone: dict[str, Any] = {
        "status_code": 204,
        "response_class": Response,
        "responses": {204: {"description": "Done."}} | problems(409, 415, 422),
    }
    routes.add_api_route(
        "/me",
        on.show,
        methods=["GET"],
        operation_id="get_me",
        summary="Who the caller is, and what it may do",
        responses=answers(Account, "The caller."),
        openapi_extra=needs("account:read"),
    )
    routes.add_api_route(
        "/me/password",
        on.change_password,
        methods=["POST"],
        operation_id="change_password",
        summary="Set another password; all other sessions end",
        openapi_extra=needs("account:write"),
        **gone,
    )
    routes.add_api_route(
        "/me/sessions",
        on.sessions,
        methods=["GET"],
        operation_id="list_sessions",
        summary="Where the account is signed in, newest first",
        responses=answers(SessionPage, "One page."),
        openapi_extra=needs("account:read"),
    )
    routes.add_api_route(
        "/me/sessions/{session_id}",
        on.end_session,
        methods=["DELETE"],
        operation_id="end_session",
        summary="Sign out there",
        openapi_extra=needs("account:write"),
        **gone,
    )
    _keys(routes, on, gone)
    return routes


def _keys(routes: APIRouter, on: OwnEndpoints, gone: dict[str, Any]) -> None:
    routes.add_api_route(
        "/api-keys",
        on.create_key,
        methods=["POST"],
        operation_id="create_api_key",
        summary="Make an API key, which is shown this once",
        status_code=201,
        responses=answers(NewKeyView, "Made; `Location` is where to revoke it.", status=201) | problems(409, 415, 422),
        openapi_extra=needs("keys:write"),
    )
    routes.add_api_route(
        "/api-keys",
        on.list_keys,
        methods=["GET"],
        operation_id="list_api_keys",
        summary="Keys that are not revoked, newest first",
        responses=answers(KeyPage, "One page."),
        openapi_extra=needs("keys:read"),
    )
    routes.add_api_route(
        "/api-keys/{key_id}",
        on.revoke_key,
        methods=["DELETE"],
        operation_id="revoke_api_key",
        summary="The key is not good any more",
        openapi_extra=needs("keys:write"),
        **gone,
    )
