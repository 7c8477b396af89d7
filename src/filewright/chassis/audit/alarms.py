"""Patterns of abuse, said aloud: a counter for the alarm rules and a line in the log, once per burst.

What counts is how often one actor does a thing within a while, whichever process meets it (`bursts.py`). To note is
done at once and in bounded memory; that many notes were a burst is found when `raised` is asked, again and again. An
alarm is a hint to look at the audit log, and stands in for no limit. `watch.py` writes alarms into that log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from filewright.chassis.audit.bursts import MOST_KEYS, Bursts, MemoryBursts, Sighting
from filewright.chassis.clock import Clock
from filewright.chassis.telemetry.logs import get_logger
from filewright.chassis.telemetry.metrics import Metrics

log = get_logger(__name__)

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


class Alarms:
    """Tell it what was seen, and ask it what that amounts to."""

    def __init__(
        self, clock: Clock, metrics: Metrics, patterns: Mapping[str, Pattern] = PATTERNS, bursts: Bursts | None = None
    ) -> None:
        self._patterns = patterns
        self._bursts = MemoryBursts(clock) if bursts is None else bursts
        self._seen: Counter[tuple[str, str]] = Counter()
        self._alarms = metrics.counter("security_alerts", "Bursts of what looks like abuse.", ("pattern",))

    def note(self, name: str, actor: str) -> None:
        """`actor` did it once more."""
        key = (name, actor)
        if self._patterns[name].times and (key in self._seen or len(self._seen) < MOST_KEYS):
            self._seen[key] += 1

    async def raised(self) -> Sequence[Raised]:
        """What has become a burst since this was asked last; each is told once."""
        seen, self._seen = self._seen, Counter()
        if not seen:
            return []
        sightings = [
            Sighting(key, times, self._patterns[key[0]].times, self._patterns[key[0]].seconds)
            for key, times in seen.items()
        ]
        found = await self._bursts.count(sightings)
        return [self._told(sighting) for sighting, is_burst in zip(sightings, found, strict=True) if is_burst]

    def _told(self, burst: Sighting) -> Raised:
        name, actor = burst.key
        self._alarms.labels(name).inc()
        log.warning("security_alert", pattern=name, actor=actor, times=burst.times, seconds=burst.seconds)
        return Raised(name, actor, burst.times, burst.seconds)


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
