"""A real service on a loopback port, in the chosen shape, with a converter that does what its input says."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from httpkit import distributed, embedded
from httpkit.live import Live, port_of

from filewright.chassis.telemetry.logs import configure_logs
from filewright.chassis.testing.fixtures import missing
from filewright.chassis.testing.servers.postgres import PrivatePgBouncer, PrivatePostgres
from filewright.chassis.testing.servers.s3 import PrivateS3
from filewright.chassis.testing.warm import WarmPython
from filewright.stack import programs
from filewright.stack.errors import ProgramMissing

SMALL = 2 << 20
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.fixture(scope="session", autouse=True)
def logs() -> None:
    """As in production; the console's tracebacks take seconds to draw."""
    configure_logs("json")


@pytest.fixture(scope="session")
def serve(chosen_shape: str, request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Start a service of one's own: `with serve(tmp_path, local=False) as live`. See `httpkit.live.Manner`."""
    if chosen_shape == "embedded":
        return embedded.serving
    return partial(distributed.serving, request.getfixturevalue("ground"))


@pytest.fixture(scope="session")
def ground(
    request: pytest.FixtureRequest,
    postgres_server: PrivatePostgres,
    pgbouncer_server: PrivatePgBouncer,
    s3_server: PrivateS3,
    warm: WarmPython,
    tmp_path_factory: pytest.TempPathFactory,
) -> distributed.Ground:
    """The servers that services of the distributed shape stand on."""
    try:
        programs.check([programs.NGINX, programs.REDIS])
    except ProgramMissing as error:
        missing(request.config, str(error))
    secret = distributed.secret_in(tmp_path_factory.mktemp("secret"))
    prepared = distributed.Ground(postgres_server, pgbouncer_server, s3_server, warm, secret)
    prepared.prepare()
    return prepared


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., Any]) -> Iterator[Live]:
    """One service for a module."""
    with serve(tmp_path_factory.mktemp("live")) as service:
        yield service


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, serve: Callable[..., Any]) -> Iterator[Live]:
    """A service that takes files of up to 2 MiB."""
    with serve(tmp_path_factory.mktemp("small"), max_input_bytes=SMALL) as service:
        yield service


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
        """One response with a Content-Length. That one may go on with the body is no response yet."""
        received = b""
        while b"\r\n\r\n" not in (received := received.removeprefix(CONTINUE)):
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
    """To where people find the service."""
    return lambda live: RawConnection(live.port)


@pytest.fixture
def raw_behind() -> Callable[[Live], RawConnection]:
    """To a process that answers, past a front: that one reads on for a while after it said no, and throws it away."""
    return lambda live: RawConnection(port_of(live.replicas[0]))
