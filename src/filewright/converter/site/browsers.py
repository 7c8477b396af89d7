"""Answers of `POST /v1/convert` for a person in front of a browser without scripts.

A form's answer is what the person sees next. So when a request asks for `text/html` before anything else, as browsers
do and programs do not, an accepted job sends the browser to the job's page, and a refusal is shown as a page. The
bytes of a finished conversion are a download in any case.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from filewright.chassis.web.problems import Unauthenticated
from filewright.converter.site.callers import Visitor
from filewright.converter.site.pages import problem_page

_FORM_TARGET = "/v1/convert"


class BrowserAnswers:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, visitor_of: Callable[[Request], Awaitable[Visitor]]) -> None:
        self._app = app
        self._visitor_of = visitor_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_form_of_a_browser(scope):
            await self._app(scope, receive, send)
            return
        held: list[Message] = []

        async def hold_back(message: Message) -> None:
            """Let a download through as it comes; keep every other answer until it is whole."""
            if message["type"] == "http.response.start" and _is_for_programs(message):
                held.append(message)
            elif held:
                held.append(message)
                if not message.get("more_body", False):
                    await self._show(held, scope, receive, send)
            else:
                await send(message)

        await self._app(scope, receive, hold_back)

    async def _show(self, held: list[Message], scope: Scope, receive: Receive, send: Send) -> None:
        start = held[0]
        body = b"".join(message.get("body", b"") for message in held[1:])
        shown = await self._answer(scope, start["status"], orjson.loads(body))
        await shown(scope, receive, send)

    async def _answer(self, scope: Scope, status: int, answer: Mapping[str, str]) -> Response:
        if status == 202:
            return RedirectResponse(f"/jobs/{answer['id']}", status_code=303)
        try:
            visitor = await self._visitor_of(Request(scope))
        except Unauthenticated:
            return RedirectResponse("/account?to=files", status_code=303)
        return problem_page(
            visitor, code=answer["code"], heading=answer["title"], detail=answer["detail"], status=status
        )


def _is_form_of_a_browser(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != _FORM_TARGET:
        return False
    return Headers(scope=scope).get("accept", "").lower().startswith("text/html")


def _is_for_programs(start: Message) -> bool:
    if start["status"] == 202:
        return True
    kind = Headers(raw=start["headers"]).get("content-type", "")
    return kind.startswith("application/problem+json")
