"""How often the same thing was seen within a while: by this process, or by all processes that share a Redis.

A window slides: what counts is what came within the last so many seconds. What made a burst counts towards no other,
and while a burst is fresh there is no second one. So of many processes in front of one attacker one alone tells of it.

Keys in Redis say nothing of anybody: they are digests. While Redis does not answer, each process counts for itself.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from filewright.chassis.clock import Clock

if TYPE_CHECKING:
    from filewright.chassis.cache.optional_redis import OptionalRedis

MOST_KEYS = 10_000
"""That a process remembers by itself; beyond them those go that were seen the longest ago."""
_AT_ONCE = 100
"""Keys in one question to Redis."""
_MILLISECOND = 0.001

# For each key: how often it was seen now, how often makes a burst, within how many milliseconds. What is kept are the
# moments, as many as would make a burst; a key that is quiet holds the word in place of them. Gives 1 for a burst.
_SCRIPT = """
local now = tonumber(ARGV[1])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local answers = {}
for n, key in ipairs(KEYS) do
    local seen, times, within = tonumber(ARGV[3 * n - 1]), tonumber(ARGV[3 * n]), tonumber(ARGV[3 * n + 1])
    answers[n] = 0
    if redis.call('TYPE', key).ok ~= 'string' then
        for _ = 1, math.min(seen, times) do
            redis.call('RPUSH', key, string.format('%.0f', now))
        end
        redis.call('LTRIM', key, -times, -1)
        local first = redis.call('LINDEX', key, -times)
        if first and tonumber(first) > now - within then
            redis.call('SET', key, 'quiet', 'PX', within)
            answers[n] = 1
        else
            redis.call('PEXPIRE', key, within)
        end
    end
end
return answers
"""


@dataclass(frozen=True)
class Sighting:
    """Something was seen so often just now; `times` within `seconds` make a burst."""

    key: tuple[str, str]
    seen: int
    times: int
    seconds: float


class Bursts(Protocol):
    """Counts by key."""

    async def count(self, sightings: Sequence[Sighting]) -> Sequence[bool]:
        """Of each, whether it makes a burst now. Never raises for want of a server."""
        ...


@dataclass
class _Known:
    moments: deque[float] = field(default_factory=deque)
    quiet_until: float = 0.0


class MemoryBursts:
    """Of this process, in bounded memory."""

    def __init__(self, clock: Clock, *, most_keys: int = MOST_KEYS) -> None:
        self._clock = clock
        self._most_keys = most_keys
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()

    async def count(self, sightings: Sequence[Sighting]) -> Sequence[bool]:
        return self.count_now(sightings)

    def count_now(self, sightings: Sequence[Sighting]) -> Sequence[bool]:
        """As `count`, for who cannot wait."""
        now = self._clock.monotonic()
        return [self._is_burst(sighting, now) for sighting in sightings]

    def __len__(self) -> int:
        return len(self._known)

    def _is_burst(self, sighting: Sighting, now: float) -> bool:
        known = self._known.setdefault(sighting.key, _Known())
        self._known.move_to_end(sighting.key)
        if len(self._known) > self._most_keys:
            self._known.popitem(last=False)
        if now < known.quiet_until:
            return False
        known.moments.extend([now] * min(sighting.seen, sighting.times))
        while known.moments[0] <= now - sighting.seconds:
            known.moments.popleft()
        if len(known.moments) < sighting.times:
            return False
        known.quiet_until = now + sighting.seconds
        known.moments.clear()
        return True


class SharedBursts:
    """Of all processes that have the same Redis and `scope`.

    `timer` gives milliseconds that count in place of Redis's own, for tests that move time.
    """

    def __init__(
        self,
        redis: OptionalRedis,
        clock: Clock,
        *,
        scope: str = "filewright:burst:",
        timer: Callable[[], int] = lambda: 0,
    ) -> None:
        self._redis = redis
        self._scope = scope
        self._timer = timer
        self._script = redis.client.register_script(_SCRIPT)
        self._alone = MemoryBursts(clock)

    async def count(self, sightings: Sequence[Sighting]) -> Sequence[bool]:
        found: list[bool] = []
        for start in range(0, len(sightings), _AT_ONCE):
            some = sightings[start : start + _AT_ONCE]
            keys = [self._scope + _digest(sighting.key) for sighting in some]
            values = [value for item in some for value in (item.seen, item.times, int(item.seconds / _MILLISECOND))]
            answers = await self._redis.ask(partial(self._script, keys=keys, args=[self._timer(), *values]))
            found += self._alone.count_now(some) if answers is None else map(bool, answers)
        return found


def _digest(key: tuple[str, str]) -> str:
    return hashlib.blake2b("\0".join(key).encode(), digest_size=16).hexdigest()
