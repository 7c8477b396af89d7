"""Named points in the code at which a test may kill, stop or fail the process. Off unless asked for.

Production code calls `hit("jobs.claim.after")`; that is one dictionary look-up on an empty dictionary. A test sets
`FILEWRIGHT_FAILPOINTS=jobs.claim.after=sigkill` (or `=raise:ENOSPC`, `=sleep:0.5`, `=sigkill@3` for the third hit)
before the process starts. Every name is declared in `REGISTERED` through `declare`, so that a suite can enumerate all
points and none is forgotten.
"""

from __future__ import annotations

import errno
import os
import signal
import time

REGISTERED: dict[str, str] = {}
"""Name to the sentence that says where it is."""
_armed: dict[str, tuple[str, int]] = {}
_hits: dict[str, int] = {}


def declare(name: str, where: str) -> str:
    """Make a point known; returns its name, so that a module can keep it in a constant."""
    REGISTERED[name] = where
    return name


def arm(specification: str) -> None:
    """Arm points from `name=action[@n],…`; an empty text disarms all. Raises ValueError for an unknown action."""
    _armed.clear()
    _hits.clear()
    for part in filter(None, specification.split(",")):
        name, _, action = part.partition("=")
        action, _, nth = action.partition("@")
        if action.split(":")[0] not in {"sigkill", "raise", "sleep"}:
            raise ValueError(f"failpoint action {action!r}: use sigkill, raise:ERRNO or sleep:SECONDS")
        _armed[name] = (action, int(nth or 1))


def hit(name: str) -> None:
    """Do what is armed for this point, if anything."""
    if not _armed:
        return
    action, nth = _armed.get(name, ("", 0))
    if not action:
        return
    _hits[name] = _hits.get(name, 0) + 1
    if _hits[name] < nth:
        return
    verb, _, argument = action.partition(":")
    if verb == "sigkill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif verb == "raise":
        number = getattr(errno, argument)
        raise OSError(number, os.strerror(number))
    else:
        time.sleep(float(argument))
