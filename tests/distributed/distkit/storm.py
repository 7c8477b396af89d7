"""A storm: many orders, and one fault after the other at random, from a seed. Then the books, and figures."""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from signal import SIGQUIT

from chaoskit import clients, files, judge
from chaoskit.clients import Client, Crowd
from chaoskit.journal import Accepted, Journal, Refused, Unknown
from chaoskit.server import Leftovers
from distkit.shape import Death, Shape, eventually

from filewright.stack.state import Stage, read_state

_COMMON = (files.markdown, files.markdown, files.markdown, files.picture, files.table, files.tone)
_SENT = (*5 * [clients.answered], clients.plain, clients.in_pieces, clients.in_one_call)
_HURT_SECONDS = 600.0
"""So long may it take until there is again something to hurt, or until the next fault is due."""


@dataclass(frozen=True)
class Weather:
    """What a storm is made of. From the same, the same faults and orders are drawn."""

    faults: int
    jobs: int
    seed: int
    at_once: int = 16
    """Clients at a time."""
    letters: int = 10
    """Every so manieth order is for the office program, which takes seconds; the others take a fraction of one."""
    pauses: tuple[float, float] = (0.1, 1.0)
    """Seconds from the moment at which a fault is due to the fault."""
    patience: float = 300.0
    hold: Path | None = None
    """While this file is there, no order and no fault begins."""
    minutes: float | None = None
    """After so long no order and no fault begins any more, however many there were to be."""


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

    @property
    def again(self) -> int:
        """Attempts beyond one for each job."""
        return self.attempts.total() - self.accepted

    def table(self) -> str:
        """For people, in Markdown."""
        rows = {
            "seed": self.seed,
            "faults": f"{self.faults.total()}: {_counts(self.faults)}",
            "jobs accepted": self.accepted,
            "ended": _counts(self.ended),
            "lost, doubled": f"{self._breaches('I1', 'I2')}, {self._breaches('I3', 'I4')}",
            "attempts": f"{self.attempts.total()}: {_counts(self.attempts)}",
            "attempts beyond one for each job": f"{self.again} ({self.again / max(1, self.accepted):.1%})",
            "jobs taken from dead or silent workers": self.rescued,
            "recovery after SIGKILL, p50 / p99 / max": _quantiles(self.recoveries),
            "answers that said: ask again": _counts(self.refused) or "none",
            "requests without an answer": self.unknown,
            "seconds, jobs a minute": f"{self.seconds:.0f}, {60 * self.accepted / max(1.0, self.seconds):.0f}",
            "breaches of the invariants": len(self.breaches),
        }
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])

    def _breaches(self, *rules: str) -> int:
        return sum(breach.rule in rules for breach in self.breaches)


class Storm:
    """Use once. `say` is told how far it is."""

    def __init__(self, shape: Shape, weather: Weather, say: Callable[[str], None] = lambda _: None) -> None:
        self._shape = shape
        self._weather = weather
        self._say = say
        self._chance = random.Random(weather.seed)
        self._leftovers: list[Leftovers] = []
        self._began = 0.0
        self._broken_off = threading.Event()
        self._silences = ThreadPoolExecutor(8)
        self._silent: dict[str, Future[None]] = {}
        self._kinds: dict[str, Callable[[], None]] = {
            "kill a worker": lambda: self._kill("worker"),
            "kill an api": lambda: self._kill("api"),
            "kill a beat": lambda: self._kill("beat"),
            "kill pgbouncer": lambda: self._kill("pgbouncer"),
            "kill redis": lambda: self._kill("redis", "redis-broker"),
            "kill the store": lambda: self._kill("s3"),
            "kill the front": lambda: self._kill("nginx"),
            "crash postgres": self._crash_postgres,
            "forget in redis": self._forget,
            "stop redis": lambda: self._silence("redis-broker", self._chance.uniform(1, 5)),
            "stop the store": lambda: self._silence("s3", self._chance.uniform(1, 5)),
            "stop a worker beyond its lease": lambda: self._silence(
                self._chance.choice(shape.names("worker")), 1.5 * shape.lease_seconds
            ),
        }

    def run(self) -> Figures:
        """Returns when everything is quiet again and the books were compared."""
        weather, journal, figures = self._weather, Journal(), Figures(self._weather.seed)
        earlier, began = len(self._shape.deaths), time.monotonic()
        self._began = began
        with (
            Crowd(self._shape, journal, at_once=weather.at_once, patience=weather.patience) as crowd,
            self._silences,
            self._breaking_off(),
        ):
            for n in range(weather.jobs):
                crowd.send(f"s{weather.seed}-{n}", self._held(self._errand(n)))
            kinds = self._order_of_kinds()
            for n, kind in enumerate(kinds):
                self._wait_until_due(crowd, n * weather.jobs // len(kinds))
                if self._is_over:
                    break
                time.sleep(self._chance.uniform(*weather.pauses))
                self._kinds[kind]()
                figures.faults[kind] += 1
                self._say(f"{time.monotonic() - began:.0f} s: fault {n + 1}, {kind}; {crowd.done} orders served")
            for silence in self._silent.values():
                silence.result()
            troubles = crowd.troubles()
        figures.seconds = time.monotonic() - began
        self._say(f"{figures.seconds:.0f} s: all orders served; now the books")
        figures.breaches = [judge.Breach("client", str(trouble)) for trouble in troubles]
        figures.breaches += self._shape.breaches(journal, self._leftovers)
        self._account(figures, journal, self._shape.deaths[earlier:])
        return figures

    @contextmanager
    def _breaking_off(self) -> Iterator[None]:
        """Whoever tells the storm to stop does not wait for orders that have not begun."""
        try:
            yield
        except BaseException:
            self._broken_off.set()
            raise

    # --- what happens --------------------------------------------------------------------------------------------

    def _errand(self, n: int) -> clients.Errand:
        """Mostly quick conversions, sometimes an office program's, a torn file, a change of mind."""
        if n % self._weather.letters == 0:
            return _made_when_sent(clients.plain, files.letter, n)
        if n % 25 == 7:
            return _made_when_sent(clients.plain, files.torn, n)
        if n % 25 == 9:
            return _made_when_sent(self._chance.choice([clients.cancelled, clients.deleted]), files.table, n)
        return _made_when_sent(self._chance.choice(_SENT), self._chance.choice(_COMMON), n)

    def _held(self, errand: clients.Errand) -> clients.Errand:
        def run(client: Client) -> None:
            self._wait_while_held()
            if not self._is_over:
                client.begin()
                errand(client)

        return run

    @property
    def _is_over(self) -> bool:
        late = self._weather.minutes is not None and time.monotonic() > self._began + 60 * self._weather.minutes
        return late or self._broken_off.is_set()

    def _wait_while_held(self) -> None:
        hold = self._weather.hold
        while hold is not None and hold.exists() and not self._broken_off.wait(1):
            pass

    def _wait_until_due(self, crowd: Crowd, due: int) -> None:
        deadline = time.monotonic() + _HURT_SECONDS
        while crowd.done < due:
            if self._weather.hold is not None and self._weather.hold.exists():
                deadline = time.monotonic() + _HURT_SECONDS
            assert time.monotonic() < deadline, f"no order is served any more; {crowd.done} were"
            time.sleep(0.05)
        self._wait_while_held()

    def _order_of_kinds(self) -> list[str]:
        """Every kind before any comes again."""
        drawn: list[str] = []
        while len(drawn) < self._weather.faults:
            drawn += self._chance.sample(sorted(self._kinds), len(self._kinds))
        return drawn[: self._weather.faults]

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

    def _silence(self, name: str, seconds: float) -> None:
        """From now on for so long it says nothing; other faults come meanwhile."""
        if name in self._silent:
            self._silent[name].result()
        self._wait_for(name)

        silence = ExitStack()
        silence.enter_context(self._shape.frozen(name))

        def wait() -> None:
            with silence:
                time.sleep(seconds)

        self._silent[name] = self._silences.submit(wait)

    def _wait_for(self, name: str) -> None:
        """It is there to be hurt."""
        eventually(lambda: read_state(self._shape.layout).processes[name].stage is Stage.READY, _HURT_SECONDS)

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
        self._recoveries(figures, told, [death for death in deaths if death.name.startswith("worker")])

    def _recoveries(self, figures: Figures, told: set[str], deaths: list[Death]) -> None:
        """From the death of the very worker that had a job, the first of that name since, to the job's next attempt."""
        events = self._shape.rows(
            "SELECT e.*, a.worker FROM job_events e "
            "LEFT JOIN attempts a ON (a.job_id, a.number) = (e.job_id, e.attempt) "
            "WHERE e.job_id = ANY(%s) ORDER BY e.job_id, e.seq",
            list(told),
        )
        processes = self._processes()
        for (begun, freed), (_, again) in pairwise(pairwise(events)):
            if (freed["source"], freed["target"], freed["actor"]) != ("running", "queued", "rescuer"):
                continue
            figures.rescued += 1
            holder = processes.get(freed["worker"])
            meanwhile = [
                death.at for death in deaths if death.name == holder and begun["at"] <= death.at <= freed["at"]
            ]
            if meanwhile and again["job_id"] == freed["job_id"]:
                figures.recoveries.append((again["at"] - min(meanwhile)).total_seconds())

    def _processes(self) -> dict[str, str]:
        """The process that each worker was, by what it says of itself at its beginning."""
        found: dict[str, str] = {}
        for name in self._shape.names("worker"):
            log = (self._shape.layout.logs / f"{name}.log").read_text(encoding="utf-8", errors="replace")
            found |= dict.fromkeys(re.findall(r'"instance":"(\w+)".*"event":"worker_begins"', log), name)
        return found


def _made_when_sent(
    send: Callable[[files.Sample], clients.Errand], make: Callable[[int], files.Sample], n: int
) -> clients.Errand:
    """Ten thousand files need not be there from the beginning."""

    def run(client: Client) -> None:
        send(make(n))(client)

    return run


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())


def _quantiles(values: list[float]) -> str:
    ordered = sorted(values)
    if not ordered:
        return "none"
    middle, last = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"{middle:.1f} s / {last:.1f} s / {ordered[-1]:.1f} s"
