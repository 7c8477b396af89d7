"""A real server on a loopback port, with real storage and database, and a converter that does what its input says.

The converter stands in for the engines, because these tests are about HTTP: a text that begins with `!fail`, `!many`
or `!wait` makes the job do so; anything else is copied in upper case.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from filewright.chassis.clock import SystemClock
from filewright.chassis.coordination.memory import MemoryNotifier
from filewright.chassis.db.base import Base
from filewright.chassis.db.database import Database
from filewright.chassis.ids import RandomIds
from filewright.chassis.queue.outbox import TOPIC as OUTBOX
from filewright.chassis.queue.port import STANDARD
from filewright.chassis.sandbox.port import SandboxLevel
from filewright.chassis.storage.local import LocalStore
from filewright.chassis.storage.port import ObjectStore
from filewright.chassis.telemetry.logs import configure_logs
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.web.drain import Drain
from filewright.chassis.web.idempotency import IdempotencyKeys
from filewright.chassis.web.proxies import NO_PROXIES, Proxies
from filewright.chassis.web.server import make_server
from filewright.converter.artifacts.service import Artifacts
from filewright.converter.choices.service import Choices
from filewright.converter.conversion.converter import Converter
from filewright.converter.conversion.orders import Assignment, Converted, Hop, Product, Stage
from filewright.converter.engines.port import Availability, Conversion, Loss, Work
from filewright.converter.engines.registry import Registry
from filewright.converter.errors import Cancelled, CorruptInput, PasswordRequired
from filewright.converter.formats.catalogue import FORMATS
from filewright.converter.jobs.erasing import Eraser
from filewright.converter.jobs.runner import JobRunner
from filewright.converter.jobs.sealing import Sealer
from filewright.converter.jobs.service import Jobs
from filewright.converter.site.app import Exposure, create_app
from filewright.converter.site.callers import Callers
from filewright.converter.tiers import LOCAL, Tier
from filewright.converter.uploads.service import Uploads

SMALL_TIER = replace(LOCAL, max_input_bytes=2 << 20)


class ObedientEngine:
    """Declares a few conversions between texts."""

    name = "obedient"
    conversions: Sequence[Conversion] = (
        Conversion("txt", "md", cost=10, loss=Loss.NONE),
        Conversion("txt", "html", cost=20, options={"title": {"type": "string", "default": ""}}),
        Conversion("txt", "png", cost=30, loss=Loss.MOST, many=True),
        Conversion("csv", "json", cost=10, loss=Loss.NONE),
    )

    def check(self) -> Availability:
        return Availability(available=True, version="1.0")

    async def convert(self, work: Work) -> Sequence[Path]:
        raise NotImplementedError("the obedient converter does the work")


class NoSandbox:
    """Only its level is looked at here."""

    level = SandboxLevel.LIMITED

    async def run(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


class ObedientConverter(Converter):
    """The real one's plans; the work is what the text says: `!fail`, `!locked`, `!many N`, `!wait`, else upper case."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry, NoSandbox())
        self.go_on = threading.Event()

    async def convert(
        self,
        assignment: Assignment,
        *,
        workspace: Path,
        on_stage: Callable[[Stage], None] = lambda _: None,
        on_progress: Callable[[float], None] = lambda _: None,
        cancel: asyncio.Event | None = None,
    ) -> Converted:
        assert cancel is not None
        text = assignment.source.read_bytes()
        on_progress(0.5)
        if text.startswith(b"!fail"):
            raise CorruptInput("The file is torn in two.")
        if text.startswith(b"!locked") and assignment.password != "sesame":
            raise PasswordRequired
        if text.startswith(b"!wait"):
            await self._wait(cancel)
        count = int(text.split()[1]) if text.startswith(b"!many") else 1
        products = tuple(self._product(assignment, workspace, text.upper(), n, count) for n in range(count))
        hop = Hop("obedient", "1.0", assignment.source_format or "txt", assignment.target_format, lossy=False)
        return Converted(hop.source, hop.target, (hop,), products, 0.01)

    async def _wait(self, cancel: asyncio.Event) -> None:
        while not self.go_on.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(cancel.wait(), 0.02)
            if cancel.is_set():
                raise Cancelled

    def _product(self, assignment: Assignment, workspace: Path, data: bytes, n: int, count: int) -> Product:
        known = FORMATS[assignment.target_format]
        path = workspace / "out" / f"output-{n}.{known.extension}"
        path.write_bytes(data)
        stem = assignment.filename.rpartition(".")[0] or assignment.filename
        name = f"{stem}.{known.extension}" if count == 1 else f"{stem}-{n + 1}.{known.extension}"
        return Product(path, name, known.id, known.media_type, len(data), hashlib.sha256(data).hexdigest())


@dataclass
class World:
    """Everything of one running service."""

    clock: SystemClock
    database: Database
    store: ObjectStore
    metrics: Metrics
    sandbox: Any
    registry: Registry
    jobs: Jobs
    uploads: Uploads
    choices: Choices
    artifacts: Artifacts
    idempotency: IdempotencyKeys
    runner: JobRunner
    notifier: MemoryNotifier
    converter: ObedientConverter


def build(data: Path, store: ObjectStore | None = None) -> World:
    clock, notifier, metrics = SystemClock(), MemoryNotifier(), Metrics()
    ids = RandomIds(clock)
    database = Database(f"sqlite:///{data / 'state.db'}")
    store = store or LocalStore(data / "objects")
    (data / "scratch").mkdir(exist_ok=True)
    (data / "work").mkdir(exist_ok=True)
    artifacts = Artifacts(database, store, ids)
    uploads = Uploads(database=database, store=store, artifacts=artifacts, ids=ids, scratch=data / "scratch")
    registry = Registry([ObedientEngine()])
    converter = ObedientConverter(registry)
    sealer = Sealer(b"x" * 32)
    choices = Choices(database, clock)

    jobs = Jobs(
        database=database,
        sources=uploads,
        files=artifacts,
        planner=converter,
        notifier=notifier,
        ids=ids,
        sealer=sealer,
        erase_files=Eraser(database, store, artifacts).erase,
        chosen=choices.count,
    )
    runner = JobRunner(
        database=database,
        store=store,
        files=artifacts,
        converter=converter,
        notifier=notifier,
        ids=ids,
        clock=clock,
        sealer=sealer,
        jobs_dir=data / "work",
        instance="w1",
        metrics=metrics,
    )
    return World(
        clock=clock,
        database=database,
        store=store,
        metrics=metrics,
        sandbox=NoSandbox(),
        registry=registry,
        jobs=jobs,
        uploads=uploads,
        choices=choices,
        artifacts=artifacts,
        idempotency=IdempotencyKeys(database, ids, clock),
        runner=runner,
        notifier=notifier,
        converter=converter,
    )


@asynccontextmanager
async def working(world: World) -> AsyncIterator[None]:
    """Tables, and a worker that takes jobs as they come, several at once."""
    async with world.database._writer.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await world.idempotency.abandon_all()
    worker = asyncio.create_task(_work(world))
    try:
        yield
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
        await world.database.close()


async def _work(world: World) -> None:
    running: set[asyncio.Task[str]] = set()
    async with world.notifier.listen(OUTBOX) as news:
        while True:
            claimed = await world.runner.claim(STANDARD)
            if claimed is None:
                await news.wait(0.1)
                continue
            task = asyncio.create_task(world.runner.run(claimed))
            running.add(task)
            task.add_done_callback(running.discard)


@dataclass
class Live:
    """A server that is up."""

    url: str
    port: int
    data: Path
    world: World
    stop: Callable[[], None]

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, **options)

    def call(self, work: Callable[[], Any]) -> Any:
        """Run a coroutine of the service's own on its own loop."""
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(30)

    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def files(self) -> list[Path]:
        """Every object in the store."""
        objects = self.data / "objects"
        return sorted(path for path in objects.rglob("*") if path.is_file())


@contextmanager
def serving(
    data: Path,
    *,
    tier: Tier = LOCAL,
    local: bool = True,
    proxies: Proxies = NO_PROXIES,
    anonymous: bool = True,
    store: ObjectStore | None = None,
) -> Iterator[Live]:
    """A server in a thread of its own."""
    started: list[Live] = []
    ready = threading.Event()
    failure: list[BaseException] = []

    async def main() -> None:
        world = build(data, store)
        drain = Drain()
        callers = Callers(local=local, anonymous=anonymous, proxies=proxies, local_tier=tier, anonymous_tier=tier)
        app = create_app(world, exposure=Exposure(callers, proxies), drain=drain, running=working(world))
        server = make_server(app, drain, port=0, grace=5)
        loop = asyncio.get_running_loop()
        serve = asyncio.create_task(server.serve())
        while not server.started and not serve.done():
            await asyncio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]

        def stop() -> None:
            server.should_exit = True

        live = Live(f"http://127.0.0.1:{port}", port, data, world, stop)
        live._loop.close()
        live._loop = loop
        started.append(live)
        ready.set()
        await serve

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            failure.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(20)
    if failure:
        raise failure[0]
    live = started[0]
    try:
        yield live
    finally:
        live.world.converter.go_on.set()
        live.stop()
        thread.join(20)
        assert not thread.is_alive()
        if failure:
            raise failure[0]


@pytest.fixture(scope="session", autouse=True)
def logs() -> None:
    """As in production; the console's tracebacks take seconds to draw."""
    configure_logs("json")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One server for a module."""
    with serving(tmp_path_factory.mktemp("live")) as server:
        yield server


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server that takes files of up to 2 MiB."""
    with serving(tmp_path_factory.mktemp("small"), tier=SMALL_TIER) as server:
        yield server


@pytest.fixture
def serve() -> Callable[..., Any]:
    """Start a server of one's own: `with serve(tmp_path, tier=…) as live`."""
    return serving


@pytest.fixture(scope="module")
def serve_module() -> Callable[..., Any]:
    """The same, for a server that a module's tests share."""
    return serving


@pytest.fixture
def http(live: Live) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


@pytest.fixture
def upload(http: httpx.Client) -> Callable[..., str]:
    """Bring a file in; gives the upload's id."""

    def bring(data: bytes = b"hello", name: str = "note.txt") -> str:
        ticket = http.post("/v1/uploads", json={"filename": name, "bytes": len(data)}).raise_for_status().json()
        http.put(ticket["url"], content=data).raise_for_status()
        http.post(f"/v1/uploads/{ticket['id']}/complete").raise_for_status()
        return str(ticket["id"])

    return bring


@pytest.fixture
def order(http: httpx.Client, upload: Callable[..., str]) -> Callable[..., dict[str, Any]]:
    """Order a job; gives it as it was accepted."""

    def place(data: bytes = b"hello", name: str = "note.txt", to: str = "md", **more: Any) -> dict[str, Any]:
        answer = http.post("/v1/jobs", json={"inputs": [{"upload": upload(data, name)}], "to": to, **more})
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = answer.json()
        return job

    return place


@pytest.fixture
def finished(http: httpx.Client, order: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Order a job and wait for its end."""

    def run(*args: Any, **options: Any) -> dict[str, Any]:
        job = order(*args, **options)
        deadline = time.monotonic() + 20
        while job["status"] in {"queued", "running"} and time.monotonic() < deadline:
            job = http.get(f"/v1/jobs/{job['id']}", params={"wait": 5}).raise_for_status().json()
        return job

    return run


class RawConnection:
    """A socket, for what no well-behaved client sends."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send_until_closed(self, piece: bytes, most: int) -> int:
        """Send the piece again and again until the other side has had enough; how many bytes went out."""
        sent = 0
        with suppress(OSError):
            while sent < most:
                self._socket.sendall(piece)
                sent += len(piece)
        return sent

    def read_all(self) -> bytes:
        """Everything until the other side closes."""
        received = b""
        with suppress(ConnectionResetError):
            while piece := self._socket.recv(65536):
                received += piece
        return received

    def read_response(self) -> tuple[int, dict[str, str], bytes]:
        """One response with a Content-Length."""
        received = b""
        while b"\r\n\r\n" not in received:
            piece = self._socket.recv(65536)
            if not piece:
                break
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines[1:]}
        while len(body) < int(headers.get("content-length", 0)):
            piece = self._socket.recv(65536)
            if not piece:
                break
            body += piece
        return int(lines[0].split()[1]) if len(lines[0].split()) > 1 else 0, headers, body

    def close_for_sending(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)


@pytest.fixture
def raw() -> Callable[[Live], RawConnection]:
    return lambda live: RawConnection(live.port)
