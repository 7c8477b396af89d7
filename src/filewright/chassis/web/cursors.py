"""Opaque cursors of lists: where the next page begins, in a form that invites no one to build their own.

A cursor is not a secret and gives no right: every list filters by its caller first. It is only checked for shape, so
that a hostile one becomes `invalid_request`.
"""

from __future__ import annotations

import base64
import binascii

from filewright.chassis.ids import is_id
from filewright.chassis.web.problems import invalid

_VERSION = b"1:"


def encode_cursor(last_id: str) -> str:
    """The cursor of the page that follows `last_id`."""
    return base64.urlsafe_b64encode(_VERSION + last_id.encode()).decode().rstrip("=")


def decode_cursor(text: str, prefix: str) -> str:
    """The id inside. Raises InvalidRequest for anything that `encode_cursor` did not make."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        last_id = raw.removeprefix(_VERSION).decode("ascii")
    except (binascii.Error, UnicodeError):
        raise _bad() from None
    if not raw.startswith(_VERSION) or not is_id(last_id, prefix) or encode_cursor(last_id) != text:
        raise _bad()
    return last_id


def _bad() -> Exception:
    return invalid("/cursor", "This is no cursor of ours: pass `next_cursor` of the page before, unchanged.")
