"""The statement that accepts several jobs of one owner: as `accepting.py` does one, for PostgreSQL only.

To plan and commit that statement costs the database more than to run it, and each trip costs this process about as much
as all else that an order needs. So orders that wait for one another go together (`gathering.py`). They come as one JSON
text (`chassis/db/bulk.py`), and are of the plain kind: one input, nothing to be sealed, and of one tier, so that what
its owner may have is the same for all of them.

How many there is room for is decided as for one after the other: of those whose file is there, the k-th is accepted if
k - 1 more unfinished jobs than there are would leave room for it. Those that it is not accepted for are left to be
refused one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    String,
    Subquery,
    TableValuedAlias,
    case,
    column,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.types import TypeEngine

from filewright.chassis.db.base import Json
from filewright.chassis.db.hot import Chain, Change, Speech, given
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.jobs.models import JobInputRow, JobRow
from filewright.converter.jobs.statements import accepting
from filewright.converter.jobs.statements.parts import event, place, rows_into, table_of, to_come
from filewright.converter.jobs.states import Actor

_JOBS, _INPUTS, _ARTIFACTS = table_of(JobRow), table_of(JobInputRow), table_of(ArtifactRow)
_OF_ALL = ("limits", "included", "lane")
"""What the tier says."""
_OF_EACH = tuple(name for name in accepting.ORDERED if name not in _OF_ALL)
_COLUMNS: Mapping[str, TypeEngine[Any]] = {
    "n": Integer(),
    "of_artifact": String(),
    "wanted": String(),
    **{f"job_{name}": _JOBS.c[name].type for name in _OF_EACH},
    **{f"input_{name}": _INPUTS.c[name].type for name in accepting.SOURCE},
}


def gathered(orders: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The values of these statements, from those of `accepting.ACCEPT` for each of the orders."""
    of_each = [{"n": n, **{name: order[name] for name in _COLUMNS if name != "n"}} for n, order in enumerate(orders)]
    return {**{name: value for name, value in orders[0].items() if name not in _COLUMNS}, "orders": of_each}


def _orders() -> TableValuedAlias:
    columns = [column(name, kind) for name, kind in _COLUMNS.items()]
    return func.jsonb_to_recordset(given("orders", Json)).table_valued(*columns).render_derived(with_types=True)


def _readable() -> Subquery:
    """Those whose file is there, and of each how many such come before it."""
    asked = _orders()
    before = func.row_number().over(order_by=asked.c.n) - 1
    there = (
        _ARTIFACTS.c.tenant == accepting.OF_TENANT,
        _ARTIFACTS.c.erased_at.is_(None),
        accepting.is_still_offered(asked.c.input_upload_id),
    )
    joined = asked.join(_ARTIFACTS, _ARTIFACTS.c.id == asked.c.of_artifact)
    return select(*asked.c, before.label("before")).select_from(joined).where(*there).subquery("readable")


def _insert_jobs(speech: Speech, *, at_once: bool) -> Any:
    asked, of_all = _readable(), to_come(_JOBS, "job", *_OF_ALL)
    most, included = given("most", Integer()), of_all["included"]
    unfinished = accepting.unfinished() + asked.c.before
    left = case((included > accepting.used(speech), included - accepting.used(speech)), else_=0)
    values: dict[str, ColumnElement[Any]] = {
        **{name: asked.c[f"job_{name}"] for name in _OF_EACH},
        **of_all,
        **accepting.fresh(speech),
        "queued_at": accepting.turn(speech, asked.c.before),
    }
    row = select(*(value.label(name) for name, value in values.items())).where(
        ~accepting.known(speech, asked.c.wanted).exists(),
        or_(most.is_(None), unfinished < most),
        or_(included.is_(None), unfinished < left + accepting.credits_left()),
    )
    if at_once:
        row = row.where(accepting.gate_was_free(speech))
    return rows_into(_JOBS, list(values), row).returning(*(_JOBS.c[name] for name in accepting.RETURNED))


def _insert_inputs(moved: FromClause, _speech: Speech) -> Change:
    asked = _orders()
    source = {name: asked.c[f"input_{name}"] for name in accepting.SOURCE}
    row = select(moved.c.id, literal(0), moved.c.tenant, asked.c.of_artifact, *source.values())
    row = row.select_from(moved.join(asked, asked.c.job_id == moved.c.id))
    return rows_into(_INPUTS, ["job_id", "n", "tenant", "artifact_id", *source], row)


def _keep_artifacts(moved: FromClause, speech: Speech) -> Change:
    asked, until = _orders(), speech.after("kept_for")
    taken = select(asked.c.of_artifact).select_from(moved.join(asked, asked.c.job_id == moved.c.id))
    wanted = (_ARTIFACTS.c.id.in_(taken), _ARTIFACTS.c.expires_at < until)
    return update(_ARTIFACTS).where(*wanted).values(expires_at=until)


def _with_their_places(moved: FromClause, speech: Speech) -> Select[Any]:
    """Behind what was there when the statement began, and behind one another."""
    before = func.row_number().over(order_by=(moved.c.queued_at, moved.c.id)) - 1
    at = place(moved, speech) + before
    return select(moved.c.id, moved.c.created_at, at.label("place"))


def _accept(*, at_once: bool) -> Chain:
    return Chain(
        partial(_insert_jobs, at_once=at_once),
        [event(None, Actor.CALLER), accepting.hint, _insert_inputs, _keep_artifacts],
        _with_their_places,
    )


ACCEPT_MANY = _accept(at_once=False)
"""As `accepting.ACCEPT`, for all of `orders` that there is room for; tells the `id` of each as well."""
ACCEPT_MANY_AT_ONCE = _accept(at_once=True)
"""As `accepting.ACCEPT_AT_ONCE`."""
