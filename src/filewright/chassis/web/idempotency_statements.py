"""The statements that every request with a key runs through; see `chassis/db/hot`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, Table, column, func, select

from filewright.chassis.db.base import Json
from filewright.chassis.db.hot import Chain, Look, Speech, given
from filewright.chassis.web.idempotency_model import IdempotencyRow

_KEYS = cast("Table", IdempotencyRow.__table__)
_TOLD = ("tenant", "key", "fingerprint", "claim", "resource", "status", "headers", "body")


def _known(speech: Speech) -> Select[Any]:
    late = (_KEYS.c.claimed_until <= speech.now).label("late")
    return select(*_KEYS.c, late).where(speech.among_pairs((_KEYS.c.tenant, _KEYS.c.key), "named"))


KNOWN = Look(_known)
"""What there is of these keys (`named`: pairs of tenant and key); `late`: whether whoever was to answer is dead."""


def _moments(speech: Speech) -> dict[str, ColumnElement[datetime]]:
    return {
        "claimed_until": speech.after("claimed_for"),
        "created_at": speech.now,
        "expires_at": speech.after("kept_for"),
    }


def _take(speech: Speech) -> Any:
    told = {name: given(f"new_{name}", _KEYS.c[name].type) for name in _TOLD}
    row = speech.insert(_KEYS).values(**told, **_moments(speech))
    return row.on_conflict_do_nothing(index_elements=["tenant", "key"]).returning(_KEYS.c.key)


TAKE = Chain(_take)
"""A key with what is to be kept of it (`new_…`), unless it is there already."""


def in_json(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row of `TAKE_ALL`: JSON knows no bytes."""
    return {**row, "body": "\\x" + row["body"].hex()}


def _take_all(speech: Speech) -> Any:
    columns = [column(name, _KEYS.c[name].type) for name in _TOLD]
    told = func.jsonb_to_recordset(given("taken", Json)).table_valued(*columns).render_derived(with_types=True)
    rows, moments = select(*told.c, *_moments(speech).values()), list(_moments(speech))
    put = speech.insert(_KEYS).from_select([*_TOLD, *moments], rows, include_defaults=False)
    return put.on_conflict_do_nothing(index_elements=["tenant", "key"]).returning(_KEYS.c.key)


TAKE_ALL = Chain(_take_all, last=lambda moved, _speech: select(func.count().label("count")).select_from(moved))
"""These keys (`taken`: rows `in_json`), but for those that are there already; tells how many it were. For PostgreSQL
only."""
