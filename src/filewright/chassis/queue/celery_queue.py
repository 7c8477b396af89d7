"""Hints over Celery on Redis: published as Celery messages, heard by a Celery worker on a thread of this process.

Publishing never touches Celery: one message made by hand is pushed on its lane's list. Hearing starts with the first
`take`, so a process that only publishes runs no worker. When Redis is away, publishing says so at once and taking
waits; both go on by themselves when it is back, or when the sentinels name another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from filewright.chassis.coordination.kept_connection import KeptScript
from filewright.chassis.coordination.redis_address import RedisAddress, let_go
from filewright.chassis.queue.envelope import envelope
from filewright.chassis.queue.hand_over import HandOver
from filewright.chassis.queue.port import LANES, QueueFull, QueueUnavailable, Task
from filewright.chassis.queue.tokens import sign
from filewright.chassis.telemetry.logs import get_logger

if TYPE_CHECKING:
    from filewright.chassis.queue.celery_worker import CeleryWorker

log = get_logger(__name__)

CAPACITY = 10_000
DEAF_AFTER = 3
"""So many times in a row a taker waited in vain while hints were there: then another worker listens instead."""
_SUSPICIOUS_SECONDS = 0.5
_PUBLISH_SECONDS = 1.0
"""Whoever publishes has a unit of work open meanwhile, and hints can wait."""

_PUSH = """
local waiting = 0
for _, lane in ipairs(KEYS) do waiting = waiting + redis.call('LLEN', lane) end
local taken = math.min(#ARGV - 1, math.max(tonumber(ARGV[1]) - waiting, 0))
for n = 1, taken do redis.call('LPUSH', KEYS[1], ARGV[n + 1]) end
return taken
"""


class CeleryQueue:
    """Premium first, with a share for standard. A hint that waits already is doubled: the broker cannot tell.

    `lanes` are those this process takes from, in their order; it publishes to any. `capacity` bounds all lanes
    together, so that a backlog lives in the database. `name` is how operators' tools call this process's worker.
    Raises ValueError for an address that is none.
    """

    def __init__(
        self,
        url: str,
        secret: bytes,
        *,
        lanes: Sequence[str] = LANES,
        capacity: int = CAPACITY,
        name: str | None = None,
    ) -> None:
        self._url = url
        self._secret = secret
        self._lanes = tuple(lanes)
        self._capacity = capacity
        self._name = name
        self._redis = RedisAddress.parse(url).client(socket_timeout=_PUBLISH_SECONDS)
        self._push = KeptScript(self._redis, _PUSH)
        self._hand_over: HandOver | None = None
        self._worker: CeleryWorker | None = None
        self._in_vain = 0
        self._closed = False

    async def publish(self, task: Task) -> None:
        """Raises QueueUnavailable as well: Redis could not be asked."""
        if not await self.publish_all([task]):
            raise QueueFull(f"{self._capacity} hints wait already")

    async def publish_all(self, tasks: Sequence[Task]) -> int:
        """In one question to Redis."""
        lane = tasks[0].lane
        keys = [lane, *(other for other in LANES if other != lane)]
        try:
            taken: int = await self._push(keys, [self._capacity, *map(self._message, tasks)])
        except (RedisError, OSError) as error:
            raise QueueUnavailable(type(error).__name__) from error
        return taken

    def _message(self, task: Task) -> bytes:
        token = sign(task.kind, task.id, task.lane, self._secret)
        return envelope(token, task.lane, shown=f"({task.kind}, {task.id})")

    async def take(self, timeout: float) -> Task | None:  # noqa: ASYNC109
        hearing = None if self._closed else await self._hearing()
        if hearing is None:
            return None
        hand_over, worker = hearing
        began = asyncio.get_running_loop().time()
        task = await hand_over.take(timeout, wake=worker.wake)
        if task is not None:
            self._in_vain = 0
        elif asyncio.get_running_loop().time() - began >= _SUSPICIOUS_SECONDS:
            await self._suspect(worker)
        return task

    async def depth(self) -> Mapping[str, int]:
        """Raises QueueUnavailable."""
        try:
            async with self._redis.pipeline(transaction=False) as asked:
                for lane in LANES:
                    asked.llen(lane)
                return dict(zip(LANES, await asked.execute(), strict=True))
        except (RedisError, OSError) as error:
            raise QueueUnavailable(type(error).__name__) from error

    async def close(self) -> None:
        """What waits stays in Redis, for whoever takes it."""
        self._closed = True
        if self._hand_over is not None:
            self._hand_over.send_all_away()
        if self._worker is not None:
            worker, self._worker = self._worker, None
            await asyncio.to_thread(worker.stop)
        await self._push.close()
        await let_go(self._redis)

    async def _hearing(self) -> tuple[HandOver, CeleryWorker] | None:
        """What hears, begun by the first who asks; None when the queue was closed meanwhile."""
        if self._worker is None:
            # Importing Celery takes most of a second: not on the loop, and not in a process that only publishes.
            await asyncio.to_thread(import_module, "filewright.chassis.queue.celery_worker")
        if self._closed:
            return None
        if self._hand_over is None or self._worker is None:
            from filewright.chassis.queue.celery_app import create_app  # noqa: PLC0415
            from filewright.chassis.queue.celery_worker import CeleryWorker  # noqa: PLC0415

            self._hand_over = HandOver()
            make_app = partial(create_app, self._url, self._secret, self._hand_over.deliver, lanes=self._lanes)
            self._worker = CeleryWorker(make_app, self._hand_over.wanted, name=self._name)
            self._worker.start()
        return self._hand_over, self._worker

    async def _suspect(self, worker: CeleryWorker) -> None:
        """Somebody waited and got nothing. Now and then another process was quicker; not time after time."""
        try:
            waiting = await self.depth()
        except QueueUnavailable:
            return
        self._in_vain = self._in_vain + 1 if any(waiting[lane] for lane in self._lanes) else 0
        if self._in_vain >= DEAF_AFTER and not self._closed:
            self._in_vain = 0
            log.warning("celery_worker_deaf", **waiting)
            worker.renew()
