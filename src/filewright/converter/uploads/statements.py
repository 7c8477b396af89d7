"""The statements that every upload runs through; see `chassis/db/hot.py`."""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import ColumnElement, Select, String, Table, and_, insert, select

from filewright.chassis.db.hot import Chain, Look, Speech, given
from filewright.converter.artifacts.models import ArtifactRow
from filewright.converter.uploads.models import UploadRow, UploadState

_UPLOADS = cast("Table", UploadRow.__table__)
_ARTIFACTS = cast("Table", ArtifactRow.__table__)
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
