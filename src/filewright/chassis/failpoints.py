"""Named points in the code at which a test may kill, stop or fail the process. Off unless asked for.

Production code calls `hit("jobs.claim.after")`; that is one dictionary look-up on an empty dictionary. A test sets
`FILEWRIGHT_FAILPOINTS=jobs.claim.after=sigkill` (or `=raise:ENOSPC`, `=sleep:0.5`, `=sigkill@3` for the third hit)
before the process starts; `=raise:EIO@2-3` acts at the second and third hit only, so that what failed can be tried
again. What is done is said on standard error first. Every name is declared in `REGISTERED` through `declare`, so that a
suite can enumerate all points and none is forgotten.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from dataclasses import dataclass

REGISTERED: dict[str, str] = {}
"""Name to the sentence that says where it is."""
_armed: dict[str, _Charge] = {}
_hits: dict[str, int] = {}


@dataclass(frozen=True)
class _Charge:
    """What to do at a point, from its hit number `first` to `last` (None: for ever)."""

    action: str
    first: int
    last: int | None

    def covers(self, number: int) -> bool:
        return self.first <= number and (self.last is None or number <= self.last)


def declare(name: str, where: str) -> str:
    """Make a point known; returns its name, so that a module can keep it in a constant."""
    REGISTERED[name] = where
    return name


def arm(specification: str) -> None:
    """Arm points from `name=action[@first[-last]],…`; an empty text disarms all. Raises ValueError for nonsense."""
    _armed.clear()
    _hits.clear()
    for part in filter(None, specification.split(",")):
        name, _, action = part.partition("=")
        action, _, hits = action.partition("@")
        if action.split(":")[0] not in {"sigkill", "raise", "sleep"}:
            raise ValueError(f"failpoint action {action!r}: use sigkill, raise:ERRNO or sleep:SECONDS")
        first, _, last = hits.partition("-")
        _armed[name] = _Charge(action, int(first or 1), int(last) if last else None)


def hit(name: str) -> None:
    """Do what is armed for this point, if anything."""
    if not _armed:
        return
    charge = _armed.get(name)
    if charge is None:
        return
    _hits[name] = _hits.get(name, 0) + 1
    if charge.covers(_hits[name]):
        sys.stderr.write(f"failpoint {name}: {charge.action}\n")
        sys.stderr.flush()
        _act(charge.action)


def _act(action: str) -> None:
    verb, _, argument = action.partition(":")
    if verb == "sigkill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif verb == "raise":
        number = getattr(errno, argument)
        raise OSError(number, os.strerror(number))
    else:
        time.sleep(float(argument))
