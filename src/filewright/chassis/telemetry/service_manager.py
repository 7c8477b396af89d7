"""Tell systemd how this process is, where systemd started it (`Type=notify`, `WatchdogSec=`); elsewhere, nothing.

The protocol is a datagram of lines to the socket that `NOTIFY_SOCKET` names (sd_notify(3)).
"""

from __future__ import annotations

import contextlib
import os
import socket

READY, ALIVE, STOPPING = "READY=1", "WATCHDOG=1", "STOPPING=1"


def tell(*lines: str, address: str | None = None) -> None:
    """Send it. Whether anybody reads it makes no difference here."""
    # Not a setting: it is systemd that says it, to this process alone.
    where = address or os.environ.get("NOTIFY_SOCKET", "")  # noqa: TID251
    if not where.startswith(("/", "@")):
        return
    if where.startswith("@"):
        where = f"\0{where[1:]}"
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as one:
        one.setblocking(False)
        one.sendto("\n".join(lines).encode(), where)
