"""The statements that every upload runs through; see `chassis/db/hot`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    String,
    Table,
    Text,
    and_,
    insert,
    literal,
    null,
    select,
    true,
    update,
)

from filewright.chassis.db.hot import Chain, Change, Look, Speech, given
from filewright.converter.artifacts.models import ArtifactRow, FileHashRow
from filewright.converter.uploads.models import UploadRow, UploadState

_UPLOADS = cast("Table", UploadRow.__table__)
_ARTIFACTS = cast("Table", ArtifactRow.__table__)
_CONTENTS = cast("Table", FileHashRow.__table__)
_ANNOUNCED = ("id", "tenant", "filename", "length", "expected_sha256", "metadata_header")


def _found(speech: Speech, *which: ColumnElement[bool]) -> Select[Any]:
    late = and_(_UPLOADS.c.state == UploadState.RECEIVING, _UPLOADS.c.expires_at < speech.now)
    file = (column.label(f"its_{column.name}") for column in _ARTIFACTS.c)
    return (
        select(*_UPLOADS.c, late.label("late"), *file)
        .outerjoin(
            _ARTIFACTS, and_(_ARTIFACTS.c.id == _UPLOADS.c.artifact_id, _ARTIFACTS.c.tenant == _UPLOADS.c.tenant)
        )
        .where(_UPLOADS.c.state != UploadState.TERMINATED, *which)
    )


UPLOAD = Look(
    lambda speech: _found(
        speech, _UPLOADS.c.id == given("of_upload", String()), _UPLOADS.c.tenant == given("of_tenant", String())
    )
)
"""The upload `of_upload`, if it is the upload of `of_tenant`; whether it is `late`; and its artifact (`its_…`)."""
UPLOADS = Look(lambda speech: _found(speech, speech.among(_UPLOADS.c.id, "of_uploads")))
"""The same of these uploads (`of_uploads`), whosever they are."""


def _announce(speech: Speech) -> Any:
    values: dict[str, Any] = {name: given(f"new_{name}", _UPLOADS.c[name].type) for name in _ANNOUNCED}
    return (
        insert(_UPLOADS)
        .values(
            **values,
            state=UploadState.RECEIVING.value,
            received=0,
            revision=0,
            parts=given("no_parts", _UPLOADS.c.parts.type),
            created_at=speech.now,
            expires_at=speech.after("lifetime"),
        )
        .returning(*_UPLOADS.c)
    )


ANNOUNCE = Chain(_announce)
"""A new upload that has received nothing yet, for as long as `lifetime`."""


def _go_on(speech: Speech) -> Any:
    guard = (
        _UPLOADS.c.id == given("of_upload", String()),
        _UPLOADS.c.revision == given("of_revision", _UPLOADS.c.revision.type),
        _UPLOADS.c.state == UploadState.RECEIVING.value,
    )
    told = ("parts", "received", "length", "state", "artifact_id")
    values: dict[str, Any] = {name: given(f"its_{name}", _UPLOADS.c[name].type) for name in told}
    changed = update(_UPLOADS).where(*guard).values(**values, revision=_UPLOADS.c.revision + 1)
    return changed.returning(_UPLOADS.c.id, speech.now.label("at"))


GO_ON = Chain(_go_on)
"""What the upload holds now, and its state; only if it is receiving and was not changed since (`of_revision`). Tells
`at`.
"""


# --- what its tenant has already (`repeats.py`) ------------------------------------------------------------------

_OF_CONTENT = (
    _CONTENTS.c.tenant == given("of_tenant", String()),
    _CONTENTS.c.sha256 == given("of_sha256", String()),
)
CONTENT = Look(lambda _: select(_CONTENTS.c.parts).where(*_OF_CONTENT))
"""What that content of `of_tenant` consists of."""
_COUNTED = ("tenant", "sha256", "parts", "bytes")


def _counted(_speech: Speech) -> Any:
    """One more user, of what has one."""
    counted = update(_CONTENTS).where(*_OF_CONTENT).values(uses=_CONTENTS.c.uses + 1)
    return counted.returning(*(_CONTENTS.c[name] for name in _COUNTED))


def _file_again(moved: FromClause, speech: Speech) -> dict[str, ColumnElement[Any]]:
    told = ("id", "filename", "media_type", "format", "load")
    return {
        **{name: given(f"file_{name}", _ARTIFACTS.c[name].type) for name in told},
        **{name: moved.c[name] for name in _COUNTED},
        "created_at": speech.now,
        "expires_at": speech.after("retention"),
        "erased_at": null(),
        "shared": true(),
    }


def _upload_again(moved: FromClause, speech: Speech) -> dict[str, ColumnElement[Any]]:
    return {
        "id": given("upload_id", String()),
        "tenant": moved.c.tenant,
        "state": literal(UploadState.COMPLETE.value),
        "filename": given("file_filename", Text()),
        "length": moved.c.bytes,
        "received": moved.c.bytes,
        "parts": given("no_parts", _UPLOADS.c.parts.type),
        "expected_sha256": null(),
        "revision": literal(1),
        "metadata_header": null(),
        "artifact_id": given("file_id", String()),
        "created_at": speech.now,
        "expires_at": speech.after("lifetime"),
    }


def _told_again(moved: FromClause, speech: Speech) -> Select[Any]:
    upload, file = _upload_again(moved, speech), _file_again(moved, speech)
    its = (value.label(f"its_{name}") for name, value in file.items())
    return select(*(value.label(name) for name, value in upload.items()), *its).select_from(moved)


def _row_of(table: Table, values: Mapping[str, ColumnElement[Any]], moved: FromClause) -> Change:
    row = select(*values.values()).select_from(moved)
    return insert(table).from_select(list(values), row, include_defaults=False)


TAKE_AGAIN = Chain(
    _counted,
    [
        lambda moved, speech: _row_of(_ARTIFACTS, _file_again(moved, speech), moved),
        lambda moved, speech: _row_of(_UPLOADS, _upload_again(moved, speech), moved),
    ],
    _told_again,
)
"""An upload that is complete, and the artifact `file_id`, of that content: if it is there, one more consists of it.

Tells the upload, and the artifact (`its_…`).
"""
