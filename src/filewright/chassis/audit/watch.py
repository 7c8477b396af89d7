"""What was refused, or only looked at: gathered in memory, written down a moment later, and counted towards alarms.

A note has no transaction to go with, and must cost less than what was refused: so whoever is refused adds to a list,
and a loop writes the list. The first note of its kind is a row of its own within a second or two; what the same one
meets again in the next minute is one row more, which says how many times. What is not yet written when a process is
killed is lost; nothing that *changes* anything goes this way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from filewright.chassis.audit.acts import Act, declare
from filewright.chassis.audit.alarms import Alarms, Raised
from filewright.chassis.audit.log import DENIED, DONE, SYSTEM, Audit, Detail
from filewright.chassis.clock import Clock
from filewright.chassis.db.database import Database
from filewright.chassis.db.errors import DatabaseUnavailable
from filewright.chassis.db.sessions import WriteSession
from filewright.chassis.telemetry.logs import get_logger, said_of
from filewright.chassis.telemetry.metrics import Metrics

log = get_logger(__name__)

EVERY_SECONDS = 1.0
QUIET_SECONDS = 60.0
"""Between two rows that say the same of the same one."""
BATCH = 100
"""Rows in one unit of work, which holds the end of the chain meanwhile."""
_MOST_WAITING = 10_000
RAISED = declare("alarm.raised", "a pattern of abuse was seen; `subject` is whose, and `pattern` says which")

Also = Callable[[WriteSession, Sequence[Raised]], Awaitable[None]]
"""What else to do in the unit of work that writes alarms down."""
Afterwards = Callable[[Sequence[Raised]], Awaitable[None]]
"""What else to do when alarms are written down; it raises nothing."""
_Key = tuple[str, str, str | None]


@dataclass(frozen=True)
class Note:
    """Something that was refused, or looked at, so many times."""

    act: Act
    actor: str
    tenant: str = SYSTEM
    subject: str | None = None
    request_id: str | None = field(default_factory=partial(said_of, "request_id"))
    details: Mapping[str, Detail] | None = None
    outcome: str = DENIED
    times: int = 1

    @property
    def key(self) -> _Key:
        return self.act.name, self.actor, self.subject


class Watch:
    """Tell it what is refused, or looked at; run `write_once` again and again."""

    def __init__(self, database: Database, audit: Audit, alarms: Alarms, clock: Clock, metrics: Metrics) -> None:
        self._database = database
        self.audit = audit
        self._alarms = alarms
        self._clock = clock
        self._waiting: OrderedDict[_Key, Note] = OrderedDict()
        self._written: OrderedDict[_Key, float] = OrderedDict()
        """When each of the last minute was written."""
        self._raised: list[Raised] = []
        self._also: list[Also] = []
        self._afterwards: list[Afterwards] = []
        self._lost = metrics.counter("audit_notes_lost", "Refusals that there was no room for in the audit log.")

    def tell(self, also: Also) -> None:
        """Tell somebody else, too, of alarms, in the unit of work that writes them down."""
        self._also.append(also)

    def tell_afterwards(self, afterwards: Afterwards) -> None:
        """Tell somebody who may take long, or not be there; what is refused waits meanwhile, and nothing else."""
        self._afterwards.append(afterwards)

    def note(self, note: Note) -> None:
        """Keep it for the next batch, and count it towards the alarms of its act."""
        for pattern, who in ((note.act.by_actor, note.actor), (note.act.by_subject, note.subject)):
            if pattern is not None and who is not None:
                self.seen(pattern, who)
        self._gather(note)

    def seen(self, pattern: str, who: str) -> None:
        """Count it towards an alarm, and write nothing else down."""
        self._alarms.note(pattern, who)

    async def write_once(self) -> int:
        """Write what is due; how much that was. Raises DatabaseUnavailable, and has it still then."""
        self._raised += await self._alarms.raised()
        notes, raised = self._take(self._clock.monotonic()), self._raised
        if not notes and not raised:
            return 0
        self._raised = []
        try:
            await self._write(notes, raised)
        except DatabaseUnavailable:
            self._raised = raised + self._raised
            for note in notes:
                self._written.pop(note.key, None)
                self._gather(note)
            raise
        for afterwards in self._afterwards if raised else ():
            await afterwards(raised)
        return len(notes) + len(raised)

    async def close(self) -> None:
        """Write what is left, if the database takes it."""
        self._written.clear()
        try:
            while await self.write_once():
                pass
        except DatabaseUnavailable:
            log.info("audit_notes_not_written", notes=len(self._waiting), alarms=len(self._raised))

    def _gather(self, note: Note) -> None:
        before = self._waiting.get(note.key)
        if before is not None:
            self._waiting[note.key] = replace(before, times=before.times + note.times)
        elif len(self._waiting) < _MOST_WAITING:
            self._waiting[note.key] = note
        else:
            self._lost.inc(note.times)

    def _take(self, now: float) -> list[Note]:
        while self._written and next(iter(self._written.values())) <= now - QUIET_SECONDS:
            self._written.popitem(last=False)
        due = [key for key in self._waiting if key not in self._written][:BATCH]
        for key in due:
            self._written[key] = now
        return [self._waiting.pop(key) for key in due]

    async def _write(self, notes: Sequence[Note], raised: Sequence[Raised]) -> None:
        async def work(session: WriteSession) -> None:
            for also in self._also if raised else ():
                await also(session, raised)
            for note in notes:
                await self.audit.record(
                    session,
                    note.act,
                    actor=note.actor,
                    tenant=note.tenant,
                    subject=note.subject,
                    outcome=note.outcome,
                    request_id=note.request_id,
                    details={**(note.details or {}), "times": note.times},
                )
            for alarm in raised:
                details: Mapping[str, Detail] = {
                    "pattern": alarm.pattern,
                    "times": alarm.times,
                    "seconds": int(alarm.seconds),
                }
                await self.audit.record(
                    session, RAISED, actor=SYSTEM, subject=alarm.actor, outcome=DONE, details=details
                )

        await self._database.transact(work)
