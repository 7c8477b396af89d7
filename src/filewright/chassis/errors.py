"""The root of every error a caller may see, in the words of RFC 9457 (problem details).

    ProblemError
    ├── converter.errors.*            what the product refuses, one class per stable code
    └── chassis.web.problems.*        what any HTTP API refuses (invalid_request, conflict, ...)

A problem has a stable `code`, an HTTP status, and a detail that says what failed, why, and what to do. The detail
is shown to strangers: it never holds a path, a version or a stack trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """One wrong field: `pointer` is an RFC 6901 JSON pointer into the request, `detail` says what would be right."""

    pointer: str
    detail: str


class ProblemError(Exception):
    """An error with a stable code. Subclasses set the class variables; instances carry the detail.

    `retryable` tells the caller whether the same request can succeed later; `retry_after` (seconds) says when.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong on our side"
    retryable: ClassVar[bool] = False

    def __init__(
        self, detail: str | None = None, *, errors: tuple[FieldError, ...] = (), retry_after: float | None = None
    ) -> None:
        self.detail = detail or self.title
        self.errors = errors
        self.retry_after = retry_after
        super().__init__(self.detail)


class InternalError(ProblemError):
    """A defect of ours. The detail is generic; the log has the rest, under the request id."""
