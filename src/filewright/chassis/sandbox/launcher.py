"""The small program between us and a program that bubblewrap can not hold: it shuts the child in, and clears up after.

Started as `python -I -S -c ... <fd>`, with its orders as JSON at `fd`. It stays the reaper of all that its child
starts, so that nothing outlives the run, and it ends all of that when its owner is gone. It is trusted; the child can
not signal it.

    {"argv": [...], "env": {...}, "cwd": "...", "owner": pid, "limits": [[which, value], ...],
     "landlock": {"readable": [...], "writable": [...]} | null, "seccomp": {...} | null, "status_fd": n}
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any, NoReturn

from filewright.chassis.sandbox import landlock, seccomp
from filewright.chassis.sandbox.processes import descendants

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_CANNOT_EXECUTE = 127


_ASKED = signal.SIGTERM
"""Somebody wants this over: the owner, or the kernel on the owner's death."""


def main() -> NoReturn:
    """Read the orders, run the child, leave nothing."""
    with os.fdopen(int(sys.argv[1]), "rb") as orders:
        order = json.load(orders)
    os.set_inheritable(order["status_fd"], False)
    # From here on a signal is waited for, not met: none can come between the fork and the care for its child.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {_ASKED, signal.SIGCHLD})
    _prctl(_PR_SET_PDEATHSIG, _ASKED)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != order["owner"]:
        os._exit(_CANNOT_EXECUTE)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        _become(order)
    status = _wait_for(child)
    _kill_the_rest()
    _tell(order, status=status)
    os._exit(0)


def _wait_for(child: int) -> int:
    """Its wait status. Reaps whatever else ends meanwhile."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == child:
            return status
        if pid == 0 and signal.sigwait({_ASKED, signal.SIGCHLD}) == _ASKED:
            return int(signal.SIGKILL)


def _kill_the_rest() -> None:
    """Kill and reap until there is nobody left, however fast they multiply: none can escape from below a reaper."""
    while True:
        for pid in descendants(os.getpid())[1:]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _become(order: dict[str, Any]) -> NoReturn:
    """Turn this process into the program, with nothing left that it could use against others."""
    try:
        for number in (signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores the last two
            signal.signal(number, signal.SIG_DFL)
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        os.chdir(order["cwd"])
        for which, value in order["limits"]:
            _, hard = resource.getrlimit(which)
            lower = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(which, (lower, lower))
        _drop_root()
        if order["landlock"] is not None:
            landlock.restrict(**order["landlock"])
        if order["seccomp"] is not None:
            seccomp.apply(seccomp.Policy(**order["seccomp"]))
        os.execvpe(order["argv"][0], order["argv"], order["env"])  # noqa: S606
    except BaseException as error:  # noqa: BLE001 - a forked child must not return
        _tell(order, error=f"{type(error).__name__}: {error}")
    os._exit(_CANNOT_EXECUTE)


_PR_CAPBSET_DROP, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, _PR_SET_SECUREBITS = 24, 47, 4, 28
_SECBITS_NO_ROOT_LOCKED = 0b101111
"""NOROOT and NO_SETUID_FIXUP, locked, and KEEP_CAPS locked off: uid 0 is a user like any other."""


def _drop_root() -> None:
    """Give up every capability, for good. Files of root stay files of the same user; Landlock keeps it from them."""
    if os.geteuid() != 0:
        return
    _prctl(_PR_SET_SECUREBITS, _SECBITS_NO_ROOT_LOCKED)
    for capability in range(64):
        if ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), *map(ctypes.c_ulong, (0, 0, 0))) != 0:
            break
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, (ctypes.c_uint32 * 6)()) != 0:
        raise OSError(ctypes.get_errno(), "the capabilities could not be dropped")


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _tell(order: dict[str, Any], **facts: Any) -> None:
    os.write(order["status_fd"], json.dumps(facts).encode() + b"\n")


if __name__ == "__main__":
    main()
