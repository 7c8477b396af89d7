"""The acts that the log can hold. Each feature declares its own, beside the code that does them.

    MADE = acts.declare("key.created", "an API key was made")
    …
    await audit.record(session, MADE, actor=…, subject=key.id)

So nothing is written under a name that stands nowhere, the documentation lists them all, and a test can ask of every
one whether it is ever written.
"""

from __future__ import annotations

from dataclasses import dataclass

REGISTERED: dict[str, Act] = {}
"""By name."""


@dataclass(frozen=True)
class Act:
    """Something that is done, or refused."""

    name: str
    what: str
    """In words, in the past tense."""
    by_actor: str | None = None
    """The pattern of abuse that it makes when one actor does it again and again (`alarms.py`)."""
    by_subject: str | None = None
    """The same, when it happens to one subject again and again, whoever does it."""


def declare(name: str, what: str, *, by_actor: str | None = None, by_subject: str | None = None) -> Act:
    """Make an act known."""
    act = REGISTERED[name] = Act(name, what, by_actor, by_subject)
    return act
