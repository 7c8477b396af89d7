"""Passwords: hashed with argon2id, compared at the same cost whether or not there is one to compare with.

A hash costs tens of milliseconds of a core and megabytes on purpose, so only a few are computed at once and only so
many wait: whoever comes beyond that is told to come again, and the rest of the service does not notice.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    """What one hash takes. Each hash names its own, so that a change takes hold at each person's next login."""

    passes: int = 2
    memory_kib: int = 32 * 1024
    """OWASP's least is 19 MiB with two passes; half as much again is about 40 ms of one core."""
    lanes: int = 1
    hash_bytes: int = 32
    salt_bytes: int = 16


class TooManyHashes(Exception):
    """So many are waiting already that this one would take too long."""


class Passwords:
    """Hashes and compares, `at_once` at a time, while at most `waiting` others wait."""

    def __init__(self, cost: Cost | None = None, *, at_once: int = 2, waiting: int = 64) -> None:
        cost = cost or Cost()
        self._hasher = PasswordHasher(
            time_cost=cost.passes,
            memory_cost=cost.memory_kib,
            parallelism=cost.lanes,
            hash_len=cost.hash_bytes,
            salt_len=cost.salt_bytes,
            type=Type.ID,
        )
        self._turn = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._inside = 0
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """A hash that names its algorithm, cost and salt. Raises TooManyHashes."""
        return await self._work(lambda: self._hasher.hash(password))

    async def verify(self, known: str | None, password: str) -> bool:
        """Whether the password has this hash. Without one: no, after as much work. Raises TooManyHashes."""
        return await self._work(lambda: self._verify(known, password))

    def is_outdated(self, known: str) -> bool:
        """Whether the hash was made at another cost than today's."""
        return self._hasher.check_needs_rehash(known)

    def _verify(self, known: str | None, password: str) -> bool:
        if self._nobodys is None:
            self._nobodys = self._hasher.hash(secrets.token_urlsafe(32))
        try:
            self._hasher.verify(known or self._nobodys, password)
        except (VerificationError, InvalidHashError):
            return False
        return known is not None

    async def _work(self, work: Callable[[], T]) -> T:
        async with self._queued():
            return await asyncio.to_thread(work)

    @asynccontextmanager
    async def _queued(self) -> AsyncIterator[None]:
        if self._inside >= self._most:
            raise TooManyHashes
        self._inside += 1
        try:
            async with self._turn:
                yield
        finally:
            self._inside -= 1
