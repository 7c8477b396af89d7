"""The statements that every request with a key runs through; see `chassis/db/hot.py`."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Select, Table, select

from filewright.chassis.db.hot import Chain, Look, Speech, given
from filewright.chassis.web.idempotency_model import IdempotencyRow

_KEYS = cast("Table", IdempotencyRow.__table__)
_TOLD = ("tenant", "key", "fingerprint", "claim", "resource", "status", "headers", "body")


def _known(speech: Speech) -> Select[Any]:
    late = (_KEYS.c.claimed_until <= speech.now).label("late")
    return select(*_KEYS.c, late).where(speech.among_pairs((_KEYS.c.tenant, _KEYS.c.key), "named"))


KNOWN = Look(_known)
"""What there is of these keys (`named`: pairs of tenant and key); `late`: whether whoever was to answer is dead."""


def _take(speech: Speech) -> Any:
    told = {name: given(f"new_{name}", _KEYS.c[name].type) for name in _TOLD}
    moments = {
        "claimed_until": speech.after("claimed_for"),
        "created_at": speech.now,
        "expires_at": speech.after("kept_for"),
    }
    row = speech.insert(_KEYS).values(**told, **moments)
    return row.on_conflict_do_nothing(index_elements=["tenant", "key"]).returning(_KEYS.c.key)


TAKE = Chain(_take)
"""A key with what is to be kept of it (`new_…`), unless it is there already."""
