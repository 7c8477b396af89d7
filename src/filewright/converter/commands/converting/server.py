"""A Filewright server, asked through its public HTTP API and nothing else: who asks, what is asked again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit
from uuid import uuid4

import httpx

from filewright.converter.commands.exits import RemoteProblem, UsageProblem

POLL_SECONDS = 20
_TIMEOUT = httpx.Timeout(30.0, read=POLL_SECONDS + 30.0)
_TRIES = 5


class Server:
    """What every command that asks a server needs of it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self._reached = False
        """Whether the server has answered once: then it is worth waiting for when it is away."""

    async def get(self, path: str, params: Mapping[str, str]) -> dict[str, Any] | None:
        """Nothing when it is what it was."""
        answer = await self.sent("GET", path, params=params)
        return None if answer.status_code == httpx.codes.NOT_MODIFIED else said(answer)

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return said(await self.sent("POST", path, json=body, headers={"Idempotency-Key": uuid4().hex}))

    async def sent(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Safe to repeat: reads, and POSTs that carry an idempotency key. Raises RemoteProblem, and what httpx does."""
        for tries_left in range(_TRIES - 1, -1, -1):
            wait = 1.0
            try:
                answer = await self.client.request(method, path, **more)
                self._reached = True
                if answer.status_code not in {429, 503} or not tries_left:
                    raise_for(answer)
                    return answer
                wait = min(30.0, _seconds(answer.headers.get("Retry-After"), wait))
            except httpx.TransportError:
                if not (tries_left and self._reached):
                    raise
            await asyncio.sleep(wait)
        raise AssertionError

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Raises RemoteProblem when there is no server, or no more."""
        try:
            yield
        except httpx.TransportError as error:
            raise RemoteProblem("internal", f"The server at {self.client.base_url} does not answer: {error}.") from None

    def address_of(self, path: str) -> str:
        """Of what it names: a path of its own, or elsewhere."""
        return urljoin(str(self.client.base_url), path)


@contextlib.asynccontextmanager
async def open_server(url: str, key: str | None) -> AsyncIterator[Server]:
    """A connection for the length of one command."""
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
        raise UsageProblem(f"--remote takes the address of a server, as http://localhost:8000, not {url!r}.")
    auth = _Key(key, httpx.URL(url)) if key else None
    async with httpx.AsyncClient(base_url=url, timeout=_TIMEOUT, follow_redirects=True, auth=auth) as client:
        yield Server(client)


def said(answer: httpx.Response) -> dict[str, Any]:
    """The object that it answered with. Raises RemoteProblem for one that is no Filewright."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RemoteProblem("internal", "The address answers, but it is no Filewright server.")
    return found


def raise_for(answer: httpx.Response) -> None:
    """RemoteProblem for a refusal, in the server's words."""
    if not answer.is_error:
        return
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    code = problem.get("code", "internal") if isinstance(problem, dict) else "internal"
    detail = problem.get("detail", "") if isinstance(problem, dict) else ""
    raise RemoteProblem(str(code), str(detail) or f"The server answered with status {answer.status_code}.")


class _Key(httpx.Auth):
    """Shows the key to the server that it is for, and to nobody it sends us to: files may lie in a bucket elsewhere."""

    def __init__(self, key: str, server: httpx.URL) -> None:
        self._key = key
        self._server = _origin(server)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if _origin(request.url) == self._server:
            request.headers["Authorization"] = f"Bearer {self._key}"
        yield request


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _seconds(header: str | None, otherwise: float) -> float:
    return float(header) if header is not None and header.isdigit() else otherwise
