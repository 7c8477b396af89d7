"""How an encrypted object is written: a head, then chunks that can be neither changed, moved, left out nor cut off.

    head      FWE1 | tenant's ref 16 | tenant's key id 16 | nonce 12 | data key 32, sealed (+16)
    chunk i   AES-256-GCM of up to 64 KiB under the data key, nonce = i (11 bytes) | 1 for the last chunk, else 0

The STREAM construction: the place of a chunk and whether it is the last one are in its nonce, so a chunk opens only
there. The head and the object's key are authenticated with each, so it opens only in its object, under its name. The
data key is random and used for one object once, which is what lets nonces count. A chunk is released when it has been
proven, and not a byte of it before. The last chunk alone may be shorter; an empty object is one empty last chunk.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from filewright.chassis.storage.encryption.tenants import ID_BYTES, KEY_BYTES, REF_BYTES, TenantKey
from filewright.chassis.storage.port import ObjectDamaged

CHUNK_BYTES = 1 << 16
TAG_BYTES = 16
SEALED_BYTES = CHUNK_BYTES + TAG_BYTES
_MAGIC = b"FWE1"
_NONCE_BYTES = 12
_DAMAGED = "a chunk of an encrypted object was changed, moved or cut off"
_COUNTER_BYTES = _NONCE_BYTES - 1
HEAD_BYTES = len(_MAGIC) + REF_BYTES + ID_BYTES + _NONCE_BYTES + KEY_BYTES + TAG_BYTES


@dataclass(frozen=True)
class Head:
    """The beginning of an object: whose key opens it, and its data key, sealed."""

    ref: bytes
    key_id: bytes
    nonce: bytes
    sealed: bytes

    def as_bytes(self) -> bytes:
        """As it is written."""
        return _MAGIC + self.ref + self.key_id + self.nonce + self.sealed


def read_head(data: bytes) -> Head:
    """The head again. Raises ObjectDamaged for what is none."""
    if len(data) != HEAD_BYTES or not data.startswith(_MAGIC):
        raise ObjectDamaged("it does not begin as an encrypted object")
    at = len(_MAGIC)
    ref, at = data[at : at + REF_BYTES], at + REF_BYTES
    key_id, at = data[at : at + ID_BYTES], at + ID_BYTES
    nonce, at = data[at : at + _NONCE_BYTES], at + _NONCE_BYTES
    return Head(ref, key_id, nonce, data[at:])


def new_object(tenant_key: TenantKey, name: str) -> tuple[Head, Chunks]:
    """A head with a new data key, and what seals the chunks after it."""
    data_key, nonce = AESGCM.generate_key(bit_length=8 * KEY_BYTES), os.urandom(_NONCE_BYTES)
    sealed = AESGCM(tenant_key.secret).encrypt(nonce, data_key, _context(tenant_key.ref, tenant_key.id, name))
    head = Head(tenant_key.ref, tenant_key.id, nonce, sealed)
    return head, Chunks(data_key, head, name)


def opened(head: Head, tenant_key: TenantKey, name: str) -> Chunks:
    """What opens the chunks after this head. Raises ObjectDamaged."""
    try:
        data_key = AESGCM(tenant_key.secret).decrypt(head.nonce, head.sealed, _context(head.ref, head.key_id, name))
    except InvalidTag:
        raise ObjectDamaged("the head of an encrypted object was changed, or is another's") from None
    return Chunks(data_key, head, name)


class Chunks:
    """Seals and opens the chunks of one object. Runs of them are given and taken, each whole but the object's last."""

    def __init__(self, data_key: bytes, head: Head, name: str) -> None:
        self._cipher = AESGCM(data_key)
        self._around = head.as_bytes() + name.encode()

    def seal(self, first: int, plain: bytes, *, last: bool, after: bytes = b"") -> bytes:
        """Chunks from the one numbered `first` on. `last`: the object ends with these. `after` stands before them."""
        count = max(1, -(-len(plain) // CHUNK_BYTES))
        sealed = bytearray(len(after) + len(plain) + count * TAG_BYTES)
        sealed[: len(after)] = after
        source, target = memoryview(plain), memoryview(sealed)[len(after) :]
        for n in range(count):
            piece = source[n * CHUNK_BYTES : (n + 1) * CHUNK_BYTES]
            place = target[n * SEALED_BYTES : (n + 1) * SEALED_BYTES]
            self._cipher.encrypt_into(_nonce(first + n, last=last and n == count - 1), piece, self._around, place)
        return bytes(sealed)

    def open(self, first: int, sealed: bytes | bytearray | memoryview, *, last: bool) -> bytes:
        """What was sealed. Raises ObjectDamaged when any of it is not what was written, there."""
        count = -(-len(sealed) // SEALED_BYTES)
        if len(sealed) - (count - 1) * SEALED_BYTES < TAG_BYTES:
            raise ObjectDamaged(_DAMAGED)
        plain = bytearray(len(sealed) - count * TAG_BYTES)
        source, target = memoryview(sealed), memoryview(plain)
        try:
            for n in range(count):
                piece = source[n * SEALED_BYTES : (n + 1) * SEALED_BYTES]
                place = target[n * CHUNK_BYTES : (n + 1) * CHUNK_BYTES]
                self._cipher.decrypt_into(_nonce(first + n, last=last and n == count - 1), piece, self._around, place)
        except InvalidTag:
            raise ObjectDamaged(_DAMAGED) from None
        return bytes(plain)


def plain_bytes(stored: int) -> int:
    """How many bytes an object holds that takes so many. It is only as sure as the store; reading proves it."""
    sealed = max(0, stored - HEAD_BYTES)
    chunks = max(1, -(-sealed // SEALED_BYTES))
    return max(0, sealed - chunks * TAG_BYTES)


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES, "big") + (b"\x01" if last else b"\x00")


def _context(ref: bytes, key_id: bytes, name: str) -> bytes:
    return b"filewright data key v1" + ref + key_id + name.encode()
