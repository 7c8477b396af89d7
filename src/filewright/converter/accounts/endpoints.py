"""HTTP for signing up and in. Nobody is asked who they are: that is what these calls are for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel
from starlette.responses import JSONResponse

from filewright.chassis.identity.sessions import Origin
from filewright.chassis.web.body import read_body
from filewright.chassis.web.edge import Edge
from filewright.chassis.web.jsonbody import MAX_JSON_BYTES, JsonBody
from filewright.chassis.web.openapi import answers, problems
from filewright.chassis.web.problems import Forbidden, Unauthenticated
from filewright.chassis.web.scopes import PUBLIC, needs
from filewright.converter.accounts.cookies import Cookies
from filewright.converter.accounts.elsewhere import Elsewhere
from filewright.converter.accounts.guard import Guard
from filewright.converter.accounts.people import People
from filewright.converter.accounts.private import PrivateAnswers
from filewright.converter.accounts.recovery import Recovery
from filewright.converter.accounts.schemas import (
    Accepted,
    AddressOnly,
    CodeOnly,
    Credentials,
    ElsewhereBegun,
    ElsewhereFinished,
    Logout,
    PasswordReset,
    Refresh,
    Registration,
    SignedIn,
)
from filewright.converter.accounts.signing_in import SigningIn, Tokens
from filewright.converter.accounts.signing_up import SigningUp
from filewright.converter.tiers import Caller

_REGISTERED = Accepted(
    detail="A letter is on its way to this address. If it is yours, read it; then sign in with your password."
)
_WRITTEN = Accepted(detail="If there is an account with this address, a letter is on its way to it.")


def origin_of(edge: Edge[Caller], request: Request) -> Origin:
    """Where the request comes from, for the person's own list of sessions."""
    address = edge.proxies.client(request.scope)
    return Origin(None if address is None else str(address), request.headers.get("user-agent"))


def tokens_response(tokens: Tokens) -> Response:
    """Tokens as an answer that nobody on the way may keep (every answer says so unless its endpoint knows better)."""
    shown = SignedIn(
        access_token=tokens.access,
        expires_in=tokens.seconds,
        refresh_token=tokens.refresh,
        scope=" ".join(sorted(tokens.scopes)),
        session=tokens.session,
    )
    return json_response(shown)


def json_response(model: BaseModel, status: int = 200) -> Response:
    """A model as JSON."""
    return Response(model.model_dump_json(), status_code=status, media_type="application/json")


@dataclass(frozen=True)
class AuthEndpoints:
    """The handlers; `router` says which address each has."""

    edge: Edge[Caller]
    signing_up: SigningUp
    signing_in: SigningIn
    recovery: Recovery
    elsewhere: Elsewhere
    private: PrivateAnswers
    guard: Guard
    cookies: Cookies

    async def register(
        self, request: Request, asked: Annotated[Registration, Depends(JsonBody(Registration))]
    ) -> Response:
        async def answer() -> Response:
            await self.signing_up.register(asked.email, asked.password)
            return json_response(_REGISTERED, 202)

        return await self._once(request, answer)

    async def login(self, request: Request, asked: Annotated[Credentials, Depends(JsonBody(Credentials))]) -> Response:
        async def answer() -> Response:
            origin = origin_of(self.edge, request)
            return tokens_response(await self.signing_in.login(asked.email, asked.password, origin))

        await self.guard.try_password(asked.email, self.edge.proxies.client(request.scope))
        return await self._once(request, answer, knocking=False)

    async def refresh(self, request: Request, asked: Annotated[Refresh, Depends(JsonBody(Refresh))]) -> Response:
        async def answer() -> Response:
            return tokens_response(await self.signing_in.refresh(asked.refresh_token))

        return await self._once(request, answer)

    async def logout(
        self, request: Request, asked: Annotated[Logout, Depends(JsonBody(Logout, optional=True))]
    ) -> Response:
        async def answer() -> Response:
            await self.signing_in.logout(await self._bearer(request), asked.refresh_token)
            return Response(status_code=204)

        response = await self._once(request, answer)
        self.cookies.take_back(request, response)
        return response

    async def stay(self, request: Request) -> Response:
        caller = await self.edge.identify(request)
        if caller.session is None:
            raise Forbidden("A cookie is for whoever signed in; an API key goes into a header.")
        response = Response(status_code=204)
        self.cookies.give(response, caller.session, secure=self.edge.proxies.scheme(request.scope) == "https")
        return response

    async def begin_elsewhere(self, request: Request) -> Response:
        async def answer() -> Response:
            begun = await self.elsewhere.begin()
            return json_response(ElsewhereBegun(authorization_url=begun.url, flow=begun.flow))

        return await self._once(request, answer)

    async def finish_elsewhere(
        self, request: Request, asked: Annotated[ElsewhereFinished, Depends(JsonBody(ElsewhereFinished))]
    ) -> Response:
        async def answer() -> Response:
            origin = origin_of(self.edge, request)
            return tokens_response(await self.elsewhere.finish(asked.flow, asked.code, asked.state, origin))

        return await self._once(request, answer)

    async def verify(self, request: Request, asked: Annotated[CodeOnly, Depends(JsonBody(CodeOnly))]) -> Response:
        async def answer() -> Response:
            await self.signing_up.verify(asked.code, origin_of(self.edge, request))
            return Response(status_code=204)

        return await self._once(request, answer)

    async def verify_again(
        self, request: Request, asked: Annotated[AddressOnly, Depends(JsonBody(AddressOnly))]
    ) -> Response:
        async def answer() -> Response:
            await self.signing_up.ask_for_verification(asked.email)
            return json_response(_WRITTEN, 202)

        return await self._once(request, answer)

    async def forgot(self, request: Request, asked: Annotated[AddressOnly, Depends(JsonBody(AddressOnly))]) -> Response:
        async def answer() -> Response:
            await self.recovery.ask_for_reset(asked.email)
            return json_response(_WRITTEN, 202)

        return await self._once(request, answer)

    async def reset(
        self, request: Request, asked: Annotated[PasswordReset, Depends(JsonBody(PasswordReset))]
    ) -> Response:
        async def answer() -> Response:
            await self.recovery.reset(asked.code, asked.password, origin_of(self.edge, request))
            return Response(status_code=204)

        return await self._once(request, answer)

    async def _once(
        self, request: Request, answer: Callable[[], Awaitable[Response]], *, knocking: bool = True
    ) -> Response:
        address = self.edge.proxies.client(request.scope)
        if knocking:
            await self.guard.knock(address)
        tenant = f"auth:{address}"
        return await self.private.once(request, tenant, await read_body(request, MAX_JSON_BYTES), answer)

    async def _bearer(self, request: Request) -> Caller | None:
        """Whoever the header names, if it is good: an old token must not keep anybody from signing out."""
        try:
            return await self.edge.identify(request)
        except (Unauthenticated, Forbidden):
            return None


def router(edge: Edge[Caller], people: People, guard: Guard) -> APIRouter:
    """The addresses of signing up and in."""
    on = AuthEndpoints(
        edge,
        people.signing_up,
        people.signing_in,
        people.recovery,
        people.elsewhere,
        people.private,
        guard,
        people.cookies,
    )
    routes = APIRouter(prefix="/v1/auth", tags=["account"])
    done: dict[int | str, dict[str, Any]] = {204: {"description": "Done."}}
    accepted = answers(Accepted, "The same for every address.", status=202)
    begun = answers(ElsewhereBegun, "Send the person there.")
    signed_in = answers(SignedIn, "Signed in.")
    table: tuple[
        tuple[str, Callable[..., Awaitable[Response]], str, int, str, dict[int | str, dict[str, Any]]], ...
    ] = (
        ("/register", on.register, "register", 202, "Open an account", accepted),
        ("/login", on.login, "login", 200, "Sign in with a password", signed_in),
        ("/refresh", on.refresh, "refresh", 200, "Exchange a refresh token, which is good once", signed_in),
        ("/logout", on.logout, "logout", 204, "End this session", done),
        ("/verify", on.verify, "verify_email", 204, "Confirm the address, by the code from the letter", done),
        ("/verify/resend", on.verify_again, "resend_verification", 202, "Ask for that letter again", accepted),
        ("/oidc", on.begin_elsewhere, "begin_oidc", 200, "Sign in at the operator's provider: where to go", begun),
        ("/oidc/finish", on.finish_elsewhere, "finish_oidc", 200, "Sign in with what the provider answered", signed_in),
        ("/password/forgot", on.forgot, "forgot_password", 202, "Ask for a letter to set a new password", accepted),
        ("/password/reset", on.reset, "reset_password", 204, "Set a new password, by the code from the letter", done),
    )
    for path, handler, name, status, summary, responses in table:
        routes.add_api_route(
            path,
            handler,
            methods=["POST"],
            operation_id=name,
            summary=summary,
            status_code=status,
            response_class=Response if status == 204 else JSONResponse,
            responses=responses | problems(409, 415, 422),
            openapi_extra=dict(PUBLIC),
        )
    routes.add_api_route(
        "/cookie",
        on.stay,
        methods=["POST"],
        operation_id="keep_signed_in",
        summary="For pages of this service: the session goes into a cookie that no script can read",
        status_code=204,
        response_class=Response,
        responses=done | problems(401, 403),
        openapi_extra=needs("account:read"),
    )
    return routes
