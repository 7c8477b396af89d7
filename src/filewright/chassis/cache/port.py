"""What may be kept for a while, and what whoever keeps it promises.

    get(kind, key, make) ──▶ near: this process ──▶ far: one Redis for all ──▶ make

A cache is a convenience and never the truth. Every adapter holds to this:

1. A value is made once. Readers in one process wait for the one that makes it; of several processes one makes it and
   the others wait for that one, within their patience.
2. Before its end a value is made anew by somebody, while everybody still reads the old one (`early.py`).
3. A cache that is down, slow, full or tampered with makes a request neither fail nor wait longer than a moment: the
   value is made, as if there were no cache.
4. What was dropped is not brought back by somebody who began to make it before.

What the maker raises goes to all who wait for it, and is not kept. Values are shared between readers: none of them may
be changed. A maker outlives the request that brought it, so it opens its own unit of work.

There are two ways to see no old value. Put the version of what it is made from into the key: then an old one cannot be
found. Or `drop` it after the change: every process that hears news has forgotten it soon, one that hears none has it
until `Kind.seconds` are over. Where that is too long, `seconds=0` has every reader ask the far cache.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
Make = Callable[[], Awaitable[T]]

NEWS = "cache"
"""The family of topics on the `Notifier` by which processes tell one another what they dropped."""


@dataclass(frozen=True)
class Shared(Generic[T]):
    """How a kind is kept where all processes see it. `decode` raises ValueError for what `encode` has not made."""

    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]
    seconds: float = 3600.0
    """It is gone after this time, or up to a tenth earlier."""
    lease: float = 10.0
    """Who makes a value and is not done after this time is taken for dead, and another begins."""
    patience: float = 2.0
    """So long others wait for the one that makes it; then each process makes its own."""


@dataclass(frozen=True)
class Kind(Generic[T]):
    """Values of one meaning and one shape, under keys of their own."""

    name: str
    version: int
    """Grows with every change of shape or meaning, so that old processes and new ones never read each other's."""
    weigh: Callable[[T], int]
    """About how many bytes of memory a value takes; what is kept near has a bound."""
    seconds: float = 120.0
    """It is kept near for this time, or up to a tenth less; 0: not at all."""
    shared: Shared[T] | None = None
    """None: each process has its own."""

    def named(self, key: str) -> str:
        """The key among those of all kinds."""
        return f"{self.name}.{self.version}:{key}"


class Cache(Protocol):
    """What features are given."""

    async def get(self, kind: Kind[T], key: str, make: Make[T]) -> T:
        """The value, kept or made. Raises what `make` raises and nothing else."""
        ...

    def peek(self, kind: Kind[T], key: str) -> T | None:
        """The value if it is here, without asking anybody."""
        ...

    def put(self, kind: Kind[T], key: str, value: T) -> None:
        """Keep a value in this process. For what is cheaper to make than to share, by whoever has it in hand."""
        ...

    async def drop(self, kind: Kind[T], key: str) -> None:
        """Forget it, here at once and elsewhere soon. Call it after the commit of what changed."""
        ...


@dataclass(frozen=True)
class Held(Generic[T]):
    """A value as one level gives it to the level above."""

    value: T
    left: float
    """Seconds until it must not be used any more; 0: by now it may be old."""
    cost: float = 0.0
    """Seconds that it took to make."""
    mark: bytes = b""
    """Another for each making, so that an older value is known from a newer one."""
    made: bool = False
    """Whether it was made just now, for this reader."""


class Level(Protocol):
    """What is asked by a level above, for kinds that are shared."""

    async def fetch(self, kind: Kind[T], key: str, make: Make[T], *, instead_of: bytes = b"") -> Held[T]:
        """The value, kept or made; with `instead_of`, one that has another mark than this."""
        ...

    async def drop(self, kind: Kind[T], key: str) -> None:
        """Forget it. What cannot be told now is told before anything else is asked for."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Uncached:
    """For whoever has no cache."""

    async def get(self, _kind: Kind[T], _key: str, make: Make[T]) -> T:
        return await make()

    def peek(self, _kind: Kind[T], _key: str) -> T | None:
        return None

    def put(self, kind: Kind[T], key: str, value: T) -> None:
        """Nowhere."""

    async def drop(self, kind: Kind[T], key: str) -> None:
        """Nothing is kept."""
