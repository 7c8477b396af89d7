"""What counts as an e-mail address, and as the same one."""

from __future__ import annotations

import re

from filewright.chassis.web.problems import invalid

MAX_CHARS = 254
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS = re.compile(rf"[a-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*")
"""What a browser's own field for addresses accepts (WHATWG HTML), in lower case: nothing in it can break a header."""


def folded(untrusted: str) -> str:
    """The address as it is kept: capitals make no other person. Raises InvalidRequest for what is none."""
    address = untrusted.strip().lower()
    if len(address) > MAX_CHARS or _ADDRESS.fullmatch(address) is None:
        raise invalid("/email", "This is no e-mail address; write it like name@example.com, in plain letters.")
    return address
