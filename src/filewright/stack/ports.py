"""Free ports: chosen once, then kept, so that an address stays true from one start of a stack to the next."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterable, Mapping

_USUAL, _WITH_TWIN, _TWIN = range(22_768, 30_000), range(20_000, 22_768), 10_000
"""Below those that the kernel takes for outgoing connections, so none of these is taken by chance later on. A program
with a twin takes its port plus 10,000 as well; the twins lie above the usual ones."""
TWINNED = frozenset({"s3-admin"})


def choose(taken: Mapping[str, int], names: Iterable[str], *, host: str = "127.0.0.1") -> dict[str, int]:
    """All of `taken`, and a free port for each name that has none."""
    ports = dict(taken)
    for name in names:
        if name not in ports:
            ports[name] = _free(host, {*ports.values()}, twin=_TWIN if name in TWINNED else 0)
    return ports


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with contextlib.suppress(OSError), socket.socket(_family(host)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        return True
    return False


def _free(host: str, taken: set[int], *, twin: int) -> int:
    while True:
        # At random: two stacks that start at once should not try the same ports in turn.
        port = random.choice(_WITH_TWIN if twin else _USUAL)  # noqa: S311
        if port not in taken and is_free(host, port) and (not twin or is_free(host, port + twin)):
            return port


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
