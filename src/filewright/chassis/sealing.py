"""Keys that are derived from the server's one secret, and short values sealed under them.

Each purpose has a key of its own (HKDF), so that what is sealed for one cannot be opened, or a mark made for one be
passed off, for another. What is sealed is bound to its context as well: moved to another row, it does not open.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_NONCE_BYTES = 12


class CannotOpen(Exception):
    """The value was sealed under another secret, for another context, or was changed."""


def derived(secret: bytes, purpose: str) -> bytes:
    """The key for this purpose: 32 bytes. The secret has at least as many, at random."""
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(secret)


class Box:
    """Seals and opens short values for one purpose (AES-256-GCM, random nonces: for far less than 2³² values)."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._cipher = AESGCM(derived(secret, purpose))

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """The value, so that only the same secret, purpose and context open it."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """The value again. Raises CannotOpen."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError):
            raise CannotOpen("another secret, another context, or changed bytes") from None
