"""How much memory the server takes: idle, and while a gigabyte is sent to it in each of the ways there are."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

MIB = 1 << 20
SENT = 1 << 30
MOST_GROWTH = 32 * MIB
MOST_IDLE = 150 * MIB
PIECE = bytes(MIB)


class Server:
    """A `filewright serve` of its own, whose memory is looked at from outside."""

    def __init__(self, data: Path) -> None:
        command = [sys.executable, "-m", "filewright", "serve", "--port", "0", "--data", str(data)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        found = re.search(r"http://[\d.:]+", self.process.stdout.readline())
        assert found, "the server did not start"
        self.http = httpx.Client(base_url=found.group(0), timeout=300)
        while self.http.get("/readyz").status_code != 200:
            time.sleep(0.1)

    def close(self) -> None:
        self.http.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def tree_bytes(self) -> int:
        root = psutil.Process(self.process.pid)
        return sum(process.memory_info().rss for process in [root, *root.children(recursive=True)])

    def forget_peak(self) -> int:
        """The kernel counts the peak from now on; what is resident now."""
        self._proc("clear_refs").write_text("5")
        return self._field("VmRSS")

    def peak(self) -> int:
        return self._field("VmHWM")

    def _field(self, name: str) -> int:
        found = re.search(rf"^{name}:\s+(\d+) kB$", self._proc("status").read_text(), re.MULTILINE)
        assert found
        return int(found.group(1)) << 10

    def _proc(self, name: str) -> Path:
        return Path(f"/proc/{self.process.pid}/{name}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("memory"))
    yield server
    server.close()


def gigabyte() -> Iterator[bytes]:
    for _ in range(SENT // len(PIECE)):
        yield PIECE


def grown_by(server: Server, send) -> int:
    """How far the server's memory rises while it is sent something; a small one of the kind has come before."""
    before = server.forget_peak()
    send()
    return server.peak() - before


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.requirement("D4")
def test_an_idle_server_holds_little_before_the_first_engine_starts(server):
    assert server.tree_bytes() <= MOST_IDLE


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.requirement("S15", "D4")
def test_a_gigabyte_in_a_form_does_not_grow_the_server(server):
    def convert(pieces: Iterator[bytes]) -> httpx.Response:
        def body() -> Iterator[bytes]:
            yield b'--edge\r\nContent-Disposition: form-data; name="to"\r\n\r\npdf\r\n'
            yield b'--edge\r\nContent-Disposition: form-data; name="file"; filename="zeros.bin"\r\n\r\n'
            yield from pieces
            yield b"\r\n--edge--\r\n"

        headers = {"Content-Type": "multipart/form-data; boundary=edge"}
        return server.http.post("/v1/convert", content=body(), headers=headers)

    assert convert(iter([PIECE])).status_code == 415
    answers = []
    assert grown_by(server, lambda: answers.append(convert(gigabyte()))) <= MOST_GROWTH
    assert answers[0].status_code == 415, "it is nothing that anybody can convert, and all of it was looked at"


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.requirement("S15", "D4")
def test_a_gigabyte_put_in_one_piece_does_not_grow_the_server(server):
    def put(pieces: Iterator[bytes], size: int) -> int:
        upload = server.http.post("/v1/uploads", json={"filename": "zeros.bin", "bytes": size}).json()
        server.http.put(upload["url"], content=pieces).raise_for_status()
        received = server.http.get(f"/v1/uploads/{upload['id']}").json()["received"]
        server.http.delete(f"/v1/uploads/{upload['id']}")
        return int(received)

    assert put(iter([PIECE]), len(PIECE)) == len(PIECE)
    received = []
    assert grown_by(server, lambda: received.append(put(gigabyte(), SENT))) <= MOST_GROWTH
    assert received == [SENT]


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.requirement("S15", "D4")
def test_a_gigabyte_sent_resumably_does_not_grow_the_server(server):
    tus = {"Tus-Resumable": "1.0.0"}

    def send(pieces: Iterator[bytes], size: int) -> int:
        made = server.http.post("/v1/uploads", headers=tus | {"Upload-Length": str(size)})
        headers = tus | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        sent = server.http.patch(made.headers["Location"], content=pieces, headers=headers)
        server.http.delete(made.headers["Location"], headers=tus)
        return int(sent.headers["Upload-Offset"])

    assert send(iter([PIECE]), len(PIECE)) == len(PIECE)
    received = []
    assert grown_by(server, lambda: received.append(send(gigabyte(), SENT))) <= MOST_GROWTH
    assert received == [SENT]
