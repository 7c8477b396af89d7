"""HTTP for uploads: tus 1.0.0 for whoever sends `Tus-Resumable`, JSON and one PUT for everybody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from filewright.chassis.db.database import WriteSession
from filewright.chassis.storage.port import SignedRequest
from filewright.chassis.web.body import limited, read_body
from filewright.chassis.web.edge import Edge
from filewright.chassis.web.idempotency import Claim
from filewright.chassis.web.jsonbody import MAX_JSON_BYTES, JsonBody, check, parse_json, require_json
from filewright.chassis.web.openapi import answers, problems
from filewright.chassis.web.problems import InvalidRequest, RequestTimeout
from filewright.chassis.web.scopes import needs
from filewright.converter.artifacts.models import Artifact
from filewright.converter.errors import TooLarge
from filewright.converter.tiers import Caller
from filewright.converter.uploads import tus
from filewright.converter.uploads.models import Upload
from filewright.converter.uploads.recognition import Offers
from filewright.converter.uploads.schemas import NewUpload, UploadEnd, UploadTicket, UploadView
from filewright.converter.uploads.service import Uploads

UploadId = Annotated[str, Path(description="The upload's id, `upl_…`.", examples=["upl_01jd6qx2v7c8e9f0g1h2j3k4m5"])]
_SCOPE = "uploads:write"
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


@dataclass(frozen=True)
class UploadEndpoints:
    """The handlers; `router` says which address each has."""

    edge: Edge[Caller]
    uploads: Uploads
    offers: Offers

    async def discover(self, request: Request) -> Response:
        caller = await self.edge.identify(request)
        return Response(status_code=204, headers=tus.discovery(caller.tier.max_input_bytes))

    async def create(self, request: Request) -> Response:
        caller = await self.edge.identify(request)
        await self.edge.admit(request, caller, 0)
        if tus.is_tus(request):
            return await self._create_tus(request, caller)
        require_json(request)
        raw = await read_body(request, MAX_JSON_BYTES)
        asked = check(NewUpload, parse_json(raw))
        async with self.edge.once(request, caller, raw) as claim:
            if claim.replay:
                return claim.replay.response()
            made: list[Response] = []

            async def keep(session: WriteSession, upload: Upload) -> None:
                made.append(self._ticket(request, upload))
                await claim.keep(session, made[0])

            await self.uploads.create(
                caller, filename=asked.filename, length=asked.bytes, sha256=asked.sha256, within=keep
            )
            return made[0]

    async def show(self, request: Request, upload_id: UploadId) -> Response:
        caller = await self.edge.identify(request)
        return self._view(*await self.uploads.look(caller, upload_id))

    async def put(self, request: Request, upload_id: UploadId) -> Response:
        caller = await self.edge.identify(request)
        upload = await self.uploads.get(caller, upload_id)
        refusal = TooLarge(f"The upload was announced with {upload.length} bytes.")
        done = await self.uploads.replace(caller, upload_id, limited(request, upload.length, refusal))
        return self._view(done, None)

    async def complete(
        self,
        request: Request,
        upload_id: UploadId,
        end: Annotated[UploadEnd, Depends(JsonBody(UploadEnd, optional=True))],
    ) -> Response:
        caller = await self.edge.identify(request)
        async with self.edge.once(request, caller, await read_body(request, MAX_JSON_BYTES)) as claim:
            if claim.replay:
                return claim.replay.response()
            done = await self.uploads.complete(caller, upload_id, end.sha256)
            return await claim.keep_now(self._view(done.upload, done.artifact))

    async def head(self, request: Request, upload_id: str) -> Response:
        tus.require_version(request)
        caller = await self.edge.identify(request)
        upload = await self.uploads.standing(caller, upload_id)
        headers = {**tus.standing(upload), "Upload-Length": str(upload.length)}
        if upload.metadata:
            headers["Upload-Metadata"] = upload.metadata
        return Response(status_code=200, headers=headers)

    async def patch(self, request: Request, upload_id: UploadId) -> Response:
        if not tus.is_tus(request):
            raise HTTPException(405)  # a method of tus alone
        tus.require_version(request)
        tus.require_chunk_type(request)
        offset = tus.number(request, "Upload-Offset")
        caller = await self.edge.identify(request)
        done = await self._append(request, caller, await self.uploads.get(caller, upload_id), offset)
        return Response(status_code=204, headers=tus.standing(done))

    async def delete(self, request: Request, upload_id: UploadId) -> Response:
        if tus.is_tus(request):
            tus.require_version(request)
        caller = await self.edge.identify(request)
        await self.uploads.terminate(caller, upload_id)
        return Response(status_code=204, headers={"Tus-Resumable": tus.VERSION} if tus.is_tus(request) else None)

    async def overridden(self, request: Request, upload_id: UploadId) -> Response:
        """tus: a client behind a proxy that knows no PATCH or DELETE sends POST and says which it means."""
        method = request.headers.get("x-http-method-override", "").upper()
        if method == "PATCH":
            return await self.patch(request, upload_id)
        if method == "DELETE":
            return await self.delete(request, upload_id)
        raise HTTPException(405)

    async def _create_tus(self, request: Request, caller: Caller) -> Response:
        tus.require_version(request)
        if "upload-defer-length" in request.headers:
            raise InvalidRequest("The length must be known: send `Upload-Length`.")
        length = tus.number(request, "Upload-Length")
        header, pairs = tus.metadata(request)
        with_bytes = request.headers.get("content-type", "").strip().lower() == tus.CHUNK_TYPE
        mark = f"{length} {header}".encode()
        async with self.edge.once(request, caller, mark) as claim:
            if claim.replay:
                return claim.replay.response()
            return await self._begin_tus(request, caller, claim, length, header, pairs.get("filename", ""), with_bytes)

    async def _begin_tus(
        self,
        request: Request,
        caller: Caller,
        claim: Claim,
        length: int,
        header: str | None,
        filename: str,
        with_bytes: bool,
    ) -> Response:
        async def keep(session: WriteSession, upload: Upload) -> None:
            # The first answer again is the answer to the creation: where it stands is what HEAD is for.
            await claim.keep(session, _created(upload))

        upload = await self.uploads.create(caller, filename=filename, length=length, metadata=header, within=keep)
        if with_bytes or length == 0:
            upload = await self._append(request, caller, upload, 0)
        return _created(upload)

    async def _append(self, request: Request, caller: Caller, upload: Upload, offset: int) -> Upload:
        body = _Arriving(request, upload.length - offset)
        return await self.uploads.append(
            caller,
            upload.id,
            offset,
            body.pieces(),
            checksum=tus.checksum(request),
            cut_short=lambda: body.cut_short,
        )

    def _ticket(self, request: Request, upload: Upload) -> Response:
        path = f"/v1/uploads/{upload.id}"
        direct = self.uploads.direct(upload) or SignedRequest(
            method="PUT",
            url=self.edge.absolute(request, path),
            headers={"Content-Type": "application/octet-stream"},
            expires_at=upload.expires_at,
        )
        ticket = UploadTicket(
            id=upload.id,
            method=direct.method,
            url=direct.url,
            headers=direct.headers,
            expires_at=min(direct.expires_at, upload.expires_at),
        )
        return _json(ticket.model_dump(mode="json"), 201, {"Location": path})

    def _view(self, upload: Upload, artifact: Artifact | None) -> Response:
        known = artifact.format if artifact else None
        view = UploadView(
            id=upload.id,
            state=upload.state,
            filename=upload.filename,
            bytes=upload.length,
            received=upload.received,
            format=known,
            media_type=artifact.media_type if artifact else None,
            sha256=artifact.sha256 if artifact else None,
            targets=self.offers.targets(known) if known else (),
            suggested_targets=self.offers.suggested(known) if known else (),
            created_at=upload.created_at,
            expires_at=(artifact.expires_at if artifact else None) or upload.expires_at,
        )
        return _json(view.model_dump(mode="json"), 200)


class _Arriving:
    """A body whose beginning is worth keeping: when the client goes, or dawdles, it simply ends."""

    def __init__(self, request: Request, limit: int) -> None:
        self._request = request
        self._limit = limit
        self.cut_short = False

    async def pieces(self) -> AsyncIterator[bytes]:
        refusal = TooLarge("More bytes came than the upload was announced with.")
        try:
            async for piece in limited(self._request, max(self._limit, 0), refusal):
                yield piece
        except (ClientDisconnect, RequestTimeout):
            self.cut_short = True


def router(edge: Edge[Caller], uploads: Uploads, offers: Offers) -> APIRouter:
    """The addresses of uploads."""
    on = UploadEndpoints(edge, uploads, offers)
    routes = APIRouter(prefix="/v1/uploads", tags=["uploads"], route_class=tus.TusRoute)
    add, allowed = routes.add_api_route, needs(_SCOPE)
    add(
        "",
        on.create,
        methods=["POST"],
        operation_id="create_upload",
        summary="Announce an upload (JSON, or tus creation with `Tus-Resumable: 1.0.0`)",
        description="With `Tus-Resumable: 1.0.0` the tus protocol is spoken: `POST` here, then `HEAD`, `PATCH` and "
        "`DELETE` at the `Location` (extensions creation, creation-with-upload, termination, checksum, expiration; "
        "`OPTIONS` tells). Without it: JSON, then one `PUT` to the `url` of the answer, then `complete`. That "
        "`url` may be another host's, where files are stored: send exactly the `headers` of the answer there, no "
        "credentials, and as many bytes as were announced.",
        status_code=201,
        responses=answers(UploadTicket, "Where to send the bytes.", status=201)
        | problems(409, 410, 412, 415, 422, 460),
        openapi_extra=_create_extra(),
    )
    add(
        "/{upload_id}",
        on.show,
        methods=["GET"],
        operation_id="get_upload",
        openapi_extra=allowed,
        summary="Where an upload stands, and what it is once it is complete",
        response_model=None,
        responses=answers(UploadView, "The upload.") | problems(410),
    )
    add(
        "/{upload_id}",
        on.put,
        methods=["PUT"],
        operation_id="put_upload",
        summary="Send all bytes",
        response_model=None,
        responses=answers(UploadView, "The upload.") | problems(409, 410),
        openapi_extra=needs(_SCOPE, requestBody={"required": True, "content": _BYTES}),
    )
    add(
        "/{upload_id}/complete",
        on.complete,
        methods=["POST"],
        operation_id="complete_upload",
        openapi_extra=allowed,
        summary="Say that all bytes were sent",
        response_model=None,
        responses=answers(UploadView, "The upload.") | problems(409, 410, 415, 422),
    )
    add(
        "/{upload_id}",
        on.delete,
        methods=["DELETE"],
        operation_id="delete_upload",
        openapi_extra=allowed,
        summary="Take an upload away (tus termination)",
        status_code=204,
        response_class=Response,
        responses=problems(410, 412),
    )
    # What only tus knows is described by tus: https://tus.io/protocols/resumable-upload
    add("/{upload_id}", on.patch, methods=["PATCH"], include_in_schema=False, openapi_extra=allowed)
    add("/{upload_id}", on.head, methods=["HEAD"], include_in_schema=False, openapi_extra=allowed)
    add("/{upload_id}", on.overridden, methods=["POST"], include_in_schema=False, openapi_extra=allowed)
    for path in ("", "/{upload_id}"):
        add(path, on.discover, methods=["OPTIONS"], include_in_schema=False, openapi_extra=allowed)
    return routes


def _create_extra() -> dict[str, Any]:
    schema = NewUpload.model_json_schema(ref_template="#/components/schemas/{model}")
    return needs(_SCOPE, requestBody={"required": True, "content": {"application/json": {"schema": schema}}})


def _created(upload: Upload) -> Response:
    headers = tus.standing(upload) | {"Location": f"/v1/uploads/{upload.id}"}
    return Response(status_code=201, headers=headers)


def _json(body: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status_code=status, headers=headers, media_type="application/json")
