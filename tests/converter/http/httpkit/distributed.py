"""The service as it is when it is many: API processes, workers and a beat that share no memory, and a front.

They stand on real PostgreSQL behind PgBouncer, Redis and an S3 service. The servers are the session's; each service has
a database, a place in the bucket, two Redis and an nginx of its own. nginx is set up by the stack's own templates.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import httpx

from filewright.chassis.testing.servers.postgres import PrivatePgBouncer, PrivatePostgres
from filewright.chassis.testing.servers.redis import PrivateRedis
from filewright.chassis.testing.servers.s3 import PrivateS3
from filewright.chassis.testing.warm import WarmProcess, WarmPython
from filewright.converter.bootstrap import Services, build_api, migrate
from filewright.converter.settings import Settings
from filewright.stack import ports
from filewright.stack.front import Front
from filewright.stack.layout import Layout, Memory, Shape
from filewright.stack.planning import Planner, ports_wanted
from filewright.stack.processes import Process
from filewright.stack.surroundings import plain_environment
from httpkit.live import Live, Manner
from httpkit.obedient import Gate, ObedientConverter

ROLES = ("api", "api", "worker", "worker", "beat")
SLOTS = 8
PATIENT = 30.0
"""Seconds in which Redis may answer on a busy machine: a process that does without it counts by itself."""
BUCKET = "filewright-shape"
FRONT = "127.0.0.1/32"
_TEMPLATE = "shape_template"
_SECONDS = 60.0
_PROGRAM = Path(__file__).with_name("role.py")


@dataclass
class Ground:
    """What all services of a session stand on."""

    postgres: PrivatePostgres
    pooler: PrivatePgBouncer
    s3: PrivateS3
    warm: WarmPython
    secret_file: Path
    _places: dict[Path, Mapping[str, str]] = field(default_factory=dict)

    def prepare(self) -> None:
        """The schema, once, and the bucket."""
        self.s3.make_bucket(BUCKET)
        self.postgres.execute(f"CREATE DATABASE {_TEMPLATE}")
        direct = {**self._settings(_TEMPLATE), "database_url": self.postgres.url(_TEMPLATE)}
        _elsewhere(lambda: asyncio.run(migrate(Settings(**direct))))

    def place(self, data: Path) -> Mapping[str, str]:
        """The settings of the service in this folder, the same each time."""
        if data not in self._places:
            name = f"shape_{len(self._places)}"
            self.postgres.copy(_TEMPLATE, name)
            self._places[data] = self._settings(name)
        return self._places[data]

    def _settings(self, name: str) -> dict[str, str]:
        return {
            "database_url": self.pooler.url(name),
            "storage_url": f"{self.s3.url(BUCKET, name)}&public_endpoint=none",
            "s3_access_key_id": self.s3.key_id,
            "s3_secret_access_key": self.s3.secret,
            "secret_key_file": str(self.secret_file),
        }


class DistributedLive(Live):
    """Several processes, none of them the tests' own."""

    def __init__(self, url: str, data: Path, settings: Mapping[str, Any], apis: Sequence[_Role]) -> None:
        super().__init__(url, data)
        self._apis = apis
        self._inside = _Inside({**settings, "data_dir": str(data / "inside")}, self.go_on)

    @property
    def replicas(self) -> list[str]:
        return [f"http://{api.address}" for api in self._apis]

    @property
    def pids(self) -> list[int]:
        return [api.process.pid for api in self._apis]

    @property
    def world(self) -> Services:
        """As an API process has them that nobody asks anything."""
        return self._inside.services

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._inside.loop

    def files(self) -> list[str]:
        async def listed() -> list[str]:
            return sorted([item.key async for item in self.world.store.list("")])

        return self.call(listed)

    def stop(self) -> None:
        for api in self._apis:
            api.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        self._inside.close()


@contextmanager
def serving(ground: Ground, data: Path, *, settings: Mapping[str, Any] | None = None, **manner: Any) -> Iterator[Live]:
    """Until the context ends. The same folder again is the same service again."""
    with ExitStack() as closing:
        redis, cache = PrivateRedis(), PrivateRedis()
        closing.callback(redis.stop)
        closing.callback(cache.stop)
        addresses = {"redis_url": redis.url(), "cache_url": cache.url(), "redis_answer_seconds": PATIENT}
        shared = {**ground.place(data), **addresses, "slots": SLOTS, "result_cache": False, **(settings or {})}
        met = Manner(**{**manner, "trusted": (FRONT, *manner.get("trusted", ()))})
        roles = [_Role(name, n) for n, name in enumerate(ROLES)]
        closing.callback(_end_all, roles)
        for role in roles:
            role.start(ground.warm, data, shared, met)
        for role in roles:
            role.wait_until_ready()
        apis = [role for role in roles if role.name == "api"]
        door = Door(
            Path(mkdtemp(prefix="front-", dir=data)), ground.s3.port, {f"api-{api.number}": api.address for api in apis}
        )
        closing.callback(door.close)
        live = DistributedLive(door.url, data, shared, apis)
        closing.callback(live.close)
        closing.callback(live.go_on.set)
        yield live


class _Role:
    """One process of the service."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.address = ""
        self.process: WarmProcess | None = None

    def start(self, warm: WarmPython, data: Path, settings: Mapping[str, Any], manner: Manner) -> None:
        own = data / f"{self.name}-{self.number}"
        own.mkdir(parents=True, exist_ok=True)
        order = {
            "role": self.name,
            "settings": {**settings, "data_dir": str(own)},
            "manner": asdict(manner),
            "gate": str(data / "go-on"),
        }
        self._log = own / "log"
        with self._log.open("a") as log:
            self.process = warm.start([str(_PROGRAM), json.dumps(order)], stderr=log)

    def wait_until_ready(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready"), f"{self.name}: {line!r}: {self._log.read_text()[-4000:]}"
        self.address = line.removeprefix("ready").strip()

    def end(self) -> None:
        """It has been told to."""
        assert self.process is not None
        try:
            self.process.wait(_SECONDS)
        finally:
            self.process.kill()
            assert self.process.stdout is not None
            self.process.stdout.close()


def _end_all(roles: Sequence[_Role]) -> None:
    """All are told before any is waited for."""
    started = [role for role in roles if role.process is not None]
    for role in started:
        role.process.send_signal(signal.SIGTERM)
    with ExitStack() as ending:
        for role in started:
            ending.callback(role.end)


class Door:
    """nginx in front of these processes, as a stack would set it up."""

    def __init__(self, folder: Path, s3_port: int, addresses: Mapping[str, str]) -> None:
        layout = Layout(folder)
        chosen = ports.choose({"s3": s3_port}, ports_wanted(Shape(), {}))
        memory = Memory(ports=chosen, environment=plain_environment())
        layout.prepare()
        plan = Planner(layout, memory, layout.secrets(), {}, {}).plan(1)
        service = plan.service("nginx")
        assert service is not None
        front = Front(plan.front, s3_address=f"127.0.0.1:{s3_port}", owner=service.user, process=lambda: None)
        _elsewhere(lambda: asyncio.run(front.rotate(lambda: addresses)))
        self.url = plan.url
        self._process = Process.start(
            service.argv,
            cwd=service.cwd,
            environment=service.environment,
            log=layout.log("nginx"),
            user=service.user,
            record=lambda _: None,
        )
        try:
            self._wait_until_it_answers(plan.front.health_url, layout.log("nginx"))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._process.signal(signal.SIGTERM)
        if not self._process.wait(10):
            self._process.kill()
            self._process.wait(10)
        self._process.close()

    def _wait_until_it_answers(self, url: str, log: Path) -> None:
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            try:
                httpx.get(url, timeout=5).raise_for_status()
            except httpx.HTTPError:
                assert not self._process.wait(0.02), log.read_text()
            else:
                return
        raise TimeoutError(log.read_text())


class _Inside:
    """The parts of the service once more, on a loop in a thread of the tests' process; made when first asked for."""

    def __init__(self, settings: Mapping[str, Any], gate: Gate) -> None:
        self._settings = settings
        self._gate = gate
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._services: Services | None = None
        self.loop = asyncio.new_event_loop()

    @property
    def services(self) -> Services:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
            assert self._ready.wait(_SECONDS)
        assert self._services is not None
        return self._services

    def close(self) -> None:
        if self._thread is not None:
            self.loop.call_soon_threadsafe(self._over.set)
            self._thread.join(_SECONDS)
        self.loop.close()

    def _run(self) -> None:
        try:
            self.loop.run_until_complete(self._be())
        finally:
            self._ready.set()

    async def _be(self) -> None:
        self._over = asyncio.Event()
        settings = Settings(**self._settings)
        async with build_api(settings, lambda sandbox, clock: ObedientConverter(sandbox, clock, self._gate)) as found:
            self._services = found
            self._ready.set()
            await self._over.wait()


def _elsewhere(work: Callable[[], Any]) -> Any:
    """On a thread of its own: the test's may have a loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def secret_in(folder: Path) -> Path:
    """The file with the secret that all processes share."""
    path = folder / "secret.key"
    path.write_text(os.urandom(32).hex())
    return path
