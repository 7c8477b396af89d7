"""Where Redis is: one server, or whichever server the sentinels name. One address for all who speak to it.

    redis://[user:password@]host:port/database            rediss:// with TLS
    sentinel://[user:password@]host:port;sentinel://host:port/database?service=name

Every client made here has a limit on connecting and on waiting for an answer, and tries a broken connection once more,
but not a server that is silent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as BrokenConnection
from redis.retry import Retry as BlockingRetry

CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 2.0
_SENTINEL_PORT = 26379
_ASKING = {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": ANSWER_SECONDS}
"""A sentinel that does not answer at once is passed by for the next."""
_USE = "use redis://host:port/0, rediss://host:port/0 or sentinel://host1:port;sentinel://host2:port/0?service=name"


@dataclass(frozen=True)
class RedisAddress:
    """A checked address. `sentinels` is empty for one server."""

    url: str
    database: int
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    username: str | None = None
    password: str | None = None

    @classmethod
    def parse(cls, url: str) -> RedisAddress:
        """Raises ValueError, with a sentence that says what would be right and repeats no password."""
        head, *others = url.split(";")
        first = urlsplit(head)
        tail = urlsplit(others[-1]) if others else first
        database = _database(tail.path)
        if first.scheme in {"redis", "rediss"} and first.hostname and not others:
            return cls(url, database)
        parts = [first, *(urlsplit(other) for other in others)]
        service = parse_qs(tail.query).get("service", [""])[0]
        if not service or any(part.scheme != "sentinel" or not part.hostname for part in parts):
            raise ValueError(_USE)
        hosts = tuple((str(part.hostname), part.port or _SENTINEL_PORT) for part in parts)
        name, word = (unquote(part) if part else None for part in (first.username, first.password))
        return cls(url, database, hosts, service, name, word)

    def client(self, **options: Any) -> Redis:
        """A client for asyncio with a pool of its own; it connects when it is first used."""
        given: dict[str, Any] = {
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": ANSWER_SECONDS,
            "socket_keepalive": True,
            "retry": Retry(NoBackoff(), 1, supported_errors=(BrokenConnection,)),
            **options,
        }
        if not self.sentinels:
            return Redis.from_url(self.url, **given)
        watched = Sentinel(self.sentinels, sentinel_kwargs={**_ASKING, "retry": Retry(NoBackoff(), 0)})  # type: ignore[no-untyped-call]
        master: Redis = watched.master_for(
            self.service, db=self.database, username=self.username, password=self.password, **given
        )
        return master

    def for_celery(self) -> tuple[str, dict[str, Any]]:
        """The same place as kombu writes it: a broker address and options of its transport."""
        if not self.sentinels:
            return self.url, {}
        user = self.url.removeprefix("sentinel://").split(";")[0].rpartition("@")[0]
        who = f"{user}@" if user else ""
        hosts = (f"sentinel://{who}{host}:{port}/{self.database}" for host, port in self.sentinels)
        asking = {**_ASKING, "retry": BlockingRetry(NoBackoff(), 0)}
        return ";".join(hosts), {"master_name": self.service, "sentinel_kwargs": asking}


async def let_go(client: Redis) -> None:
    """Close a client of `RedisAddress.client`, and what it has open to sentinels, which it would forget."""
    await client.aclose()
    if isinstance(client.connection_pool, SentinelConnectionPool):
        for sentinel in client.connection_pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def _database(path: str) -> int:
    number = path.removeprefix("/") or "0"
    if not number.isdecimal():
        raise ValueError(_USE)
    return int(number)
