"""The far cache: one Redis for all processes, apart from the one that carries hints, and free to forget anything.

Who misses takes a *lease* on the key, in the same step in which it looks; with it, it makes the value and fills it in.
The others find the lease taken, and look again until the value is there. Dropping a value voids the lease too, so what
was made from before the change is refused when it comes to be filled in, and no old value outlives its drop.

Nobody waits for Redis longer than a moment (`optional_redis.py`), and while it is not asked each process makes its
own. A drop that could not be told is told before anything else.
"""

from __future__ import annotations

import math
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from filewright.chassis.cache.early import spread
from filewright.chassis.cache.frames import MARK_BYTES, Frame, Frames
from filewright.chassis.cache.optional_redis import ANSWER_SECONDS, OptionalRedis
from filewright.chassis.cache.port import Held, Kind, Make, Shared
from filewright.chassis.clock import Clock
from filewright.chassis.telemetry.logs import get_logger

T = TypeVar("T")
log = get_logger(__name__)

LARGEST_BYTES = 4 << 20
"""What is larger is not kept: sending it would hold up everybody's small ones."""
_LOOK_AGAIN = (0.005, 0.05)
"""Pause before the second look while another makes the value, and the longest."""

# Either the value, if it has another mark than the given one; or the lease, if it is free; or nothing. The client asks
# again when a connection breaks, and may find that it has the lease already.
_LOOK = """
local value = redis.call('GET', KEYS[1])
if value and string.sub(value, 1, #ARGV[3]) ~= ARGV[3] then
    return {value, redis.call('PTTL', KEYS[1])}
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[2]) == ARGV[1] then
    return 1
end
return 0
"""
_FILL = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1
"""
_GIVE_BACK = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
    redis.call('DEL', KEYS[1])
end
return 1
"""
_OURS = 1
_ANY = b"\0" * MARK_BYTES
"""A mark that no value has."""


@dataclass(frozen=True)
class _Place:
    """Where a value and its lease are; the braces keep both in one slot of a cluster."""

    name: str
    value: str
    lease: str


class RedisLevel:
    """Processes share what they keep that have the same address, `scope` and secret. Raises ValueError for a bad
    address. With `answer_seconds` a test on a busy machine is patient.
    """

    def __init__(
        self,
        url: str,
        secret: bytes,
        clock: Clock,
        *,
        scope: str = "filewright",
        answer_seconds: float = ANSWER_SECONDS,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._redis = OptionalRedis(url, clock, answer_seconds=answer_seconds, chance=chance)
        scripts = (_LOOK, _FILL, _GIVE_BACK)
        self._look, self._fill, self._give_back = map(self._redis.client.register_script, scripts)
        self._frames = Frames(secret)
        self._clock = clock
        self._scope = scope
        self._chance = chance

    @property
    def redis(self) -> OptionalRedis:
        """How it gets on with Redis, in numbers."""
        return self._redis

    async def fetch(self, kind: Kind[T], key: str, make: Make[T], *, instead_of: bytes = b"") -> Held[T]:
        shared, place = _shared(kind), self._place(kind.named(key))
        token, unwanted = secrets.token_bytes(MARK_BYTES), instead_of or _ANY
        patience = self._clock.monotonic() + shared.patience
        pause, longest = _LOOK_AGAIN
        while True:
            found = await self._look_at(place, unwanted, token, shared.lease)
            if found == _OURS:
                return await self._make_for_all(kind, place, make, token)
            if isinstance(found, list):
                held = self._open(shared, place, *found)
                if held is not None:
                    return held
                unwanted = found[0][:MARK_BYTES]  # whatever it is, it is to be replaced
            elif found is None or self._clock.monotonic() >= patience:
                return Held(await make(), left=math.inf, made=True)
            else:
                await self._clock.sleep(pause * (0.5 + self._chance()))
                pause = min(longest, pause * 2)

    async def drop(self, kind: Kind[T], key: str) -> None:
        place = self._place(kind.named(key))
        await self._redis.delete(place.value, place.lease)

    async def close(self) -> None:
        await self._redis.close()

    # --- values --------------------------------------------------------------------------------------------------

    async def _make_for_all(self, kind: Kind[T], place: _Place, make: Make[T], token: bytes) -> Held[T]:
        began = self._clock.monotonic()
        try:
            value = await make()
        except Exception:
            await self._return(place, token)
            raise
        cost = self._clock.monotonic() - began
        shared = _shared(kind)
        packed = self._frames.pack(place.name, Frame(token, cost, shared.encode(value)))
        lasts = spread(shared.seconds, self._chance())
        if len(packed) > LARGEST_BYTES:
            await self._return(place, token)
            return Held(value, left=math.inf, cost=cost, made=True)
        milliseconds = max(1, int(lasts * 1000))
        filled = await self._redis.ask(
            lambda: self._fill(keys=[place.value, place.lease], args=[token, packed, milliseconds])
        )
        # Refused: it was dropped while it was made, or the lease ran out. Good for those who asked, not to be kept.
        left = {1: lasts, None: math.inf}.get(filled, 0.0)
        return Held(value, left=left, cost=cost, mark=token, made=True)

    def _open(self, shared: Shared[T], place: _Place, packed: bytes, left_milliseconds: int) -> Held[T] | None:
        frame = self._frames.open(place.name, packed)
        if frame is None:
            log.warning("cache_value_refused", key=place.name)
            return None
        try:
            value = shared.decode(frame.value)
        except ValueError:
            log.warning("cache_value_refused", key=place.name)
            return None
        return Held(value, left=max(0, left_milliseconds) / 1000, cost=frame.cost, mark=frame.mark)

    def _place(self, name: str) -> _Place:
        return _Place(name, f"{self._scope}:{{{name}}}", f"{self._scope}:{{{name}}}:lease")

    # --- Redis ---------------------------------------------------------------------------------------------------

    async def _look_at(self, place: _Place, unwanted: bytes, token: bytes, lease: float) -> Any:
        """The value and its milliseconds, `_OURS` with the lease, 0 while another has that; None without an answer."""
        milliseconds = max(1, int(lease * 1000))
        return await self._redis.ask(
            lambda: self._look(keys=[place.value, place.lease], args=[token, milliseconds, unwanted])
        )

    async def _return(self, place: _Place, token: bytes) -> None:
        await self._redis.ask(lambda: self._give_back(keys=[place.lease], args=[token]))


def _shared(kind: Kind[T]) -> Shared[T]:
    if kind.shared is None:
        raise TypeError(f"the kind {kind.name!r} is not shared")
    return kind.shared
