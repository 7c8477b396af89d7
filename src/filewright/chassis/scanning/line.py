"""One conversation with a clamd: what is sent, what comes back, and how long either may take.

Written on plain sockets, because clamd answers in the middle of what it is sent when that gets too long for it, and
then closes: the answer waits behind a broken pipe, where a stream library has already thrown it away.

An answer is what ends with a zero byte. Less than that, or anything after it, is no answer.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from filewright.chassis.scanning.address import Address
from filewright.chassis.scanning.port import ScannerUnavailable

_END = b"\0"
_LONGEST_ANSWER = 8192


@dataclass(frozen=True)
class Patience:
    """In seconds: until it must have taken a call, a block or a question, and until a whole scan must be over.

    clamd gives up by itself after two minutes (`MaxScanTime`), and says so.
    """

    answer: float = 15.0
    scan: float = 300.0


@asynccontextmanager
async def calling(address: Address, patience: Patience) -> AsyncIterator[Line]:
    """An open line. Raises ScannerUnavailable when nobody takes the call."""
    try:
        async with asyncio.timeout(patience.answer):
            connected = await _connected(address)
    except TimeoutError:
        raise ScannerUnavailable("it does not take a call") from None
    except OSError as error:
        raise ScannerUnavailable(f"it cannot be reached: {error.strerror or error}") from None
    try:
        yield Line(connected, patience)
    finally:
        connected.close()


class Line:
    """What may be said and heard on it. Everything raises ScannerUnavailable for a line that is no good."""

    def __init__(self, connected: socket.socket, patience: Patience) -> None:
        self._socket = connected
        self._patience = patience
        self._loop = asyncio.get_running_loop()

    async def say(self, data: bytes) -> bool:
        """Send it; False when the other side does not listen any more, so that only its answer is left to read."""
        try:
            async with asyncio.timeout(self._patience.answer):
                await self._loop.sock_sendall(self._socket, data)
        except TimeoutError:
            raise ScannerUnavailable("it does not take what it is sent") from None
        except OSError:
            return False
        return True

    def is_answered(self) -> bool:
        """Whether it has said anything, or hung up, by now."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    async def answer(self) -> bytes:
        """Its one answer, without its end. Waits for as long as the caller does."""
        received = b""
        while _END not in received:
            try:
                piece = await self._loop.sock_recv(self._socket, 4096)
            except OSError:
                piece = b""
            received += piece
            if not piece or len(received) > _LONGEST_ANSWER:
                raise ScannerUnavailable(f"it broke off after {len(received)} bytes of an answer")
        answer, _, rest = received.partition(_END)
        if rest:
            raise ScannerUnavailable("it said more than one thing")
        return answer


async def _connected(address: Address) -> socket.socket:
    """The first of the host's addresses that takes the call."""
    loop = asyncio.get_running_loop()
    if address.path:
        return await _call(socket.AF_UNIX, address.path)
    found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    for family, _, _, _, where in found[:-1]:
        try:
            return await _call(family, where)
        except OSError:
            continue
    family, _, _, _, where = found[-1]
    return await _call(family, where)


async def _call(family: int, where: object) -> socket.socket:
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connecting, where)  # type: ignore[arg-type]
    except BaseException:
        connecting.close()
        raise
    return connecting
