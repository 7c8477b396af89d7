"""A virus scanner runs beside the rest where it is asked for, and knows at least the file that everybody tries."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import httpx
import pytest
from stackkit.trying import Tried

from filewright.chassis.testing.fixtures import missing
from filewright.stack import programs
from filewright.stack.roles import ROLES

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.alone, pytest.mark.long]

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


@pytest.mark.requirement("S17", "I1")
def test_a_scanner_that_is_asked_for_finds_the_test_file_and_the_workers_ask_it(
    make: Callable[..., Tried], request: pytest.FixtureRequest
) -> None:
    if programs.locate(programs.CLAMD) is None:
        missing(request.config, "clamd is not installed: apt-get install clamav-daemon")
    tried = make(roles=ROLES)  # of the product itself
    tried.stack.up({"api": 1, "worker": 1, "beat": 0}, clamd=True)
    row = tried.row("clamd")
    assert row.healthy
    assert row.address is not None
    host, _, port = row.address.partition(":")
    assert "FOUND" in scanned(host, int(port), EICAR)
    assert scanned(host, int(port), b"nothing to see") == "stream: OK"
    url = tried.stack.status().url
    with httpx.Client(base_url=str(url), timeout=90, trust_env=False) as http:
        for content, status in ((EICAR, 422), (b"# nothing to see\n", 200)):
            answer = http.post("/v1/convert", data={"to": "html"}, files={"file": ("note.md", content)})
            assert answer.status_code == status, answer.text
            if status == 422:
                assert answer.json()["code"] == "infected"
    tried.stack.up({"api": 0, "worker": 0}, clamd=False)
    assert [row.name for row in tried.stack.status().rows if row.name == "clamd"] == []


def scanned(host: str, port: int, content: bytes) -> str:
    with socket.create_connection((host, port), timeout=30) as connection:
        connection.sendall(b"zINSTREAM\0" + struct.pack(">I", len(content)) + content + struct.pack(">I", 0))
        return connection.recv(1000).rstrip(b"\0").decode()
