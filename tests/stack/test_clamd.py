"""A virus scanner runs beside the rest where it is asked for, and knows at least the file that everybody tries."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest
from stackkit.trying import Tried

from filewright.chassis.testing.fixtures import missing
from filewright.stack import programs

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.alone, pytest.mark.long]

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def test_a_scanner_that_is_asked_for_finds_the_test_file(
    make: Callable[..., Tried], request: pytest.FixtureRequest
) -> None:
    if programs.locate(programs.CLAMD) is None:
        missing(request.config, "clamd is not installed: apt-get install clamav-daemon")
    tried = make()
    tried.stack.up({"api": 0, "worker": 0}, clamd=True)
    row = tried.row("clamd")
    assert row.healthy
    assert row.address is not None
    host, _, port = row.address.partition(":")
    assert "FOUND" in scanned(host, int(port), EICAR)
    assert scanned(host, int(port), b"nothing to see") == "stream: OK"
    tried.stack.up(clamd=False)
    assert [row.name for row in tried.stack.status().rows if row.name == "clamd"] == []


def scanned(host: str, port: int, content: bytes) -> str:
    with socket.create_connection((host, port), timeout=30) as connection:
        connection.sendall(b"zINSTREAM\0" + struct.pack(">I", len(content)) + content + struct.pack(">I", 0))
        return connection.recv(1000).rstrip(b"\0").decode()
