"""A storm: many orders, and one fault after the other at random, from a seed. Then the books, and figures."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from signal import SIGQUIT

from chaoskit import clients, files, judge
from chaoskit.clients import Crowd
from chaoskit.journal import Accepted, Journal, Refused, Unknown
from chaoskit.server import Leftovers
from distkit.shape import Death, Shape, eventually

from filewright.stack.state import Stage, read_state

AT_ONCE = 8
_COMMON = (files.markdown, files.picture, files.table, files.tone)
_SENT = (clients.plain, clients.in_pieces, clients.in_one_call)
_PAUSES = (0.5, 2.0)


@dataclass
class Figures:
    """What a storm was and what it did."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    rescued: int = 0
    recoveries: list[float] = field(default_factory=list)
    """Seconds from the SIGKILL of a worker to the next beginning of a job that it had."""
    refused: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    seconds: float = 0.0
    breaches: list[judge.Breach] = field(default_factory=list)

    def table(self) -> str:
        """For people, in Markdown."""
        tries = sum(self.attempts.values())
        again = tries - self.accepted
        rows = {
            "seed": self.seed,
            "faults": f"{self.faults.total()}: {_counts(self.faults)}",
            "jobs accepted": self.accepted,
            "ended": _counts(self.ended),
            "attempts": f"{tries}: {_counts(self.attempts)}",
            "attempts beyond one for each job": f"{again} ({again / max(1, self.accepted):.1%})",
            "jobs taken from dead or silent workers": self.rescued,
            "recovery after SIGKILL, p50 / p99 / max": _quantiles(self.recoveries),
            "answers that said: ask again": _counts(self.refused) or "none",
            "requests without an answer": self.unknown,
            "seconds, jobs a minute": f"{self.seconds:.0f}, {60 * self.accepted / max(1.0, self.seconds):.0f}",
            "breaches of the invariants": len(self.breaches),
        }
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


class Storm:
    """Use once."""

    def __init__(self, shape: Shape, *, faults: int, jobs: int, seed: int) -> None:
        self._shape = shape
        self._faults = faults
        self._jobs = jobs
        self._seed = seed
        self._chance = random.Random(seed)
        self._leftovers: list[Leftovers] = []
        self._kinds: dict[str, Callable[[], None]] = {
            "kill a worker": lambda: self._kill("worker"),
            "kill an api": lambda: self._kill("api"),
            "kill a beat": lambda: self._kill("beat"),
            "kill pgbouncer": lambda: self._kill("pgbouncer"),
            "kill redis": lambda: self._kill("redis", "redis-broker"),
            "crash postgres": self._crash_postgres,
            "forget in redis": self._forget,
            "stop redis": lambda: self._stop("redis-broker", self._chance.uniform(1, 5)),
            "stop a worker beyond its lease": lambda: self._stop(
                self._chance.choice(shape.names("worker")), 1.5 * shape.lease_seconds
            ),
        }

    def run(self) -> Figures:
        """Returns when everything is quiet again and the books were compared."""
        journal, figures, began = Journal(), Figures(self._seed), time.monotonic()
        earlier = len(self._shape.deaths)
        with Crowd(self._shape, journal, at_once=AT_ONCE) as crowd:
            sent = [crowd.send(f"s{self._seed}-{n}", self._errand(n)) for n in range(self._jobs)]
            kinds = self._order_of_kinds()
            for n, kind in enumerate(kinds):
                due = n * self._jobs // len(kinds)
                eventually(lambda due=due: sum(errand.done() for errand in sent) >= due, 600)  # type: ignore[misc]
                time.sleep(self._chance.uniform(*_PAUSES))
                self._kinds[kind]()
                figures.faults[kind] += 1
            crowd.all_done()
        figures.seconds = time.monotonic() - began
        figures.breaches = self._shape.breaches(journal, self._leftovers)
        self._account(figures, journal, self._shape.deaths[earlier:])
        return figures

    # --- what happens --------------------------------------------------------------------------------------------

    def _errand(self, n: int) -> clients.Errand:
        """Mostly quick conversions, sometimes an office program's, a torn file, a change of mind."""
        if n % 10 == 0:
            return clients.plain(files.letter(n))
        if n % 25 == 7:
            return clients.plain(files.torn(n))
        if n % 25 == 9:
            return self._chance.choice([clients.cancelled, clients.deleted])(files.table(n))
        return self._chance.choice(_SENT)(self._chance.choice(_COMMON)(n))

    def _order_of_kinds(self) -> list[str]:
        """Every kind before any comes again."""
        drawn: list[str] = []
        while len(drawn) < self._faults:
            drawn += self._chance.sample(sorted(self._kinds), len(self._kinds))
        return drawn[: self._faults]

    def _kill(self, role: str, name: str | None = None) -> None:
        name = name or self._chance.choice(self._shape.names(role))
        self._wait_for(name)
        self._leftovers.append(self._shape.leftovers(self._shape.kill(name)))

    def _crash_postgres(self) -> None:
        self._wait_for("postgres")
        self._shape.wait_for_successor(self._shape.kill("postgres", SIGQUIT))

    def _forget(self) -> None:
        self._wait_for("redis-broker")
        with self._shape.redis() as redis:
            redis.flushall()

    def _stop(self, name: str, seconds: float) -> None:
        self._wait_for(name)
        with self._shape.frozen(name):
            time.sleep(seconds)

    def _wait_for(self, name: str) -> None:
        """It is there to be hurt."""
        eventually(lambda: read_state(self._shape.layout).processes[name].stage is Stage.READY)

    # --- figures -------------------------------------------------------------------------------------------------

    def _account(self, figures: Figures, journal: Journal, deaths: list[Death]) -> None:
        told = {entry.job for entry in journal.all(Accepted)}
        figures.accepted = len(told)
        figures.refused = Counter(f"{entry.status} {entry.code}".strip() for entry in journal.all(Refused))
        figures.unknown = len(journal.all(Unknown))
        rows = self._shape.rows("SELECT id, state FROM jobs WHERE id = ANY(%s)", list(told))
        figures.ended = Counter(row["state"] for row in rows)
        rows = self._shape.rows("SELECT outcome FROM attempts WHERE job_id = ANY(%s)", list(told))
        figures.attempts = Counter(row["outcome"] for row in rows)
        kills = [death.at for death in deaths if death.name.startswith("worker")]
        self._recoveries(figures, told, kills)

    def _recoveries(self, figures: Figures, told: set[str], kills: list[datetime]) -> None:
        events = self._shape.rows("SELECT * FROM job_events WHERE job_id = ANY(%s) ORDER BY job_id, seq", list(told))
        for (begun, freed), (_, again) in pairwise(pairwise(events)):
            if (freed["source"], freed["target"], freed["actor"]) != ("running", "queued", "rescuer"):
                continue
            figures.rescued += 1
            meanwhile = [kill for kill in kills if begun["at"] <= kill <= freed["at"]]
            if meanwhile and again["job_id"] == freed["job_id"]:
                figures.recoveries.append((again["at"] - max(meanwhile)).total_seconds())


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())


def _quantiles(values: list[float]) -> str:
    ordered = sorted(values)
    if not ordered:
        return "none"
    middle, last = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"{middle:.1f} s / {last:.1f} s / {ordered[-1]:.1f} s"
