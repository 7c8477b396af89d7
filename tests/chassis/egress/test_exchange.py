"""One exchange with a real listener: what is sent, what is given back, and where patience and memory end."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from pathlib import Path

import pytest

from filewright.chassis.egress.client import Bounds, Egress, Outgoing
from filewright.chassis.egress.errors import SourceFailed, SourceForbidden
from filewright.chassis.egress.wire import Policy
from filewright.chassis.telemetry.metrics import Metrics
from filewright.chassis.testing.peers import Names, certified, listening

LOOPBACK = Policy((ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")))
IN_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PATIENT = Bounds(seconds=60, silent_seconds=30)


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def test_a_request_says_what_it_is_told_to_and_nothing_of_the_machine() -> None:
    async with listening(answer(b"yes", "X-Kind: Peer")) as peer:
        got = await Egress(LOOPBACK).exchange(
            Outgoing("POST", f"http://127.0.0.1:{peer.port}/a%20b?q=ü#part", {"X-Sign": "1"}, b"{}", bounds=PATIENT)
        )
    assert (got.status, got.headers["x-kind"], got.body) == (200, "Peer", b"yes")
    lines = peer.heard[0].decode().split("\r\n")
    assert lines[0] == "POST /a%20b?q=%C3%BC HTTP/1.1"
    assert {line.partition(":")[0].lower() for line in lines[1:] if line} == {
        "host", "user-agent", "accept", "accept-encoding", "connection", "x-sign", "content-length",
    }  # fmt: skip
    assert f"Host: 127.0.0.1:{peer.port}" in lines


async def test_tls_is_made_with_the_name_and_the_certificate_must_be_its_own(tmp_path: Path) -> None:
    server, client = certified(tmp_path, "good.test")
    names = Names(good_test=[["::1"]], other_test=[["::1"]])
    async with listening(answer(b"sealed"), "::1", tls=server) as peer:
        egress = Egress(LOOPBACK, resolve=names, tls=client)
        got = await egress.exchange(Outgoing("GET", f"https://good.test:{peer.port}/", bounds=PATIENT))
        assert got.body == b"sealed"
        with pytest.raises(SourceFailed):
            await egress.exchange(Outgoing("GET", f"https://other.test:{peer.port}/", bounds=PATIENT))
        with pytest.raises(SourceFailed):
            strangers = Egress(LOOPBACK, resolve=names)
            await strangers.exchange(Outgoing("GET", f"https://good.test:{peer.port}/", bounds=PATIENT))
    assert len(peer.heard) == 1, "nothing was said to whom the certificate did not belong"
    assert client.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.requirement("S23")
@pytest.mark.parametrize(
    "said",
    [
        pytest.param(answer(b"x" * 2000), id="announced"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000, id="until-the-end"),
        pytest.param(IN_CHUNKS + 2 * (b"400\r\n" + b"x" * 1024 + b"\r\n") + b"0\r\n\r\n", id="in-chunks"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 5000 + b"\r\n\r\n", id="in-a-header"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2000 + b"\r\n", id="in-headers"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000, id="in-promises"),
        pytest.param(answer(b"\x1f\x8b" + b"x" * 10, "Content-Encoding: gzip"), id="packed"),
    ],
)  # fmt: skip
async def test_what_is_too_much_is_cut(said: bytes) -> None:
    bounds = Bounds(seconds=60, silent_seconds=30, body_bytes=1000, head_bytes=1000)
    async with listening(said) as peer:
        with pytest.raises(SourceFailed):
            await Egress(LOOPBACK).exchange(Outgoing("GET", f"http://127.0.0.1:{peer.port}/", bounds=bounds))


@pytest.mark.requirement("F23")
@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200 OK\r\n", answer(b"half of it")[:-5]])
async def test_whoever_falls_silent_is_left(before: bytes) -> None:
    hung_up = asyncio.Event()

    async def pause(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(before)
        await reader.read()  # until the other side has had enough
        hung_up.set()

    async with listening(pause) as peer:
        with pytest.raises(SourceFailed):
            bounds = Bounds(seconds=60, silent_seconds=0.1)
            await Egress(LOOPBACK).exchange(Outgoing("GET", f"http://127.0.0.1:{peer.port}/", bounds=bounds))
        await asyncio.wait_for(hung_up.wait(), 30)


@pytest.mark.requirement("F23")
async def test_whoever_speaks_for_ever_is_left_when_the_time_is_over() -> None:
    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with listening(drip) as peer:
        with pytest.raises(SourceFailed, match="too long"):
            bounds = Bounds(seconds=0.3, silent_seconds=30)
            await Egress(LOOPBACK).exchange(Outgoing("GET", f"http://127.0.0.1:{peer.port}/", bounds=bounds))


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH\r\n", answer(b"truncated")[:-3], b"\0" * 100])
async def test_what_is_no_whole_answer_is_a_failure(said: bytes) -> None:
    async with listening(said) as peer:
        with pytest.raises(SourceFailed) as caught:
            await Egress(LOOPBACK).exchange(Outgoing("GET", f"http://127.0.0.1:{peer.port}/", bounds=PATIENT))
    assert "OpenSSH" not in caught.value.detail


async def test_where_nobody_listens_is_a_failure_and_the_next_address_is_tried() -> None:
    async with listening(answer(b"second"), "127.0.0.1") as peer:
        names = Names(two_test=[["::1", "127.0.0.1"]], one_test=[["::1"]])
        egress = Egress(LOOPBACK, resolve=names)
        got = await egress.exchange(Outgoing("GET", f"http://two.test:{peer.port}/", bounds=PATIENT))
        assert got.body == b"second"
        with pytest.raises(SourceFailed):
            await egress.exchange(Outgoing("GET", f"http://one.test:{peer.port}/", bounds=PATIENT))


async def test_calls_are_counted_by_purpose_and_outcome() -> None:
    metrics = Metrics()
    egress = Egress(LOOPBACK, metrics=metrics)
    async with listening(answer(b"")) as peer:
        await egress.exchange(Outgoing("GET", f"http://127.0.0.1:{peer.port}/", purpose="import", bounds=PATIENT))
    for url, error in (("http://10.0.0.1/", SourceForbidden), ("http://127.0.0.1:1/", SourceFailed)):
        with pytest.raises(error):
            await egress.exchange(Outgoing("GET", url, purpose="import", bounds=PATIENT))
    text = metrics.render().decode()
    for outcome in ("done", "forbidden", "failed"):
        assert f'egress_requests_total{{outcome="{outcome}",purpose="import"}} 1.0' in text
