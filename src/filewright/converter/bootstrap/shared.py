"""The adapters that many processes share by Redis. Imported only where there is one: its client is six megabytes."""

from __future__ import annotations

from collections.abc import Sequence

from filewright.chassis.audit.bursts import SharedBursts
from filewright.chassis.cache.optional_redis import OptionalRedis
from filewright.chassis.cache.redis_level import RedisLevel
from filewright.chassis.clock import Clock
from filewright.chassis.coordination.port import Notifier
from filewright.chassis.coordination.redis_notifier import RedisNotifier
from filewright.chassis.queue.celery_queue import CeleryQueue
from filewright.chassis.queue.port import TaskQueue
from filewright.chassis.quota.shared import SharedLimiter


def adapters(url: str, secret: bytes, lanes: Sequence[str]) -> tuple[Notifier, TaskQueue]:
    """For hints; Redis may be lost at any moment without losing a job."""
    return RedisNotifier(url), CeleryQueue(url, secret, lanes=lanes)


def far_cache(url: str, secret: bytes, clock: Clock, *, answer_seconds: float) -> RedisLevel:
    """What all processes find in the cache."""
    return RedisLevel(url, secret, clock, answer_seconds=answer_seconds)


class Counted:
    """Where all processes count together."""

    def __init__(self, url: str, clock: Clock, *, answer_seconds: float) -> None:
        self._redis = OptionalRedis(url, clock, answer_seconds=answer_seconds)
        self.bursts = SharedBursts(self._redis, clock)
        self.limiter = SharedLimiter(self._redis, clock)

    async def close(self) -> None:
        """End the connections."""
        await self._redis.close()
