"""Tells the operator of alarms, by a letter each, in the unit of work that writes them down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from filewright.chassis.audit.alarms import Pattern, Raised
from filewright.chassis.audit.log import SYSTEM
from filewright.chassis.db.sessions import WriteSession
from filewright.chassis.mail.outbox import MailOutbox
from filewright.chassis.mail.port import Letter

_TEXT = """\
{what}: at least {times} times within {seconds:.0f} seconds, by or to

    {actor}

This is told once for each burst. `filewright admin audit list` shows what was done, and the docs on security what can
be done about it.
"""


class AlarmLetters:
    """Writes them. `tell` is for `Watch.tell`."""

    def __init__(self, outbox: MailOutbox, to: str, patterns: Mapping[str, Pattern]) -> None:
        self._outbox = outbox
        self._to = to
        self._patterns = patterns

    async def tell(self, session: WriteSession, raised: Sequence[Raised]) -> None:
        for alarm in raised:
            what = self._patterns[alarm.pattern].what.capitalize()
            text = _TEXT.format(what=what, times=alarm.times, seconds=alarm.seconds, actor=alarm.actor)
            letter = Letter(self._to, f"Filewright alarm: {alarm.pattern}", text)
            await self._outbox.put(session, letter, tenant=SYSTEM)
