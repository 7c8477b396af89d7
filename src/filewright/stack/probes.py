"""Whether something answers as it should: one question, asked briefly. What to ask is a URL.

`tcp://` it takes a connection; `http://` it answers below 400; `redis://` it says PONG; `postgresql://` it runs a
statement; `clamd://` it says PONG in its way; `file://` what it last wrote there says that it is well, and is fresh. An
answer counts only when it is the service's own: passwords are part of the URL.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from filewright.chassis.clock import SystemClock
from filewright.chassis.telemetry.heartbeat import Sign, read_sign

PROBE_SECONDS = 2.0


async def is_well(url: str | None, seconds: float = PROBE_SECONDS) -> bool:
    """Ask. None is always well; any failure, and no answer in time, is not."""
    if url is None:
        return True
    address = urlsplit(url)
    try:
        async with asyncio.timeout(seconds):
            return await _ASK[address.scheme](address)
    except Exception:  # noqa: BLE001 - whatever it says instead of an answer, it is not well
        return False


def sign_at(url: str | None) -> Sign | None:
    """What a process said last that says how it is in a file; None for any other."""
    if url is None or not url.startswith("file://"):
        return None
    return read_sign(Path(urlsplit(url).path), SystemClock())


def forget_sign(url: str | None) -> None:
    """What it said is over."""
    if url is not None and url.startswith("file://"):
        Path(urlsplit(url).path).unlink(missing_ok=True)


async def http_text(url: str, seconds: float = PROBE_SECONDS) -> tuple[int, str]:
    """Status and body of a GET, with nothing between us and the server. Raises OSError, TimeoutError or ValueError."""
    address = urlsplit(url)
    host = f"{address.hostname}:{address.port}"
    request = f"GET {address.path or '/'} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    async with asyncio.timeout(seconds):
        head, _, body = (await _exchange(address, request, -1)).partition("\r\n\r\n")
    return int(head.split(maxsplit=2)[1]), body


async def _tcp(address: SplitResult) -> bool:
    await _exchange(address, "", 0)
    return True


async def _http(address: SplitResult) -> bool:
    status, _ = await http_text(address.geturl())
    return status < 400


async def _redis(address: SplitResult) -> bool:
    answer = await _exchange(address, f"AUTH {address.password}\r\nPING\r\n", len("+OK\r\n+PONG\r\n"))
    return answer == "+OK\r\n+PONG\r\n"


async def _clamd(address: SplitResult) -> bool:
    return await _exchange(address, "zPING\0", len("PONG\0")) == "PONG\0"


async def _file(address: SplitResult) -> bool:
    sign = sign_at(address.geturl())
    return sign is not None and sign.is_well


async def _postgresql(address: SplitResult) -> bool:
    import asyncpg  # noqa: PLC0415 - slow to import, and wanted for one kind of probe only

    # PgBouncer in transaction mode keeps no prepared statements, so none may have a name.
    connection = await asyncpg.connect(address.geturl(), ssl=False, statement_cache_size=0)
    try:
        return bool(await connection.fetchval("SELECT 1") == 1)
    finally:
        connection.terminate()


async def _exchange(address: SplitResult, request: str, size: int) -> str:
    """Send, and read `size` bytes (-1: all until it closes)."""
    assert address.hostname is not None
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(request.encode())
        answer = await reader.read() if size < 0 else await reader.readexactly(size)
        return answer.decode(errors="replace")
    finally:
        writer.close()


_ASK = {"tcp": _tcp, "http": _http, "redis": _redis, "postgresql": _postgresql, "clamd": _clamd, "file": _file}
