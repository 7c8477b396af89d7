"""Heads of the chain, signed: whoever has one can tell later whether the chain still leads through it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from filewright.chassis.audit.names import Names

_PURPOSE = b"filewright audit heads"


@dataclass(frozen=True)
class Head:
    """The chain ended here, then: `hash` is that of row `seq`."""

    seq: int
    hash: str
    at: datetime


class Seals:
    """Signs heads with Ed25519 under a key that follows from the server's secret, so that every process has the same.

    The public key is all that it takes to check one, elsewhere.
    """

    def __init__(self, secret: bytes) -> None:
        seed = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret)
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.names = Names(secret)
        """Under another key of the same secret."""

    @property
    def public_key(self) -> str:
        """Base64 of the 32 bytes."""
        raw = self._key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return base64.b64encode(raw).decode()

    def sign(self, head: Head) -> str:
        return base64.b64encode(self._key.sign(_text(head))).decode()

    def is_good(self, head: Head, signature: str) -> bool:
        try:
            self._key.public_key().verify(base64.b64decode(signature, validate=True), _text(head))
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True

    def document(self, head: Head) -> bytes:
        """A signed head as it is kept elsewhere."""
        return orjson.dumps({**_facts(head), "signature": self.sign(head), "public_key": self.public_key})

    def read(self, document: bytes) -> Head | None:
        """The head of a document that this key has signed; None for anything else."""
        try:
            told = orjson.loads(document)
            head = Head(int(told["seq"]), str(told["hash"]), datetime.fromisoformat(told["at"]))
            signature = str(told["signature"])
        except (ValueError, KeyError, TypeError):
            return None
        return head if self.is_good(head, signature) else None


def _facts(head: Head) -> dict[str, Any]:
    return {"seq": head.seq, "hash": head.hash, "at": head.at.isoformat()}


def _text(head: Head) -> bytes:
    return b"\n".join((_PURPOSE, str(head.seq).encode(), head.hash.encode(), head.at.isoformat().encode()))
