"""Listeners that nobody may ever reach: HTTP and raw TCP, UDP, on loopback and on the machine's outer addresses.

A hit is proof that a converter opened a connection because a file told it to. What is asked for is noted, so that a
failure names the way it took.
"""

from __future__ import annotations

import contextlib
import fcntl
import selectors
import socket
import struct
import threading
from types import TracebackType
from typing import Self

_SIOCGIFADDR = 0x8915
_ANSWER = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Canaries:
    """Use as a context manager. `hits` grows; `take()` gives what came since and forgets it."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._hits: list[str] = []
        self._lock = threading.Lock()
        self._open: list[socket.socket] = [self._wake, self._waker]
        self.urls: list[str] = []
        """Of the HTTP listener: IPv4 loopback first, then IPv6, a name, then the outer address if there is one."""
        self.port = self._listen(socket.AF_INET, "0.0.0.0", socket.SOCK_STREAM)
        self.udp_port = self._listen(socket.AF_INET, "0.0.0.0", socket.SOCK_DGRAM)
        self.urls.append(f"http://127.0.0.1:{self.port}")
        with contextlib.suppress(OSError):  # a machine without IPv6 has nothing to reach there
            self.urls.append(f"http://[::1]:{self._listen(socket.AF_INET6, '::1', socket.SOCK_STREAM)}")
            self._listen(socket.AF_INET6, "::1", socket.SOCK_DGRAM, self.udp_port)
        self.urls.append(f"http://localhost:{self.port}")
        self.urls += [f"http://{address}:{self.port}" for address in outer_addresses()]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return self.urls[0]

    def take(self) -> list[str]:
        """What was noted since the last call."""
        with self._lock:
            hits, self._hits = self._hits, []
        return hits

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waker.send(b"x")
        self._thread.join(10)
        self._selector.close()
        for opened in self._open:
            opened.close()

    def _listen(self, family: int, address: str, kind: int, port: int = 0) -> int:
        listener = socket.socket(family, kind)
        self._open.append(listener)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        if kind == socket.SOCK_STREAM:
            listener.listen(64)
        self._selector.register(listener, selectors.EVENT_READ)
        return int(listener.getsockname()[1])

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                ready = key.fileobj
                assert isinstance(ready, socket.socket)
                if ready is self._wake:
                    return
                if ready.type == socket.SOCK_DGRAM:
                    self._note(f"udp {ready.recv(200)[:60]!r}")
                else:
                    self._answer(ready)

    def _answer(self, listener: socket.socket) -> None:
        visitor, _ = listener.accept()
        with visitor, contextlib.suppress(OSError):
            visitor.settimeout(0.5)
            asked = b""
            self._note("tcp connection")
            asked = visitor.recv(300)
            self._note(asked.split(b"\r\n")[0][:120].decode(errors="replace"))
            visitor.sendall(_ANSWER)

    def _note(self, hit: str) -> None:
        with self._lock:
            self._hits.append(hit)


def outer_addresses() -> list[str]:
    """IPv4 addresses of this machine that are not loopback. Asked of the kernel; nothing is sent."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):
                answer = fcntl.ioctl(asking, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
    return [address for address in found if not address.startswith("127.")]
