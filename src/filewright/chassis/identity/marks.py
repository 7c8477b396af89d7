"""The text of a session's cookie: which session, and a mark that only this service can make.

Nothing of it is stored, and it is the same as long as the session lives: whether the session is over is the session's
own business (`sessions.py`). Browsers carry it where no script can read it.
"""

from __future__ import annotations

import base64
import hmac
import re

_PREFIX = "fws_"
_SHAPE = re.compile(_PREFIX + r"([0-9a-z]{26})([\w-]{43})", re.ASCII)


class SessionMarks:
    """Makes them and knows them again. The key is derived for this purpose alone."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, session: str) -> str:
        """The text for this session."""
        body = _PREFIX + session.rpartition("_")[2]
        return body + self._mark(body)

    def known(self, untrusted: str) -> str | None:
        """The session, if we made the text; says nothing about whether the session is over."""
        match = _SHAPE.fullmatch(untrusted)
        if match is None or not hmac.compare_digest(self._mark(untrusted[: match.start(2)]), match[2]):
            return None
        return f"ses_{match[1]}"

    def _mark(self, body: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._key, body.encode(), "sha256")).rstrip(b"=").decode()
