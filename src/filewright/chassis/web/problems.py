"""Refusals that any HTTP API makes, and how every error becomes `application/problem+json` (RFC 9457).

One shape for all: a wrong field, an unknown path, a failed job and a defect of ours look the same to a client.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson
from starlette.responses import Response
from starlette.types import Scope

from filewright.chassis.errors import FieldError, InternalError, ProblemError

PROBLEM_JSON = "application/problem+json"
_TYPE = "urn:filewright:problem:"
_DISK_TROUBLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})


class InvalidRequest(ProblemError):
    code = "invalid_request"
    status = 400
    title = "The request is not right"


class Unauthenticated(ProblemError):
    code = "unauthenticated"
    status = 401
    title = "Who you are could not be established"


class Forbidden(ProblemError):
    code = "forbidden"
    status = 403
    title = "This is not allowed"


class NotFound(ProblemError):
    code = "not_found"
    status = 404
    title = "There is nothing here"


class MethodNotAllowed(InvalidRequest):
    status = 405
    title = "This path does not take that method"


class RequestTimeout(ProblemError):
    """The body came too slowly."""

    code = "timeout"
    status = 408
    title = "The request took too long to arrive"
    retryable = True


class Conflict(ProblemError):
    code = "conflict"
    status = 409
    title = "The present state does not allow this"


class InFlight(Conflict):
    """The first request with this idempotency key is still being answered."""

    title = "The same request is being answered right now"
    retryable = True


class PreconditionFailed(InvalidRequest):
    status = 412
    title = "A condition of the request does not hold"


class BodyTooLarge(ProblemError):
    code = "too_large"
    status = 413
    title = "The request is too large"


class UriTooLong(InvalidRequest):
    status = 414
    title = "The address is too long"


class UnsupportedMediaType(InvalidRequest):
    status = 415
    title = "The body is not of a type that is read here"


class RangeNotSatisfiable(InvalidRequest):
    """Carries the size, which the answer must tell."""

    status = 416
    title = "The range lies outside the file"

    def __init__(self, size: int) -> None:
        super().__init__(f"The file has {size} bytes.")
        self.size = size


class IdempotencyMismatch(ProblemError):
    code = "idempotency_mismatch"
    status = 422
    title = "This idempotency key was used for another request"


class HeadersTooLarge(InvalidRequest):
    status = 431
    title = "The headers are too large"


class ChecksumMismatch(InvalidRequest):
    """The status is tus's own (460 Checksum Mismatch)."""

    status = 460
    title = "The bytes do not match their checksum"


class Overloaded(ProblemError):
    code = "overloaded"
    status = 503
    title = "There is too much to do right now"
    retryable = True


class StorageUnavailable(ProblemError):
    code = "storage_unavailable"
    status = 503
    title = "Files cannot be stored right now"
    retryable = True


def invalid(pointer: str, detail: str) -> InvalidRequest:
    """The refusal of one field."""
    return InvalidRequest(detail, errors=(FieldError(pointer, detail),))


def problem_body(error: ProblemError, *, instance: str, request_id: str) -> dict[str, Any]:
    """The members of the problem document."""
    return {
        "type": _TYPE + error.code,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
        "request_id": request_id,
        "retryable": error.retryable,
        "errors": [{"pointer": item.pointer, "detail": item.detail} for item in error.errors],
    }


def problem_response(error: ProblemError, scope: Scope, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for an error."""
    more = dict(headers or {})
    if error.retry_after is not None:
        more["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    elif error.status == 503:
        more.setdefault("Retry-After", "5")
    if error.status == 401:
        more.setdefault("WWW-Authenticate", "Bearer")
    if isinstance(error, RangeNotSatisfiable):
        more.setdefault("Content-Range", f"bytes */{error.size}")
    body = problem_body(error, instance=instance_of(scope), request_id=request_id_of(scope))
    return Response(orjson.dumps(body), status_code=error.status, headers=more, media_type=PROBLEM_JSON)


def instance_of(scope: Scope) -> str:
    """The path that was asked, as a URI reference."""
    raw: bytes | None = scope.get("raw_path")
    return raw.decode("latin-1") if raw else quote(str(scope.get("path", "/")))


def request_id_of(scope: Scope) -> str:
    """The id that the context middleware gave to the request."""
    return str(scope.get("state", {}).get("request_id", ""))


def as_problem(error: BaseException) -> ProblemError:
    """Any exception as a problem; what is not one of ours is a defect and says nothing about itself."""
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, OSError) and error.errno in _DISK_TROUBLE:
        return StorageUnavailable("There is no room, or no working disk, for what this needs; try again later.")
    return InternalError()
