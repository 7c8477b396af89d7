"""The OpenAPI document: what FastAPI derives, corrected to what is really answered.

FastAPI does not know our JSON bodies (they are read by a dependency), promises its own 422 for wrong fields, and says
nothing of problems. Here each operation gets its body, its problems, and the headers that every answer carries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from filewright.chassis.web.jsonbody import JsonBody
from filewright.chassis.web.problems import PROBLEM_JSON
from filewright.chassis.web.scopes import BEARER

_REF = "#/components/schemas/{model}"

_SENTENCES: Mapping[int, str] = {
    400: "A field, header or parameter is not right; `errors` points at each.",
    401: "The token is missing, wrong or worn out.",
    402: "The conversions of this month are spent, and there are no credits.",
    403: "Not allowed.",
    404: "There is nothing here, or it is not yours.",
    405: "This path does not take that method.",
    406: "None of the offered types is acceptable.",
    408: "The request came too slowly.",
    409: "The present state does not allow this, or the same request is being answered (`Retry-After`).",
    410: "The files are gone.",
    412: "The version of the protocol, or a condition, does not hold.",
    413: "Too large.",
    414: "The address is too long.",
    415: "The body, or the file in it, is of a type that is not supported.",
    416: "The range lies outside the file.",
    422: "The file is the problem, or the idempotency key belongs to another request.",
    429: "Too much or too fast; wait as long as `Retry-After` says.",
    431: "The headers are too large.",
    460: "The bytes do not match their checksum.",
    500: "A defect of ours, or of a conversion program.",
    503: "Overloaded, or something we need is down; wait as long as `Retry-After` says.",
}


class ProblemField(BaseModel):
    """One wrong field."""

    pointer: str = Field(description="RFC 6901 JSON pointer into the request.")
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details; `code` is stable, `detail` is for people."""

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    instance: str
    code: str
    request_id: str
    retryable: bool = Field(description="Whether the same request may succeed later.")
    errors: list[ProblemField]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation: these problems."""
    example = {
        "type": "urn:filewright:problem:not_found",
        "title": "There is nothing here",
        "status": 404,
        "detail": "There is nothing here",
        "instance": "/v1/jobs/job_01jd6qx2v7c8e9f0g1h2j3k4m5",
        "code": "not_found",
        "request_id": "req_5d0c6e7c9f0b4f4bb0d6c8f6a4c2f1aa",
        "retryable": False,
        "errors": [],
    }
    content: dict[str, Any] = {"schema": {"$ref": _REF.format(model="Problem")}}
    found: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        shown = {"examples": {"problem": {"value": example}}} if status == 404 else {}
        found[status] = {"description": _SENTENCES[status], "content": {PROBLEM_JSON: content | shown}}
    return found


def answers(model: type[BaseModel], description: str, *, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation: this model."""
    return {status: {"model": model, "description": description}}


def described(
    status: int, description: str, content: Mapping[str, Any] | None = None
) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation: anything else."""
    return {status: {"description": description} | ({"content": dict(content)} if content is not None else {})}


def install(app: FastAPI, *, always: Iterable[int], description: str) -> None:
    """Make `app.openapi()` give the corrected document. Every operation may answer the problems in `always`."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, routes=app.routes, description=description)
            _correct(document, [route for route in app.routes if isinstance(route, APIRoute)], tuple(always))
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's documented way to replace it


def _correct(document: dict[str, Any], routes: list[APIRoute], always: tuple[int, ...]) -> None:
    components = document.setdefault("components", {})
    components["securitySchemes"] = {
        BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "an access token (JWT) or an API key"}
    }
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    models: list[type[BaseModel]] = [body.model for route in routes if (body := _json_body(route)) is not None]
    wanted: list[tuple[Any, Literal["validation"]]] = [(model, "validation") for model in (*models, Problem)]
    _, definitions = models_json_schema(wanted, ref_template=_REF)
    schemas.update(definitions["$defs"])
    for route in routes:
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                _complete(operation, route, always)


def _complete(operation: dict[str, Any], route: APIRoute, always: tuple[int, ...]) -> None:
    responses = operation["responses"]
    if 422 not in route.responses:
        responses.pop("422", None)
    for status, problem in problems(*always).items():
        responses.setdefault(str(status), problem)
    body = _json_body(route)
    if body is not None:
        schema = {"$ref": _REF.format(model=body.model.__name__)}
        operation["requestBody"] = {
            "required": not body.optional,
            "content": {"application/json": {"schema": schema}},
        }


def _json_body(route: APIRoute) -> JsonBody[Any] | None:
    for dependency in route.dependant.dependencies:
        if isinstance(dependency.call, JsonBody):
            return dependency.call
    return None
