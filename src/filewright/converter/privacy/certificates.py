"""Signed statements: what was done, so that somebody else can check later that we said so, and that nobody changed it.

Ed25519 under a key that the server's secret gives, over the statement as canonical JSON (RFC 8785 for the plain values
used here: sorted keys, no spaces).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from filewright.chassis.sealing import derived

ALGORITHM = "Ed25519"


class Signer:
    """Signs with a key of this server's. Any text of at least 32 bytes is a secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(derived(secret, "filewright certificates"))

    def certificate(self, statement: Mapping[str, Any]) -> dict[str, Any]:
        """The statement, and the signature over it."""
        return {
            "statement": dict(statement),
            "algorithm": ALGORITHM,
            "public_key": self._key.public_key().public_bytes_raw().hex(),
            "signature": self._key.sign(_canonical(statement)).hex(),
        }


def is_genuine(certificate: Mapping[str, Any], public_key: str) -> bool:
    """Whether the holder of this key signed just that."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(
            bytes.fromhex(certificate["signature"]), _canonical(certificate["statement"])
        )
    except (InvalidSignature, ValueError, KeyError):
        return False
    return True


def _canonical(statement: Mapping[str, Any]) -> bytes:
    return json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
