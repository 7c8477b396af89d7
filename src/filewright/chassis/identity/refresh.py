"""The text of a refresh token: which session, 32 random bytes, and a mark that says we made it.

Each is good once. Whether one that is not good now was good before, or never, decides whether a session has been
copied, so it must be told apart without keeping the old ones: only a text with our mark was ever given to anybody.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

_SECRET_BYTES = 32
_MARK_BYTES = 16
_PREFIX = "fwr_"
_SHAPE = re.compile(_PREFIX + r"([0-9a-z]{26})([\w-]{43})([\w-]{22})", re.ASCII)


@dataclass(frozen=True)
class RefreshToken:
    """A token that is, or was, good."""

    session: str
    text: str = field(repr=False)

    @property
    def sha256(self) -> str:
        """What is stored of it."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class RefreshTokens:
    """Makes them and knows them again. The key is derived for this purpose alone."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, session: str) -> RefreshToken:
        """A fresh one for the session."""
        body = _PREFIX + session.rpartition("_")[2] + _text(secrets.token_bytes(_SECRET_BYTES))
        return RefreshToken(session, body + self._mark(body))

    def known(self, untrusted: str) -> RefreshToken | None:
        """The token, if it was ever given to anybody; says nothing about whether it is good now."""
        match = _SHAPE.fullmatch(untrusted)
        if match is None or not hmac.compare_digest(self._mark(untrusted[: match.start(3)]), match[3]):
            return None
        return RefreshToken(f"ses_{match[1]}", untrusted)

    def _mark(self, body: str) -> str:
        return _text(hmac.digest(self._key, body.encode(), "sha256")[:_MARK_BYTES])


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
