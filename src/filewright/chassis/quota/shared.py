"""Limits that many processes keep together, in a Redis that can be done without.

One script decides for a key, by Redis's own clock. Questions that come while one is under way go together in the next,
so that a busy process has one question on the line and not a thousand. A refusal is remembered until it would be none.

A key that is asked for all the time is given some in advance, a *lease*, which is spent without asking. That must not
let more through than the law: what was leased before and not spent lies beside a bucket that fills up meanwhile. A
lease is void after `LEASE_SECONDS`, in which the bucket gains no more than `interval` allows in that time; so the
bucket in Redis is smaller than the rate's burst by just that much, and whatever the leases of however many processes,

    leased and unspent + what is in the bucket  <=  (burst - gain) + gain  =  burst        at every moment.

While Redis does not answer, each process counts for itself at half the rate (`interim.py`), and pays back what it gave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from filewright.chassis.cache.optional_redis import OptionalRedis
from filewright.chassis.clock import Clock
from filewright.chassis.coordination.kept_connection import KeptScript
from filewright.chassis.quota.gcra import SECOND, Rate, Verdict
from filewright.chassis.quota.interim import Interim

LEASE_SECONDS = 1.0
_MOST_AT_ONCE = 200
"""Keys in one question."""
_MOST_KNOWN = 100_000
"""Leases and refusals that a process remembers."""

# For each key: its interval, how many at once, how many are wanted, how few would do, and the time that was given away
# unasked. Gives as many as there are, if that is not too few; of what was given it takes back what there is. Numbers
# are whole microseconds below 2^53, which Lua's keep exactly; as text they must be written out, or Redis shortens them.
_SCRIPT = """
local now = tonumber(ARGV[1])
if now == 0 then
    local time = redis.call('TIME')
    now = time[1] * 1000000 + time[2]
end
local answers = {}
for n, key in ipairs(KEYS) do
    local interval, most = tonumber(ARGV[5 * n - 3]), tonumber(ARGV[5 * n - 2])
    local wanted, least, owed = tonumber(ARGV[5 * n - 1]), tonumber(ARGV[5 * n]), tonumber(ARGV[5 * n + 1])
    local ahead = math.max((tonumber(redis.call('GET', key)) or now) - now, 0)
    ahead = math.max(ahead, math.min(ahead + owed, most * interval))
    local there = math.max(math.floor((most * interval - ahead) / interval), 0)
    local given = math.min(wanted, there)
    local wait = 0
    if given < least then
        given = 0
        wait = ahead + least * interval - most * interval
    end
    ahead = ahead + given * interval
    if given > 0 or owed > 0 then
        redis.call('SET', key, string.format('%.0f', now + ahead), 'PX', math.ceil(ahead / 1000))
    end
    answers[n] = {given, there - given, wait, ahead}
end
return answers
"""


@dataclass
class _Lease:
    """What is left of it, until when, and how much it was at first."""

    left: int
    given: int
    until: float
    verdict: Verdict


@dataclass(frozen=True)
class _Refusal:
    until: float
    verdict: Verdict


@dataclass(frozen=True)
class _Question:
    key: str
    arguments: tuple[int, int, int, int]
    answer: asyncio.Future[Sequence[int] | None]


class SharedLimiter:
    """A `Limiter`. Processes that have the same Redis and `scope` count together.

    `timer` gives microseconds that count in place of Redis's own, for tests that move time.
    """

    def __init__(
        self,
        redis: OptionalRedis,
        clock: Clock,
        *,
        scope: str = "filewright:rate:",
        timer: Callable[[], int] | None = None,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._scope = scope
        self._timer = timer
        self._script = KeptScript(redis.client, _SCRIPT)
        self._interim = Interim(clock)
        self._leases: dict[str, _Lease] = {}
        self._refusals: dict[str, _Refusal] = {}
        self._questions: list[_Question] = []
        self._asking: asyncio.Task[None] | None = None

    async def take(self, key: str, rate: Rate, cost: int = 1) -> Verdict:
        now = self._clock.monotonic()
        known = self._spend(key, cost, now) if cost else None
        if known is not None:
            return known
        gain = self._gain(rate)
        wanted = self._wanted(key, gain, now) if cost == 1 else cost
        answer = await self._ask(key, (rate.interval, rate.most - gain, wanted, cost))
        if answer is None:
            return self._interim.take(key, rate, cost)
        return self._noted(key, answer, cost, gain, now)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._redis.close()

    # --- what is known here ----------------------------------------------------------------------------------------

    def _spend(self, key: str, cost: int, now: float) -> Verdict | None:
        """From the lease, or the refusal that still stands; None when Redis must be asked."""
        lease = self._leases.get(key)
        if lease is not None and lease.left >= cost and now < lease.until:
            lease.left -= cost
            return Verdict(True, lease.verdict.remaining + lease.left, 0.0, lease.verdict.reset_after)
        refusal = self._refusals.get(key)
        if refusal is not None and now < refusal.until:
            wait = refusal.until - now
            return Verdict(False, 0, wait, max(refusal.verdict.reset_after, wait))
        return None

    @staticmethod
    def _gain(rate: Rate) -> int:
        """How much the bucket gains while a lease is good, rounded up; 0: too small for leases."""
        gain = -(-int(LEASE_SECONDS * SECOND) // rate.interval)
        return gain if 1 < gain <= rate.most // 2 else 0

    def _wanted(self, key: str, gain: int, now: float) -> int:
        """Twice as many as the last time, if those were spent before they were void; else only what is needed."""
        lease = self._leases.get(key)
        if not gain or lease is None or lease.left or now >= lease.until:
            return 1
        return min(lease.given * 2, gain)

    def _noted(self, key: str, answer: Sequence[int], cost: int, gain: int, asked_at: float) -> Verdict:
        given, remaining, wait, ahead = answer
        self._interim.heard(key, ahead)
        verdict = Verdict(given >= cost, remaining + max(given - cost, 0) + gain, wait / SECOND, ahead / SECOND)
        if not cost:
            return Verdict(True, remaining + gain, 0.0, ahead / SECOND)
        if not verdict.allowed:
            verdict = Verdict(False, 0, verdict.retry_after, verdict.reset_after)
            if cost == 1:
                self._refusals[key] = _Refusal(self._clock.monotonic() + verdict.retry_after, verdict)
        elif gain and cost == 1:
            # Good from before it was asked for: Redis counted at the earliest then.
            self._leases[key] = _Lease(given - cost, given, asked_at + LEASE_SECONDS, Verdict(True, remaining + gain))
        self._forget(asked_at)
        return verdict

    def _forget(self, now: float) -> None:
        if len(self._leases) > _MOST_KNOWN:
            self._leases = {key: lease for key, lease in self._leases.items() if now < lease.until}
        if len(self._refusals) > _MOST_KNOWN:
            self._refusals = {key: refusal for key, refusal in self._refusals.items() if now < refusal.until}

    # --- what Redis is asked ---------------------------------------------------------------------------------------

    async def _ask(self, key: str, arguments: tuple[int, int, int, int]) -> Sequence[int] | None:
        """Put the question to the others; whoever finds nobody asking starts to."""
        question = _Question(key, arguments, asyncio.get_running_loop().create_future())
        self._questions.append(question)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_all(), name="rate-limits")
        return await question.answer

    async def _ask_all(self) -> None:
        try:
            while self._questions:
                asked = self._questions[:_MOST_AT_ONCE]
                _answer(asked, await self._put(asked))
                del self._questions[: len(asked)]
        finally:
            _answer(self._questions, None)  # nobody waits for an asker that was ended
            self._questions.clear()
            self._asking = None

    async def _put(self, asked: Sequence[_Question]) -> Any:
        keys = [self._scope + question.key for question in asked]
        owed = self._interim.owed(question.key for question in asked)
        untold, arguments = dict(owed), [self._timer() if self._timer is not None else 0]
        for question in asked:
            arguments += (*question.arguments, untold.pop(question.key, 0))
        answers = await self._redis.ask(lambda: self._script(keys, arguments))
        if answers is not None:
            self._interim.paid(owed)
        return answers


def _answer(asked: Sequence[_Question], answers: Sequence[Sequence[int]] | None) -> None:
    for n, question in enumerate(asked):
        if not question.answer.done():
            question.answer.set_result(None if answers is None else answers[n])
