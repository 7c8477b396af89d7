"""Which shard a tenant's rows belong to, long before there is more than one database.

256 logical shards are for ever; on which database each of them lies is a map that an operator changes. With 4
databases each holds 64 logical shards; going to 8 moves exactly every second of them, and nothing else. What makes that
possible later is kept true now: every row of a tenant names it, no key is counted up across tenants, and nothing that
belongs to one tenant refers to another's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

LOGICAL = 256


def shard_of(tenant: str) -> int:
    """0 to 255: the first byte of the tenant's SHA-256. PostgreSQL's `filewright_shard(tenant)` says the same."""
    return hashlib.sha256(tenant.encode()).digest()[0]


@dataclass(frozen=True)
class ShardMap:
    """Where each logical shard lies: the number of a database for each of the 256."""

    places: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.places) != LOGICAL:
            raise ValueError(f"a map has a place for each of {LOGICAL} shards")

    @classmethod
    def over(cls, databases: int) -> ShardMap:
        """Evenly, over a power of two: shard n lies on database n modulo that."""
        if databases not in {1 << power for power in range(LOGICAL.bit_length())}:
            raise ValueError(f"use a power of two up to {LOGICAL}")
        return cls(tuple(shard % databases for shard in range(LOGICAL)))

    def place_of(self, tenant: str) -> int:
        """The number of the tenant's database."""
        return self.places[shard_of(tenant)]

    def moving_to(self, other: ShardMap) -> Sequence[int]:
        """The logical shards that would have to move."""
        return [shard for shard in range(LOGICAL) if self.places[shard] != other.places[shard]]
