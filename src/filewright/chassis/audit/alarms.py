"""Patterns of abuse, said aloud: a counter for the alarm rules and a line in the log, once per burst.

What counts is how often one actor does a thing within a while. Each process counts for itself, in bounded memory: an
alarm is a hint to look at the audit log, and stands in for no limit. `watch.py` writes alarms into that log.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from filewright.chassis.clock import Clock
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics

log = get_logger(__name__)

_MOST_ACTORS = 10_000
_OFF = "off"


@dataclass(frozen=True)
class Pattern:
    """So many times within so many seconds is a burst; 0 times: never."""

    times: int
    seconds: float
    what: str = ""


PATTERNS: Mapping[str, Pattern] = {
    "login_failed": Pattern(10, 300, "wrong passwords for one account, from wherever"),
    "login_failed_network": Pattern(30, 300, "wrong passwords from one network, for whichever account"),
    "refresh_reused": Pattern(1, 60, "a refresh token came twice: somebody has a copy"),
    "token_forged": Pattern(20, 300, "tokens and keys from one network that were never ours"),
    "key_misplaced": Pattern(3, 600, "a good API key, sent from networks that it may not be used from"),
    "scope_denied": Pattern(20, 300, "calls that the caller's token or key does not allow"),
    "admin_denied": Pattern(3, 600, "calls of the operators' addresses by somebody who is none"),
    "enumeration": Pattern(100, 300, "questions for ids that are nothing of the caller's"),
    "source_forbidden": Pattern(10, 600, "addresses to fetch or to call that lead inside"),
    "infected": Pattern(3, 3600, "files in which the scanner found malware"),
    "limits_hammered": Pattern(200, 300, "requests of one caller that were refused because a budget was spent"),
    "network_refused": Pattern(100, 300, "requests from one network that is not let in"),
    "audit_tampered": Pattern(1, 60, "the audit log is not what was written"),
}
"""By name of the pattern."""


@dataclass(frozen=True)
class Raised:
    """A burst was seen."""

    pattern: str
    actor: str
    """Whoever did it, or to whom it was done."""
    times: int
    seconds: float


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

    def note(self, name: str, actor: str) -> Raised | None:
        """`actor` did it once more; what is raised when that makes a burst, which is told once."""
        pattern, now = self._patterns[name], self._clock.monotonic()
        if not pattern.times:
            return None
        seen = self._seen.setdefault((name, actor), _Seen())
        self._seen.move_to_end((name, actor))
        if len(self._seen) > _MOST_ACTORS:
            self._seen.popitem(last=False)
        seen.moments.append(now)
        while seen.moments and seen.moments[0] <= now - pattern.seconds:
            seen.moments.popleft()
        if len(seen.moments) < pattern.times or now < seen.quiet_until:
            return None
        seen.quiet_until = now + pattern.seconds
        seen.moments.clear()
        self._alarms.labels(name).inc()
        log.warning("security_alert", pattern=name, actor=actor, times=pattern.times, seconds=pattern.seconds)
        return Raised(name, actor, pattern.times, pattern.seconds)


def parse_patterns(text: str) -> dict[str, Pattern]:
    """All patterns, with those changed that the text names: `login_failed=20/600,enumeration=off`.

    Raises ValueError with a sentence.
    """
    found = dict(PATTERNS)
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, wish = part.partition("=")
        if name not in found:
            raise ValueError(f"there is no pattern {name!r}; there are {', '.join(PATTERNS)}")
        times, _, seconds = ("0", "", "1") if wish == _OFF else wish.partition("/")
        if not (times.isdigit() and seconds.isdigit() and int(seconds) > 0 and (wish == _OFF or int(times) > 0)):
            raise ValueError(f"{name}: give times and seconds, as {name}=10/300, or {name}={_OFF}")
        found[name] = replace(found[name], times=int(times), seconds=float(seconds))
    return found
