"""Processes of the product beside the stack's own, armed to die at a point, or with a bad line to what they stand on.

They come from a warm launcher, so that eight of them cost hardly more than one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM
from urllib.parse import urlsplit

import httpx
from chaoskit.launcher import Launcher
from chaoskit.processes import signal_all, wait_for_exit
from chaoskit.server import launch_cold
from distkit.shape import Shape, eventually

from filewright.chassis.sandbox.processes import descendants
from filewright.chassis.testing.faulty_proxy import FaultyProxy
from filewright.chassis.testing.servers.process import free_port

READY = "Filewright worker"
"""What a worker says when it begins to look for work."""


class Extra:
    """One such process."""

    def __init__(self, pid: int, log: Path, url: str) -> None:
        self.pid = pid
        self.url = url
        self._log = log
        self._code: int | None = None

    def said(self, text: str) -> bool:
        return text in self.words()

    def words(self) -> str:
        """All that it said so far."""
        return self._log.read_text(errors="replace")

    def exit_code(self, seconds: float = 120.0) -> int | None:
        """How it ended, minus the signal when one killed it; None when it is still there after that time."""
        if self._code is None and wait_for_exit(self.pid, seconds):
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code

    def stop(self) -> int | None:
        """An orderly end; its exit code."""
        os.kill(self.pid, SIGTERM)
        return self.exit_code()

    def end(self) -> None:
        """Whatever state it is in."""
        if self._code is None:
            signal_all(descendants(self.pid), SIGKILL)
            self.exit_code()


class Extras:
    """Makes them. `more` are settings, or anything else of their environment, that differ from the stack's."""

    def __init__(self, shape: Shape, launcher: Launcher, folder: Path) -> None:
        self._shape = shape
        self._launcher = launcher
        self._folder = folder
        self._count = 0

    @contextmanager
    def worker(
        self,
        failpoints: str = "",
        more: Mapping[str, str] | None = None,
        *,
        slots: int = 1,
        data: Path | None = None,
        until: str = READY,
    ) -> Iterator[Extra]:
        """With one slot, from when it has said `until`."""
        for extra in self._run(["worker", "--slots", str(slots)], failpoints, "", more or {}, data):
            eventually(lambda: extra.said(until))  # noqa: B023 - asked here and now
            yield extra

    @contextmanager
    def api(self, failpoints: str = "", more: Mapping[str, str] | None = None) -> Iterator[Extra]:
        """At an address of its own, which the front does not know."""
        port = free_port()
        for extra in self._run(["api", "--port", str(port)], failpoints, f"http://127.0.0.1:{port}", more or {}):
            eventually(lambda: extra.said("is serving on"))  # noqa: B023 - asked here and now
            yield extra

    @contextmanager
    def beat(self, failpoints: str = "", more: Mapping[str, str] | None = None) -> Iterator[Extra]:
        for extra in self._run(["beat"], failpoints, "", more or {}):
            eventually(lambda: extra.said("Filewright beat"))  # noqa: B023 - asked here and now
            yield extra

    def migrate(self, more: Mapping[str, str]) -> int | None:
        """Its exit code."""
        for extra in self._run(["migrate"], "", "", more, own_data=False):
            return extra.exit_code()
        return None

    def _run(
        self,
        arguments: list[str],
        failpoints: str,
        url: str,
        more: Mapping[str, str],
        data: Path | None = None,
        *,
        own_data: bool = True,
    ) -> Iterator[Extra]:
        self._count += 1
        home = self._folder / f"extra{self._count}"
        home.mkdir()
        log = home / "log"
        log.touch()
        environment = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(home),
            "FILEWRIGHT_CONFIG": str(self._shape.layout.settings_file),
            "FILEWRIGHT_LEASE_SECONDS": str(self._shape.lease_seconds),
            "FILEWRIGHT_UNLIMITED_NETWORKS": "0.0.0.0/0",
            "FILEWRIGHT_FAILPOINTS": failpoints,
            "FILEWRIGHT_RESULT_CACHE": "false",
            **more,
        }
        folder = ["--data", str(data or home / "data")] if own_data else []
        # What is preloaded is preloaded by the kernel: such a process begins from nothing.
        launch = launch_cold if "LD_PRELOAD" in more else self._launcher.launch
        pid = launch([*arguments, *folder], environment, log)
        extra = Extra(pid, log, url)
        try:
            yield extra
        finally:
            extra.end()


@dataclass(frozen=True)
class Lines:
    """The lines to what a process stands on; each can be made bad. `settings` lead over them."""

    database: FaultyProxy
    store: FaultyProxy
    redis: FaultyProxy
    settings: Mapping[str, str]

    def all(self) -> tuple[FaultyProxy, ...]:
        return self.database, self.store, self.redis


@contextmanager
def lines(shape: Shape) -> Iterator[Lines]:
    """Good, until a test arms them."""
    known = shape.settings
    names = ("FILEWRIGHT_DATABASE_URL", "FILEWRIGHT_STORAGE_URL", "FILEWRIGHT_REDIS_URL")
    with ExitStack() as closing:
        proxies, settings = [], {}
        for name in names:
            port = _port(known[name])
            proxies.append(closing.enter_context(FaultyProxy(port)))
            settings[name] = known[name].replace(f"127.0.0.1:{port}", f"127.0.0.1:{proxies[-1].port}")
        yield Lines(*proxies, settings)


def _port(url: str) -> int:
    address = urlsplit(url)
    found = address.port or urlsplit(address.query.partition("endpoint=")[2].partition("&")[0]).port
    assert found is not None, url
    return found


class Moving(httpx.BaseTransport):
    """A connection to one server, and from its death on to another: what a front does for its clients."""

    def __init__(self, first: str, then: str) -> None:
        self._inner = httpx.HTTPTransport()
        self._now, self._then = httpx.URL(first), httpx.URL(then)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(host=self._now.host, port=self._now.port)
        try:
            return self._inner.handle_request(request)
        except httpx.TransportError:
            self._now = self._then
            raise

    def close(self) -> None:
        self._inner.close()
