"""A service that is up, whatever its shape: what tests may ask of it, and what they may do to it."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from fastapi import FastAPI

from filewright.chassis.web.drain import Drain
from filewright.chassis.web.proxies import Proxies
from filewright.converter.bootstrap import Services
from filewright.converter.site.app import Exposure, create_app
from filewright.converter.site.callers import Callers
from filewright.converter.site.serving import application
from filewright.converter.tiers import LOCAL
from httpkit.obedient import Gate

T = TypeVar("T")
PATIENT = 150.0
"""Seconds: longer than any request may ask to wait."""
IN_ONE_ANSWER = {"Prefer": "wait=120"}
"""Of a test to which it matters that the result comes at once, however busy the machine."""


@dataclass(frozen=True)
class Manner:
    """How a service meets its callers. Plain values, so that they can be told to another process."""

    max_input_bytes: int = LOCAL.max_input_bytes
    local: bool = True
    """Everybody is the owner of this machine."""
    anonymous: bool = True
    """Strangers are let in."""
    trusted: tuple[str, ...] = ()
    """Networks that are believed about others' addresses."""
    as_set: bool = False
    """All of it as the settings of the service say, and nothing as above but `local`."""

    def application(
        self, services: Services, drain: Drain, running: AbstractAsyncContextManager[None] | None
    ) -> FastAPI:
        """The application that behaves so."""
        if self.as_set:
            return application(services, services.settings, local=self.local, drain=drain, running=running)
        proxies = Proxies(ipaddress.ip_network(network) for network in self.trusted)
        tier = replace(LOCAL, max_input_bytes=self.max_input_bytes)
        callers = Callers(
            local=self.local,
            anonymous=self.anonymous,
            proxies=proxies,
            local_tier=tier,
            anonymous_tier=tier,
            bearers=services.people.bearers(services.tiers.named),
            cookies=services.people.cookies,
            tier_named=services.tiers.named,
        )
        return create_app(services, exposure=Exposure(callers, proxies), drain=drain, running=running)


class Live(ABC):
    """A service that is up."""

    def __init__(self, url: str, data: Path) -> None:
        self.data = data
        """Below it each of its processes keeps its own."""
        self.url = url
        """Where people find it."""
        self.go_on = Gate(data / "go-on")
        """What jobs that `!wait` wait for."""

    @property
    def port(self) -> int:
        return port_of(self.url)

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=PATIENT, **options)

    def client_inside(self, **options: Any) -> httpx.Client:
        """Where a proxy stands that the service believes: past any front of its own, at each replica in turn."""
        return httpx.Client(base_url=self.url, timeout=PATIENT, transport=_Turns(self.replicas), **options)

    def open_requests(self) -> int:
        """How many it is answering, all its processes together, and each of these questions."""
        texts = [httpx.get(f"{url}/metrics", timeout=30).text for url in self.replicas]
        found = [re.search(r"^filewright_http_requests_open (\d+)", text, re.MULTILINE) for text in texts]
        return sum(int(match[1]) for match in found if match)

    def resident(self) -> int:
        """Bytes of memory in which its processes answer."""
        fields = [Path(f"/proc/{pid}/status").read_text() for pid in self.pids]
        return sum(int(re.findall(r"VmRSS:\s+(\d+) kB", text)[0]) << 10 for text in fields)

    @property
    @abstractmethod
    def replicas(self) -> list[str]:
        """Where each process that answers listens, behind whatever stands in front."""

    @property
    def has_front(self) -> bool:
        """Whether nginx answers for what the processes never see."""
        return self.replicas != [self.url]

    @property
    @abstractmethod
    def pids(self) -> list[int]:
        """The processes that answer."""

    @property
    @abstractmethod
    def world(self) -> Services:
        """The service's own parts on its own database and store, to look closer than a client can."""

    @property
    @abstractmethod
    def loop(self) -> asyncio.AbstractEventLoop:
        """Where these parts are at home."""

    def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine of these parts."""
        _ = self.world  # it is there from now on
        return asyncio.run_coroutine_threadsafe(work(), self.loop).result(30)

    @abstractmethod
    def files(self) -> list[str]:
        """Every object in the store."""

    @abstractmethod
    def stop(self) -> None:
        """Tell every process that answers to end, in order."""


class _Turns(httpx.BaseTransport):
    """Asks another of these servers each time, whatever the address says."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._transport = httpx.HTTPTransport()
        self._ports = cycle([port_of(server) for server in servers])

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(port=next(self._ports))
        return self._transport.handle_request(request)

    def close(self) -> None:
        self._transport.close()


def port_of(url: str) -> int:
    found = urlsplit(url).port
    assert found is not None
    return found
