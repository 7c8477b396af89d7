"""What is kept of the caller, over HTTP: all of it as a ZIP, and that it be erased."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from filewright.chassis.ids import is_id
from filewright.chassis.web.downloads import DOWNLOAD_HEADERS
from filewright.chassis.web.edge import Edge
from filewright.chassis.web.openapi import answers, described, problems
from filewright.chassis.web.problems import NotFound
from filewright.chassis.web.scopes import PUBLIC, needs
from filewright.converter.privacy.erasing import Erasure, Erasures
from filewright.converter.privacy.exporting import Exports
from filewright.converter.privacy.models import ERASURE_PREFIX
from filewright.converter.tiers import Caller

_LOOK_AGAIN = "2"
_EXAMPLE: dict[str, Any] = {
    "id": "ers_01jd6qx2v7c8e9f0g1h2j3k4m5",
    "status": "done",
    "requested_at": "2026-01-02T12:05:00Z",
    "finished_at": "2026-01-02T12:05:04Z",
    "certificate": {
        "statement": {
            "erasure": "ers_01jd6qx2v7c8e9f0g1h2j3k4m5",
            "subject": "8d1c2f3e4a5b60718293a4b5c6d7e8f9",
            "requested_at": "2026-01-02T12:05:00+00:00",
            "finished_at": "2026-01-02T12:05:04+00:00",
            "objects_deleted": 12,
            "rows_deleted": {"jobs": 6, "uploads": 6},
            "key_destroyed": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
            "kept": {"erasures": "The proof of an erasure."},
        },
        "algorithm": "Ed25519",
        "public_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "signature": "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    },
    "links": {"self": "/v1/erasures/ers_01jd6qx2v7c8e9f0g1h2j3k4m5"},
}


class ErasureShown(BaseModel):
    """An erasure: under way, or done with a certificate."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: Annotated[str, Field(description="Keep it: it is all that is needed to look at the erasure.")]
    status: Literal["running", "done"]
    requested_at: datetime
    finished_at: datetime | None
    certificate: Annotated[
        Mapping[str, Any] | None,
        Field(
            description="What was erased, signed: `signature` is over the statement as JSON, keys sorted, no spaces."
        ),
    ]
    links: Mapping[str, str]


ErasureId = Annotated[str, Path(description="As `DELETE /v1/me` gave it.", examples=["ers_01jd6qx2v7c8e9f0g1h2j3k4m5"])]


def router(edge: Edge[Caller], erasures: Erasures, exports: Exports) -> APIRouter:
    """The addresses."""
    routes = APIRouter(prefix="/v1", tags=["account"])

    async def export(request: Request) -> Response:
        caller = await edge.identify(request)
        headers = {**DOWNLOAD_HEADERS, "Content-Disposition": 'attachment; filename="filewright-export.zip"'}
        whole = await exports.order(caller.tenant, actor=caller.actor)
        return StreamingResponse(whole, headers=headers, media_type="application/zip")

    async def erase(request: Request) -> Response:
        caller = await edge.identify(request)
        return _response(await erasures.order(caller.tenant, actor=caller.actor), status=202)

    async def erasure(erasure_id: ErasureId) -> Response:
        found = await erasures.get(erasure_id) if is_id(erasure_id, ERASURE_PREFIX) else None
        if found is None:
            raise NotFound
        return _response(found)

    routes.add_api_route(
        "/me/export",
        export,
        methods=["GET"],
        operation_id="export_account",
        summary="All that is kept of the caller, as a ZIP: rows as JSON lines, and files",
        responses=described(200, "A ZIP file.", {"application/zip": {"schema": {"type": "string", "format": "binary"}}})
        | problems(401, 403),
        openapi_extra=needs("account:read"),
    )
    routes.add_api_route(
        "/me",
        erase,
        methods=["DELETE"],
        operation_id="erase_account",
        summary="Erase all that is kept of the caller: key, files and rows; look for the certificate at `Location`",
        status_code=202,
        responses=answers(ErasureShown, "It is ordered, and will be carried out.", status=202) | problems(401, 403),
        openapi_extra=needs("account:write"),
    )
    routes.add_api_route(
        "/erasures/{erasure_id}",
        erasure,
        methods=["GET"],
        operation_id="get_erasure",
        summary="How far an erasure is, and its certificate; whoever knows its id may look, without a token",
        responses=answers(ErasureShown, "The erasure.") | problems(404),
        openapi_extra=dict(PUBLIC),
    )
    return routes


def _response(erasure: Erasure, *, status: int = 200) -> Response:
    path = f"/v1/erasures/{erasure.id}"
    shown = ErasureShown(
        id=erasure.id,
        status="done" if erasure.done else "running",
        requested_at=erasure.requested_at,
        finished_at=erasure.finished_at,
        certificate=erasure.certificate,
        links={"self": path},
    )
    later = {} if erasure.done else {"Retry-After": _LOOK_AGAIN}
    headers = {"Location": path, **later} if status == 202 else later
    return Response(shown.model_dump_json(), status, headers=headers, media_type="application/json")
