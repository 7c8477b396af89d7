"""The whole service in a thread of the tests' own process, on SQLite and a folder."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filewright.chassis.web.drain import Drain
from filewright.chassis.web.server import Server, make_server
from filewright.converter.bootstrap import Services, build, running
from filewright.converter.settings import Settings
from httpkit.live import Live, Manner
from httpkit.obedient import Gate, ObedientConverter

SLOTS = 32
_SECONDS = 30.0


class EmbeddedLive(Live):
    """One process, which is the tests' own."""

    def __init__(self, url: str, data: Path, services: Services, server: Server) -> None:
        super().__init__(url, data)
        self._data = data
        self._services = services
        self._server = server
        self._loop = asyncio.get_running_loop()

    @property
    def replicas(self) -> list[str]:
        return [self.url]

    @property
    def pids(self) -> list[int]:
        return [os.getpid()]

    @property
    def world(self) -> Services:
        return self._services

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def files(self) -> list[str]:
        """As they lie on the disk, so that what is half written is seen, too."""
        objects = self._data / "objects"
        return sorted(str(path.relative_to(objects)) for path in objects.rglob("*") if path.is_file())

    def stop(self) -> None:
        self._server.should_exit = True


@contextmanager
def serving(data: Path, *, settings: Mapping[str, Any] | None = None, **manner: Any) -> Iterator[Live]:
    """Until the context ends. The same folder again is the same service again."""
    thread = _Thread(data, Manner(**manner), settings or {})
    thread.start()
    thread.up.wait(_SECONDS)
    live = thread.live
    if live is None:
        raise thread.failure or TimeoutError("the server did not start")
    try:
        yield live
    finally:
        live.go_on.set()
        live.stop()
        thread.join(_SECONDS)
        assert not thread.is_alive()
        if thread.failure is not None:
            raise thread.failure


class _Thread(threading.Thread):
    """Runs the server on a loop of its own."""

    def __init__(self, data: Path, manner: Manner, settings: Mapping[str, Any]) -> None:
        super().__init__(daemon=True)
        self._data = data
        self._manner = manner
        self._settings = Settings(data_dir=data, slots=SLOTS, **{"result_cache": False, **settings})
        self.up = threading.Event()
        self.live: Live | None = None
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self.failure = error
        finally:
            self.up.set()

    async def _serve(self) -> None:
        gate, drain = Gate(self._data / "go-on"), Drain()
        async with build(self._settings, lambda sandbox, clock: ObedientConverter(sandbox, clock, gate)) as services:
            app = self._manner.application(services, drain, running(services))
            server = make_server(app, drain, port=0, grace=5)
            serving = asyncio.create_task(server.serve())
            while not server.started and not serving.done():
                await asyncio.sleep(0.005)
            port = server.servers[0].sockets[0].getsockname()[1]
            self.live = EmbeddedLive(f"http://127.0.0.1:{port}", self._data, services, server)
            self.up.set()
            await serving
