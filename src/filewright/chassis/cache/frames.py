"""What lies in the far cache: a value with its mark and its cost, sealed.

    mark 16 | cost 8 | seal 16 | value

The seal covers the key too. So what was cut short, changed, or moved here from under another key is not taken for a
value: whoever can write to Redis can make work, and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass

MARK_BYTES = 16
_SEAL_BYTES = 16
_COST = struct.Struct(">d")
_HEAD = MARK_BYTES + _COST.size + _SEAL_BYTES


@dataclass(frozen=True)
class Frame:
    """An opened one."""

    mark: bytes
    cost: float
    value: bytes


class Frames:
    """Makes and opens them; all processes must have the same secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(secret, person=b"filewright cache").digest()

    def pack(self, name: str, frame: Frame) -> bytes:
        """The bytes to be kept under that name."""
        head = frame.mark + _COST.pack(frame.cost)
        return head + self._seal(name, head, frame.value) + frame.value

    def open(self, name: str, packed: bytes) -> Frame | None:
        """What was packed under that name; None for anything else."""
        head, seal = packed[: _HEAD - _SEAL_BYTES], packed[_HEAD - _SEAL_BYTES : _HEAD]
        value = packed[_HEAD:]
        if len(packed) < _HEAD or not hmac.compare_digest(seal, self._seal(name, head, value)):
            return None
        return Frame(head[:MARK_BYTES], _COST.unpack(head[MARK_BYTES:])[0], value)

    def _seal(self, name: str, head: bytes, value: bytes) -> bytes:
        text = name.encode()
        seal = hashlib.blake2b(struct.pack(">I", len(text)) + text + head, digest_size=_SEAL_BYTES, key=self._key)
        seal.update(value)
        return seal.digest()
