"""Reading on replicas: which of them may answer, and what becomes of one that is behind or gone.

Within one transaction a replica is asked how far it is, then what is wanted, then how far it is again: the first
answer proves that it has all the client has seen, the last says what the client has seen now. Both are asked anew each
time, because behind one address there may be several servers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from sqlalchemy import BigInteger, literal_column, select, text
from sqlalchemy.ext.asyncio import async_sessionmaker

from filewright.chassis.clock import Clock
from filewright.chassis.db import dialect
from filewright.chassis.db.horizon import Horizon
from filewright.chassis.db.hot import Look
from filewright.chassis.db.sessions import ReadSession
from filewright.chassis.telemetry.logs import get_logger

T = TypeVar("T")
log = get_logger(__name__)

_REPLAYED = literal_column("(pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint", BigInteger).label("position")
_WRITTEN = literal_column("(pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint", BigInteger).label("position")
REPLAYED = Look(lambda _speech: select(_REPLAYED).where(text("pg_is_in_recovery()")))
"""How far a replica is; nothing where the server has become a primary."""
WRITTEN = Look(lambda _speech: select(_WRITTEN))
"""The end of a primary's log."""

BEHIND_SECONDS = 0.02
"""A replica that was behind is not asked again for so long: the next client would only wait for the same answer."""
GONE_SECONDS = (1.0, 30.0)
"""One that could not be reached rests for so long at first, then twice as long each time, and at most so long."""


class _Behind(Exception):
    """The replica has not replayed what the client has seen."""


@dataclass
class Reads:
    """What became of the reads that a replica was considered for."""

    answered: int = 0
    behind: int = 0
    failed: int = 0


class Replica:
    """One address at which a copy can be read."""

    def __init__(self, url: str, *, pool_size: int) -> None:
        address = dialect.async_url(url)
        self.name = f"{address.host}:{address.port or 5432}"
        self.reads = Reads()
        self.rests_until = 0.0
        self._rest = GONE_SECONDS[0]
        self._engine = dialect.replica_engine(address, pool_size=pool_size)
        self._sessions = async_sessionmaker(self._engine, class_=ReadSession, expire_on_commit=False, autoflush=False)

    async def look(self, work: Callable[[ReadSession], Awaitable[T]], horizon: Horizon, known: int) -> T:
        """The answer of `work`, on a state that has everything up to `known`. Raises _Behind, and what `work` does."""
        async with self._sessions() as session:
            before = await session.ask(REPLAYED)
            if not before or before[0].position < known:
                raise _Behind
            answer = await work(session)
            after = await session.ask(REPLAYED)
        if not after:  # it was made the primary in between
            raise _Behind
        horizon.saw_replica(after[0].position)
        return answer

    def is_well(self) -> None:
        self.reads.answered += 1
        self._rest = GONE_SECONDS[0]

    def is_behind(self, now: float) -> None:
        self.reads.behind += 1
        self.rests_until = now + BEHIND_SECONDS

    def is_gone(self, now: float) -> None:
        self.reads.failed += 1
        self.rests_until = now + self._rest
        self._rest = min(GONE_SECONDS[1], 2 * self._rest)

    def facts(self, now: float) -> dict[str, Any]:
        """For the health page, which strangers see: no address."""
        return {"resting": self.rests_until > now, **asdict(self.reads)}

    async def close(self) -> None:
        await self._engine.dispose()


class Replicas:
    """All of them, asked in turn."""

    def __init__(self, urls: Sequence[str], *, pool_size: int, clock: Clock) -> None:
        self._replicas = [Replica(url, pool_size=pool_size) for url in urls]
        self._clock = clock
        self._turn = 0

    def __bool__(self) -> bool:
        return bool(self._replicas)

    async def look(self, work: Callable[[ReadSession], Awaitable[T]], horizon: Horizon) -> tuple[T] | None:
        """What the first replica says that has all the client has seen; None: only the primary can tell.

        A refusal is never a replica's word. Whatever `work` raises there, the primary is asked: the row that is not
        found may be on its way.
        """
        known = horizon.known
        if known is None:
            return None
        for replica in self._next():
            try:
                answer = await replica.look(work, horizon, known)
            except _Behind:
                replica.is_behind(self._clock.monotonic())
            except Exception as error:  # noqa: BLE001 - sorted below, and met again on the primary
                if dialect.trouble(error) is not dialect.Trouble.DOWN:
                    return None
                log.warning("replica_unavailable", address=replica.name, error=type(error).__name__)
                replica.is_gone(self._clock.monotonic())
            else:
                replica.is_well()
                return (answer,)
        return None

    def facts(self) -> list[dict[str, Any]]:
        """For the health page."""
        now = self._clock.monotonic()
        return [replica.facts(now) for replica in self._replicas]

    async def close(self) -> None:
        for replica in self._replicas:
            await replica.close()

    def _next(self) -> list[Replica]:
        """Those that are not resting, each time beginning with another."""
        now = self._clock.monotonic()
        awake = [replica for replica in self._replicas if replica.rests_until <= now]
        self._turn += 1
        first = self._turn % len(awake) if awake else 0
        return awake[first:] + awake[:first]
