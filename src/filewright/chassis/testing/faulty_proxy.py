"""A network that fails on purpose: a TCP proxy in front of a real server, on a thread of its own.

    with FaultyProxy(server.port) as proxy:
        proxy.arm(Fault(status=503), times=3)      # the next three connections are answered 503
        proxy.arm(Fault(flip_down_at=9_000))       # a bit of every answer's byte 9,000 is flipped
        proxy.heal()                               # as if nothing were between
        proxy.cut_off(); proxy.reconnect()         # nobody is there; there again

Arming closes what is open, so that the next request comes on a new connection and meets the fault: bytes count from a
connection's beginning. It can be steered from synchronous tests and from any event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")

_BLOCK = 65536
_CALL_SECONDS = 30.0
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """What happens to a connection. `down` is from the server to its client, `up` the other way."""

    delay: float = 0.0
    """Seconds that each block waits, either way."""
    status: int | None = None
    """The one request of the connection is read and answered with this, and the server hears nothing (HTTP)."""
    cut_down_after: int | None = None
    """So many bytes arrive, then the connection is reset. 0: what was asked is done, and the answer is lost."""
    cut_up_after: int | None = None
    end_down_after: int | None = None
    """As `cut_down_after`, but the connection ends in good order."""
    flip_down_at: int | None = None
    """The byte with this number has one bit flipped."""
    flip_up_at: int | None = None
    at_once: int = _BLOCK
    """Bytes in a block: with a `delay`, a line on which they trickle."""
    mute: bool = False
    """What is asked arrives, no answer comes back, and nothing is closed."""
    lose_answer_to: tuple[bytes, ...] = ()
    """Once these were asked on a connection, in this order, what is answered to the last is lost with the connection:
    it was done, and nobody is told."""


_NONE = Fault()


class FaultyProxy:
    """Stands before `host:port`. `port` is where clients connect; `met` counts connections that met a fault, and
    `lost` the answers that were lost.
    """

    def __init__(self, upstream_port: int, host: str = "127.0.0.1") -> None:
        self._upstream = (host, upstream_port)
        self._fault = _NONE
        self._times: int | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faulty-proxy", daemon=True)
        self.port = 0
        self.met = 0
        self.lost = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._listen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_SECONDS)
        self._loop.close()

    @property
    def endpoint(self) -> str:
        """For servers that speak HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def arm(self, fault: Fault, times: int | None = None) -> None:
        """From now on connections meet this fault: the next `times`, or all."""

        async def arm() -> None:
            self._fault, self._times, self.met, self.lost = fault, times, 0, 0
            self._drop()

        self._call(arm)

    def heal(self) -> None:
        """No fault any more."""
        self.arm(_NONE)

    def cut_off(self) -> None:
        """Nobody listens, and what was open is reset."""
        self._call(self._unlisten)

    def reconnect(self) -> None:
        """There again, on the same port."""
        self._call(self._listen)

    # --- on the proxy's own loop ---------------------------------------------------------------------------------

    def _call(self, work: Callable[[], Awaitable[T]]) -> T:
        async def run() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_CALL_SECONDS)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _unlisten(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self._drop()

    async def _close(self) -> None:
        await self._unlisten()
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=_CALL_SECONDS / 2)  # each ends by itself: its connections are gone

    def _drop(self) -> None:
        for writer in list(self._open):
            _reset(writer)

    def _next_fault(self) -> Fault:
        if self._fault == _NONE or self._times == 0:
            return _NONE
        if self._times is not None:
            self._times -= 1
        self.met += 1
        return self._fault

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self._next_fault()
        self._open.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                if fault.status is not None:
                    await _answer(reader, writer, fault.status)
                else:
                    await self._relay(reader, writer, fault)
        finally:
            self._open.discard(writer)
            writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        self._open.add(up_writer)
        ear = _Ear(fault.lose_answer_to)
        up = _Direction(reader, up_writer, fault, ear, cut=fault.cut_up_after, flip=fault.flip_up_at)
        down = _Direction(
            up_reader,
            writer,
            fault,
            cut=fault.cut_down_after,
            end=fault.end_down_after,
            flip=fault.flip_down_at,
            mute=fault.mute,
            until=ear,
        )
        try:
            pumps = [asyncio.create_task(direction.pump()) for direction in (up, down)]
            done, pending = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if not any(pump.result() for pump in done):  # one side has ended in good order: the other may finish
                done, pending = await asyncio.wait(pumps)
            for pump in pending:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            if ear.has_heard_all and down.broken:
                self.lost += 1
            if up.broken or down.broken:
                _reset(writer)
                _reset(up_writer)
        finally:
            self._open.discard(up_writer)
            up_writer.close()


class _Ear:
    """Listens to what is asked, for some words in their order."""

    def __init__(self, words: tuple[bytes, ...]) -> None:
        self._wanted = list(words)
        self._heard = b""
        self.has_heard_all = False

    def listen(self, block: bytes) -> None:
        self._heard += block
        while self._wanted and (at := self._heard.find(self._wanted[0])) >= 0:
            self._heard = self._heard[at + len(self._wanted.pop(0)) :]
            self.has_heard_all = not self._wanted
        self._heard = self._heard[-200:]  # a word may come in two blocks


class _Direction:
    """Bytes one way. `broken` when the connection has to be reset."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        fault: Fault,
        ear: _Ear | None = None,
        *,
        cut: int | None = None,
        end: int | None = None,
        flip: int | None = None,
        mute: bool = False,
        until: _Ear | None = None,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._fault = fault
        self._ear = ear
        self._until = until
        self._mute = mute
        self._cut = cut
        self._end = end
        self._flip = flip
        self._passed = 0
        self.broken = False

    async def pump(self) -> bool:
        """Pass on until the end; whether the whole connection is over with it."""
        try:
            while block := await self._reader.read(self._fault.at_once):
                if self._fault.delay:
                    await asyncio.sleep(self._fault.delay)
                if self._until is not None and self._until.has_heard_all:
                    self.broken = True
                    return True
                if self._ear is not None:
                    self._ear.listen(block)
                if not self._mute and await self._pass(block):
                    return True
            self._writer.write_eof()
        except OSError:
            self.broken = True
            return True
        return False

    async def _pass(self, block: bytes) -> bool:
        """Write what may pass; whether that was the last of it."""
        limit = next((limit for limit in (self._cut, self._end) if limit is not None), None)
        allowed = block if limit is None else block[: max(0, limit - self._passed)]
        if self._flip is not None and 0 <= (at := self._flip - self._passed) < len(allowed):
            allowed = allowed[:at] + bytes([allowed[at] ^ 1]) + allowed[at + 1 :]
        self._passed += len(allowed)
        self._writer.write(allowed)
        await self._writer.drain()
        over = len(allowed) < len(block)
        self.broken = self.broken or (over and self._cut is not None)
        return over


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, status: int) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if b"expect: 100-continue" not in head.lower() and (length := _LENGTH.search(head)):
        left = int(length[1])
        while left > 0 and (block := await reader.read(min(left, _BLOCK))):
            left -= len(block)
    writer.write(b"HTTP/1.1 %d Fault\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection as a dead machine's peer sees it: without a goodbye."""
    link = writer.get_extra_info("socket")
    if link is not None and link.fileno() >= 0:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
