"""Whoever is at the other end: one that says what it is told to, and counts who came."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from filewright.chassis.networks import Address
from filewright.chassis.tasks import ended

_PORTS_TRIED = 20
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Peer:
    """A listener. `visits` counts connections, whether or not anything was said."""

    port: int = 0
    visits: int = 0
    heard: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def listening(
    script: bytes | Script, *hosts: str, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Peer]:
    """Listen on these addresses, all at one port; answer every request with the script."""
    peer = Peer(port=port)
    serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving[task] = writer
        peer.visits += 1
        with suppress(OSError, asyncio.IncompleteReadError):
            peer.heard.append(await reader.readuntil(b"\r\n\r\n"))
            if callable(script):
                await script(reader, writer)
            else:
                writer.write(script)
                await writer.drain()
        with suppress(OSError):
            writer.close()

    servers = []
    try:
        for bound in _bound(hosts or ("127.0.0.1",), port):
            servers.append(await asyncio.start_server(serve, sock=bound, ssl=tls))
            peer.port = bound.getsockname()[1]
        yield peer
    finally:
        for server in servers:
            server.close()
        await asyncio.wait_for(_hung_up(serving), 10)


def _bound(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """A socket at each address, all at one port: where none is given, at one that is free at all of them."""
    for _ in range(_PORTS_TRIED):
        bound: list[socket.socket] = []
        try:
            for host in hosts:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                bound.append(socket.create_server((host, port or _port_of(bound)), family=family))
        except OSError as error:
            for one in bound:
                one.close()
            if error.errno != errno.EADDRINUSE or port:
                raise
        else:
            return bound
    raise OSError(errno.EADDRINUSE, "no port is free at all of these addresses")


def _port_of(bound: Sequence[socket.socket]) -> int:
    return int(bound[0].getsockname()[1]) if bound else 0


async def _hung_up(serving: Mapping[asyncio.Task[None], asyncio.StreamWriter]) -> None:
    """Nothing of any connection is left to the loop, which may be about to close."""
    await ended(serving)
    for writer in serving.values():
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


class Names:
    """A resolver: each name has a list of answers, and gives the next one each time it is asked; the last one stays."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(value) for name, value in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append(host)
        if host not in self._answers:
            raise OSError(f"no such name: {host}")
        answers = self._answers[host]
        return [ipaddress.ip_address(text) for text in (answers.pop(0) if len(answers) > 1 else answers[0])]


def certified(folder: Path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context for these names, and a client's that believes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cadata=certificate.public_bytes(serialization.Encoding.PEM).decode())
