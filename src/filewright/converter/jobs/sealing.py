"""Seal the password of a file while its job waits, so that a copy of the database does not hold it.

Without a secret nothing is sealed and the value is kept as it is; the embedded shape always has a secret, made at its
first start.
"""

from __future__ import annotations

from filewright.chassis.sealing import Box, CannotOpen

_PURPOSE = "filewright job secrets"
_SEALED = b"\x01"
_PLAIN = b"\x00"


class Sealer:
    """Seals and opens short texts. The server's secret is any text of at least 32 bytes."""

    def __init__(self, secret: bytes | None) -> None:
        self._box = Box(secret, _PURPOSE) if secret else None

    def seal(self, text: str, *, context: str) -> bytes:
        """The text, sealed so that only the same secret and the same context open it."""
        if self._box is None:
            return _PLAIN + text.encode()
        return _SEALED + self._box.seal(text.encode(), context=context)

    def open(self, sealed: bytes, *, context: str) -> str:
        """The text again. Raises CannotOpen."""
        kind, body = sealed[:1], sealed[1:]
        if kind == _PLAIN:
            return body.decode()
        if self._box is None:
            raise CannotOpen("it was sealed, and no secret is set")
        return self._box.open(body, context=context).decode()
