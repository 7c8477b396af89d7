"""Move bytes between the event loop and a child's pipes, never more than was agreed.

Plain file descriptors with the loop's readers and writers: works on asyncio's own loop and on uvloop alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

_CHUNK = 1 << 16


class Reader:
    """Collects what comes out of a pipe, up to `limit` bytes; what is more is read no further and `on_excess` told."""

    def __init__(
        self,
        fd: int,
        *,
        limit: int | None = None,
        keep: bool = True,
        on_data: Callable[[bytes], None] = lambda _: None,
        on_excess: Callable[[], None] = lambda: None,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """Takes over `fd`. `keep=False` hands the data to `on_data` and forgets it."""
        self._fd = fd
        self._limit = limit
        self._keep = keep
        self._on_data = on_data
        self._on_excess = on_excess
        self._on_end = on_end
        self._data = bytearray()
        self._taken = 0
        self._over = False
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._read_some)

    @property
    def data(self) -> bytes:
        """All that came so far."""
        return bytes(self._data)

    def finish(self) -> None:
        """Take what is still in the pipe and close it. For when all writers are dead."""
        while not self._over and self._fd >= 0 and self._read_some():
            pass
        self.close()

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _read_some(self) -> bool:
        """Whether there may be more."""
        try:
            chunk = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            chunk = b""
        if not chunk:
            self._stop()
            self._on_end()
            return False
        room = len(chunk) if self._limit is None else self._limit - self._taken
        kept = chunk[:room]
        self._taken += len(kept)
        if self._keep:
            self._data += kept
        if kept:
            self._on_data(kept)
        if len(chunk) > room:
            self._stop()
            self._on_excess()
            return False
        return True

    def _stop(self) -> None:
        self._over = True
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)


class Writer:
    """Feeds `data` to a pipe as fast as the other side takes it, then closes it."""

    def __init__(self, fd: int, data: bytes) -> None:
        self._fd = fd
        self._rest = memoryview(data)
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        if data:
            self._loop.add_writer(fd, self._write_some)
        else:
            self.close()

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_writer(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _write_some(self) -> None:
        try:
            self._rest = self._rest[os.write(self._fd, self._rest[:_CHUNK]) :]
        except BlockingIOError:
            return
        except OSError:  # the program does not want to read more
            self._rest = self._rest[:0]
        if not self._rest:
            self.close()


class Lines:
    """Cuts a stream into lines for a callback. A line longer than `longest` comes in pieces."""

    def __init__(self, on_line: Callable[[bytes], None], *, longest: int = _CHUNK) -> None:
        self._on_line = on_line
        self._longest = longest
        self._parts: list[bytes] = []
        self._length = 0

    def feed(self, data: bytes) -> None:
        # A long line comes in many parts, which are joined once: joining at each would stop the loop for seconds.
        *whole, rest = data.split(b"\n")
        for line in whole:
            self._add(line)
            self._give_out()
        self._add(rest)
        if self._length > self._longest:
            self._give_out()

    def flush(self) -> None:
        """Give out the last line when it had no end."""
        if self._length:
            self._give_out()

    def _add(self, part: bytes) -> None:
        if part:
            self._parts.append(part)
            self._length += len(part)

    def _give_out(self) -> None:
        line = b"".join(self._parts)
        self._parts, self._length = [], 0
        self._on_line(line)


async def readable(fd: int) -> None:
    """Wait until there is something to read at `fd`; for a pidfd: until that process is dead."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(fd, wake)
    try:
        await ready
    finally:
        with contextlib.suppress(OSError, ValueError):
            loop.remove_reader(fd)
