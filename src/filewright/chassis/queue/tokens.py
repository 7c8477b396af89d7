"""What a message carries: a task, signed, so that who can write to the broker still cannot make work.

A token names a row by kind and id and says its lane. It is no secret and holds nothing else; it may be seen, kept and
sent again, and then means no more than it did the first time: look whether there is anything to do.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from filewright.chassis.queue.port import LANES, Task

VERSION = "1"
_PURPOSE = b"filewright hint"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Forged(Exception):
    """No token of ours: not signed with this secret, or nothing like a token."""


def sign(kind: str, id: str, lane: str, secret: bytes) -> str:  # noqa: A002 - the word for it
    """The token of a task. Raises ValueError for a name that no token can carry."""
    for name in (kind, id, lane):
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} cannot be in a token: letters, digits, _ and - only, at most 64")
    stated = f"{VERSION}.{kind}.{id}.{lane}"
    return f"{stated}.{_seal(stated, secret)}"


def verify(token: object, secret: bytes) -> Task:
    """The task of a token that was signed with this secret. Raises Forged for anything else whatsoever."""
    if not isinstance(token, str) or len(token) > 512 or not token.isascii():
        raise Forged("not a token")
    stated, _, seal = token.rpartition(".")
    if not hmac.compare_digest(seal, _seal(stated, secret)):
        raise Forged("not signed with our secret")
    version, *names = stated.split(".")
    if version != VERSION or len(names) != 3 or names[2] not in LANES:
        raise Forged("signed by us, for a version of the program that is not this one")
    kind, task_id, lane = names
    return Task(kind, task_id, lane)


def _seal(stated: str, secret: bytes) -> str:
    """A key of its own for each purpose, so that what is signed here is never taken for a signature elsewhere."""
    key = hmac.digest(secret, _PURPOSE, hashlib.sha256)
    seal = hmac.digest(key, stated.encode("ascii"), hashlib.sha256)
    return base64.urlsafe_b64encode(seal).rstrip(b"=").decode("ascii")
