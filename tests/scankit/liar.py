"""Something that sounds like a clamd, and stops being one when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from filewright.chassis.scanning.address import Address
from filewright.chassis.testing.servers.clamd import EICAR

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Manner = Callable[[Reader, Writer], Awaitable[None]]
HONEST = b"stream: OK\0"


class Liar:
    """Honest until `manner` is set; then every scan goes by that."""

    def __init__(self) -> None:
        self.manner: Manner | None = None
        self.scans = 0
        self.alive = True
        self.address = Address()
        self._calls: set[asyncio.Task[None]] = set()

    def take(self, reader: Reader, writer: Writer) -> None:
        """A call."""
        call = asyncio.create_task(self._meet(reader, writer))
        self._calls.add(call)

    async def hang_up(self) -> None:
        """On everybody."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def _meet(self, reader: Reader, writer: Writer) -> None:
        try:
            await self._speak(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _speak(self, reader: Reader, writer: Writer) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            command = await reader.readuntil(b"\0")
            if command == b"zPING\0":
                if self.alive:
                    writer.write(b"PONG\0")
                else:
                    await reader.read()
            elif self.manner is None:
                await self._scan(reader, writer)
            else:
                self.scans += 1
                await self.manner(reader, writer)
            await writer.drain()

    async def _scan(self, reader: Reader, writer: Writer) -> None:
        content = await everything(reader)
        if EICAR in content:
            writer.write(b"stream: Eicar FOUND\0")
        elif content.startswith(b"PK") and len(content) > 5000:
            writer.write(b"stream: Heuristics.Limits.Exceeded.MaxRecursion FOUND\0")
        else:
            writer.write(HONEST)


async def everything(reader: Reader) -> bytes:
    """The file, to the block of none."""
    content = b""
    while size := int.from_bytes(await reader.readexactly(4), "big"):
        content += await reader.readexactly(size)
    return content


@asynccontextmanager
async def lying() -> AsyncIterator[Liar]:
    liar = Liar()
    server = await asyncio.start_server(liar.take, "127.0.0.1", 0)
    liar.address = Address(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    async with server:
        yield liar
        await liar.hang_up()


# --- manners ---------------------------------------------------------------------------------------------------------


def says(answer: bytes) -> Manner:
    """Takes all of the file, then says this and hangs up."""

    async def manner(reader: Reader, writer: Writer) -> None:
        await everything(reader)
        writer.write(answer)

    return manner


async def says_ok_at_once(reader: Reader, writer: Writer) -> None:
    """Before it has anything but the command; it goes on taking what comes."""
    writer.write(HONEST)
    await writer.drain()
    await reader.read()


async def says_ok_in_the_middle(reader: Reader, writer: Writer) -> None:
    await reader.readexactly(1000)
    writer.write(HONEST)
    await writer.drain()
    await everything(reader)


async def hangs_up(reader: Reader, writer: Writer) -> None:
    writer.close()


async def hangs_up_in_the_middle(reader: Reader, writer: Writer) -> None:
    await reader.readexactly(1000)
    writer.transport.abort()


async def hangs_up_at_the_end(reader: Reader, writer: Writer) -> None:
    await everything(reader)


async def says_nothing(reader: Reader, writer: Writer) -> None:
    await reader.read()


async def takes_nothing(reader: Reader, writer: Writer) -> None:
    await asyncio.Event().wait()
