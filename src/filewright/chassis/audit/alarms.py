"""Patterns of abuse, said aloud: a counter for the alarm rules and a line in the log, once per burst.

What counts is how often one actor does a thing within a while. Each process counts for itself, in bounded memory: an
alarm is a hint to look at the audit log, and stands in for no limit.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from filewright.chassis.clock import Clock
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics

log = get_logger(__name__)

_MOST_ACTORS = 10_000


@dataclass(frozen=True)
class Pattern:
    """So many times within so many seconds is a burst."""

    times: int
    seconds: float


PATTERNS: Mapping[str, Pattern] = {
    "login_failed": Pattern(10, 300),
    "token_refused": Pattern(20, 300),
    "refresh_reused": Pattern(1, 60),
    "scope_denied": Pattern(20, 300),
    "not_found": Pattern(100, 300),
    "source_forbidden": Pattern(10, 600),
    "infected": Pattern(3, 3600),
    "admin_denied": Pattern(3, 600),
    "audit_tampered": Pattern(1, 60),
}
"""By name of the pattern."""


@dataclass
class _Seen:
    moments: deque[float] = field(default_factory=deque)
    quiet_until: float = 0.0


class Alarms:
    """Tell it what was seen."""

    def __init__(self, clock: Clock, metrics: Metrics, patterns: Mapping[str, Pattern] = PATTERNS) -> None:
        self._clock = clock
        self._patterns = patterns
        self._seen: OrderedDict[tuple[str, str], _Seen] = OrderedDict()
        self._alarms = metrics.counter("security_alerts", "Bursts of what looks like abuse.", ("pattern",))

    def note(self, name: str, actor: str) -> bool:
        """`actor` did it once more; True when that makes a burst, which is told once."""
        pattern, now = self._patterns[name], self._clock.monotonic()
        seen = self._seen.setdefault((name, actor), _Seen())
        self._seen.move_to_end((name, actor))
        if len(self._seen) > _MOST_ACTORS:
            self._seen.popitem(last=False)
        seen.moments.append(now)
        while seen.moments and seen.moments[0] <= now - pattern.seconds:
            seen.moments.popleft()
        if len(seen.moments) < pattern.times or now < seen.quiet_until:
            return False
        seen.quiet_until = now + pattern.seconds
        seen.moments.clear()
        self._alarms.labels(name).inc()
        log.warning("security_alert", pattern=name, actor=actor, times=pattern.times, seconds=pattern.seconds)
        return True
