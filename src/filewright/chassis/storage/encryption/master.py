"""The key that wraps the keys of tenants: what a key service promises, and a file of the operator's as one.

    KeyRefused        it was wrapped under a key that is not here, for something else, or it was changed

In the file each line is a key, and the last one is in use. To rotate, append a line (`openssl rand -base64 48 >>
master.key`): keys are wrapped anew while everything goes on, and when `rewrap` has nothing left to do the lines before
may go. The file is read again when it changes.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from filewright.chassis.storage.threads import in_thread

LEAST_BYTES = 32
_NONCE_BYTES = 12
_ID_BYTES = 8


class KeyRefused(Exception):
    """What was wrapped does not open. The message is for operators."""


class KeyService(Protocol):
    """Wraps keys under one that callers never see. Every method may raise OSError when the service is away."""

    async def wrap(self, key: bytes, *, context: bytes) -> bytes:
        """The key, so that only this service opens it, and only for the same context."""
        ...

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        """The key again. Raises KeyRefused."""
        ...

    async def is_current(self, wrapped: bytes) -> bool:
        """Whether it is wrapped under the key that `wrap` uses now."""
        ...


@dataclass(frozen=True)
class _Line:
    id: bytes
    cipher: AESGCM


class MasterKeyFile:
    """The file as a key service."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._lines: tuple[_Line, ...] = ()

    async def wrap(self, key: bytes, *, context: bytes) -> bytes:
        current = (await self._known())[-1]
        nonce = os.urandom(_NONCE_BYTES)
        return current.id + nonce + current.cipher.encrypt(nonce, key, context)

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytes:
        named, rest = wrapped[:_ID_BYTES], wrapped[_ID_BYTES:]
        nonce, body = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        for line in await self._known():
            if line.id == named:
                try:
                    return line.cipher.decrypt(nonce, body, context)
                except (InvalidTag, ValueError):
                    raise KeyRefused("a wrapped key was changed, or is another's") from None
        raise KeyRefused(f"the master key {named.hex()} is not in {self._path.name} any more")

    async def is_current(self, wrapped: bytes) -> bool:
        return wrapped[:_ID_BYTES] == (await self._known())[-1].id

    async def _known(self) -> tuple[_Line, ...]:
        return await in_thread(self._read)

    def _read(self) -> tuple[_Line, ...]:
        status = self._path.stat()
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen != self._seen:
            self._lines = tuple(_line(key) for key in keys_in(self._path))
            self._seen = seen
        return self._lines


def keys_in(path: Path) -> tuple[bytes, ...]:
    """The keys that a file holds. Raises ValueError for a file without any, or with a weak one."""
    keys = tuple(line.strip() for line in path.read_bytes().splitlines() if line.strip())
    if not keys or any(len(key) < LEAST_BYTES for key in keys):
        raise ValueError(
            f"each line is a key of at least {LEAST_BYTES} bytes; make one with: openssl rand -base64 48 >> {path.name}"
        )
    return keys


def _line(key: bytes) -> _Line:
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"filewright master key").derive(key)
    return _Line(hashlib.sha256(b"filewright master key id" + derived).digest()[:_ID_BYTES], AESGCM(derived))
