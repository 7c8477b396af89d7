"""Seal the password of a file while its job waits, so that a copy of the database does not hold it.

AES-256-GCM under a key derived from the server's secret, bound to the job's id: a sealed password moved to another
job's row does not open. Without a secret nothing is sealed and the value is kept as it is; the embedded shape always
has a secret, made at its first start.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12
_SEALED = b"\x01"
_PLAIN = b"\x00"


class CannotOpen(Exception):
    """The value was sealed under another secret, for another job, or was changed."""


class Sealer:
    """Seals and opens short texts. The server's secret is any text of at least 32 bytes."""

    def __init__(self, secret: bytes | None) -> None:
        self._cipher = AESGCM(_derived(secret)) if secret else None

    def seal(self, text: str, *, context: str) -> bytes:
        """The text, sealed so that only the same secret and the same context open it."""
        if self._cipher is None:
            return _PLAIN + text.encode()
        nonce = os.urandom(_NONCE_BYTES)
        return _SEALED + nonce + self._cipher.encrypt(nonce, text.encode(), context.encode())

    def open(self, sealed: bytes, *, context: str) -> str:
        """The text again. Raises CannotOpen."""
        kind, body = sealed[:1], sealed[1:]
        if kind == _PLAIN:
            return body.decode()
        if self._cipher is None:
            raise CannotOpen("it was sealed, and no secret is set")
        try:
            return self._cipher.decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], context.encode()).decode()
        except InvalidTag:
            raise CannotOpen("another secret, another job, or changed bytes") from None


def _derived(secret: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"filewright job secrets").derive(secret)
