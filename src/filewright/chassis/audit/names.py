"""What stands in the log for somebody whom no id stands for: a keyed mark, the same for the same one.

A row outlives whoever it is about, so it holds no address in clear, neither of a network nor for mail. With the mark
one can still find all rows of one network, when one knows which; without the server's secret it says nothing.
"""

from __future__ import annotations

import hmac

from filewright.chassis.sealing import derived

NETWORK = "ip:"
"""How the name of a stranger begins, whose network follows."""
EMAIL = "email:"
_MARKS = {NETWORK: "net:", EMAIL: "mail:"}
_HEX = 32


class Names:
    """Makes the marks under a key that follows from the server's secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = derived(secret, "filewright audit names")

    def mark(self, name: str) -> str:
        """The name itself when it is an id, or a word of ours; else its mark."""
        for begin, mark in _MARKS.items():
            if name.startswith(begin):
                return mark + hmac.digest(self._key, name.encode(), "sha256").hex()[:_HEX]
        return name
