"""Which passwords may be chosen: long enough, and not among those that everybody tries first.

No rule asks for capitals or digits, none for a change now and then: both make people choose worse ones (NIST 800-63B).
"""

from __future__ import annotations

import asyncio

from filewright.chassis.identity.known_passwords import KnownPasswords
from filewright.chassis.web.problems import invalid

LEAST_CHARS = 8
MOST_CHARS = 256
_TOO_CLOSE = "filewright"


class Choosing:
    """Says yes or no to a password that somebody wants."""

    def __init__(self, known: KnownPasswords) -> None:
        self._known = known

    async def check(self, password: str, email: str, pointer: str = "/password") -> None:
        """Raises InvalidRequest with what would be right. The password is taken as it was typed, to the letter."""
        if len(password) < LEAST_CHARS:
            raise invalid(pointer, f"A password has {LEAST_CHARS} characters or more; a few words in a row are good.")
        if len(password) > MOST_CHARS:
            raise invalid(pointer, f"A password has at most {MOST_CHARS} characters.")
        if password.lower() in {email, email.partition("@")[0], _TOO_CLOSE} or len(set(password)) < 3:
            raise invalid(pointer, "This password is guessed at once; take one that has nothing to do with you.")
        if await asyncio.to_thread(self._known.has, password):
            raise invalid(pointer, "This password is known from breaches and tried first; take another one.")
