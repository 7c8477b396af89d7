"""Fonts over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel

from filewright.chassis.db.database import WriteSession
from filewright.chassis.web.cursors import decode_cursor, encode_cursor
from filewright.chassis.web.edge import Edge
from filewright.chassis.web.idempotency import idempotency_key
from filewright.chassis.web.multipart import FilePart, read_form
from filewright.chassis.web.openapi import answers, problems
from filewright.chassis.web.scopes import needs
from filewright.converter.artifacts.models import Artifact
from filewright.converter.errors import TooLarge
from filewright.converter.fonts.models import FONT_PREFIX, FontRow
from filewright.converter.fonts.schemas import Font, FontPage, shown, shown_page
from filewright.converter.fonts.service import MAX_PAGE, Fonts
from filewright.converter.tiers import Caller
from filewright.converter.uploads.completing import Completed
from filewright.converter.uploads.service import Uploads

_READ, _WRITE = "fonts:read", "fonts:write"
FontId = Annotated[str, Path(description="The font's id, `fnt_…`.", examples=["fnt_01jd6qx2v7c8e9f0g1h2j3k4m5"])]
_FORM: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "string", "format": "binary", "description": "TTF, OTF, TTC, WOFF or WOFF2."}
                },
            }
        }
    },
}


@dataclass(frozen=True)
class FontEndpoints:
    """The handlers; `router` says which address each has."""

    edge: Edge[Caller]
    fonts: Fonts
    uploads: Uploads

    async def add(self, request: Request) -> Response:
        idempotency_key(request)  # a key that is none is refused before a byte is read
        caller = await self.edge.identify(request)
        self.fonts.check_allowed(caller)
        await self.edge.admit(request, caller, 0)
        arrived: list[Completed] = []
        try:
            file = await self._receive(request, caller, arrived)
            content = (file.artifact.sha256.encode(), file.artifact.filename.encode())
            async with self.edge.once(request, caller, *content) as claim:
                if claim.replay:
                    return claim.replay.response()

                async def keep(session: WriteSession, row: FontRow) -> None:
                    await claim.keep(session, _answer(row, file.artifact))

                row = await self.fonts.add(caller, file.artifact, within=keep)
                if row.artifact_id == file.artifact.id:
                    arrived.clear()  # the file is the font's now
                return _answer(row, file.artifact)
        finally:
            for unwanted in arrived:
                await self.uploads.terminate(caller, unwanted.upload.id)

    async def _receive(self, request: Request, caller: Caller, arrived: list[Completed]) -> Completed:
        async def receive_file(part: FilePart, pieces: AsyncIterator[bytes], _before: Mapping[str, str]) -> Completed:
            arrived.append(await self.uploads.receive(caller, part.filename or "font", pieces))
            return arrived[-1]

        limit = min(caller.tier.max_fonts_bytes, caller.tier.max_input_bytes)
        too_large = TooLarge(f"The font is larger than the {limit} bytes that are allowed.")
        form = await read_form(
            request,
            file_field="file",
            fields={},
            receive_file=receive_file,
            max_file_bytes=limit,
            too_large=too_large,
        )
        return form.file

    async def page(
        self,
        request: Request,
        cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
    ) -> Response:
        caller = await self.edge.identify(request)
        after = decode_cursor(cursor, FONT_PREFIX) if cursor is not None else None
        rows, room = await self.fonts.page(caller, after=after, limit=limit + 1)
        more = encode_cursor(rows[limit - 1].id) if len(rows) > limit else None
        return _json(shown_page(rows[:limit], more, room, caller.tier))

    async def show(self, request: Request, font_id: FontId) -> Response:
        caller = await self.edge.identify(request)
        return _json(shown(await self.fonts.get(caller, font_id)))

    async def delete(self, request: Request, font_id: FontId) -> Response:
        caller = await self.edge.identify(request)
        await self.fonts.delete(caller, font_id)
        return Response(status_code=204)


def router(edge: Edge[Caller], fonts: Fonts, uploads: Uploads) -> APIRouter:
    """The addresses of fonts."""
    on = FontEndpoints(edge, fonts, uploads)
    routes = APIRouter(prefix="/v1/fonts", tags=["fonts"])
    routes.add_api_route(
        "",
        on.add,
        methods=["POST"],
        operation_id="add_font",
        summary="Bring a font for your documents",
        description="A TTF, OTF, TTC, WOFF or WOFF2 file. Every job that begins afterwards has it, beside the fonts "
        "that are here for all; nobody else's has. The same bytes again are the same font (200). What the maker of a "
        "font keeps out of documents (`fsType`) is refused with `font_not_embeddable`. Results from before are not "
        "given again.",
        status_code=201,
        response_class=Response,
        responses=answers(Font, "It is there.", status=201)
        | answers(Font, "It was there already.")
        | problems(403, 409, 413, 415, 422, 503),
        openapi_extra=needs(_WRITE, requestBody=_FORM),
    )
    routes.add_api_route(
        "",
        on.page,
        methods=["GET"],
        operation_id="list_fonts",
        summary="Own fonts, newest first",
        responses=answers(FontPage, "One page."),
        openapi_extra=needs(_READ),
    )
    routes.add_api_route(
        "/{font_id}",
        on.show,
        methods=["GET"],
        operation_id="get_font",
        summary="A font",
        responses=answers(Font, "The font."),
        openapi_extra=needs(_READ),
    )
    routes.add_api_route(
        "/{font_id}",
        on.delete,
        methods=["DELETE"],
        operation_id="delete_font",
        summary="Take a font away: jobs that begin afterwards do not have it",
        status_code=204,
        response_class=Response,
        responses={204: {"description": "Taken away."}},
        openapi_extra=needs(_WRITE),
    )
    return routes


def _answer(row: FontRow, sent: Artifact) -> Response:
    status = 201 if row.artifact_id == sent.id else 200
    return _json(shown(row), status, {"Location": f"/v1/fonts/{row.id}"})


def _json(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(model.model_dump_json(), status, headers, media_type="application/json")
