"""Tells the operator of alarms: by a letter each, in the unit of work that writes them down, and by a call after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import orjson

from filewright.chassis.audit.alarms import Pattern, Raised
from filewright.chassis.audit.log import SYSTEM
from filewright.chassis.db.sessions import WriteSession
from filewright.chassis.egress.client import Bounds, Egress, Outgoing
from filewright.chassis.egress.errors import SourceFailed, SourceForbidden
from filewright.chassis.mail.outbox import MailOutbox
from filewright.chassis.mail.port import Letter
from filewright.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_BOUNDS = Bounds(seconds=10.0, silent_seconds=5.0, body_bytes=64 << 10)
_REFUSED = 300
"""No redirect is followed, so that is a refusal, too."""
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


class AlarmCalls:
    """Posts alarms to an address of the operator's, as what chats and pagers take: JSON with a `text`.

    Who did it is the mark that the audit log has, since the address may be a third party's. It is called once: a call
    that fails is logged, and what is sure are the list, the letters and the log. `tell` is for `Watch.tell_afterwards`.
    """

    def __init__(self, egress: Egress, url: str, patterns: Mapping[str, Pattern], mark: Callable[[str], str]) -> None:
        self._egress = egress
        self._url = url
        self._patterns = patterns
        self._mark = mark

    async def tell(self, raised: Sequence[Raised]) -> None:
        headers = {"Content-Type": "application/json"}
        call = Outgoing("POST", self._url, headers, self._body(raised), purpose="alarm", bounds=_BOUNDS)
        try:
            answer = await self._egress.exchange(call)
        except (SourceFailed, SourceForbidden) as error:
            log.warning("alarm_not_told", alarms=len(raised), reason=str(error))
        else:
            if answer.status >= _REFUSED:
                log.warning("alarm_not_told", alarms=len(raised), status=answer.status)

    def _body(self, raised: Sequence[Raised]) -> bytes:
        alarms = [
            {
                "pattern": alarm.pattern,
                "what": self._patterns[alarm.pattern].what,
                "subject": self._mark(alarm.actor),
                "times": alarm.times,
                "seconds": int(alarm.seconds),
            }
            for alarm in raised
        ]
        lines = [f"{alarm['pattern']}: {alarm['what']}, by or to {alarm['subject']}" for alarm in alarms]
        return orjson.dumps({"text": "\n".join(["Filewright alarm", *lines]), "alarms": alarms})
