"""What the database may tell the rest of the program, beyond its answers.

ProblemError
└── DatabaseUnavailable       wait and try again; nothing was written
"""

from __future__ import annotations

from filewright.chassis.errors import ProblemError


class DatabaseUnavailable(ProblemError):
    """The database is down, full, or stayed busy past every retry. The unit of work was rolled back.

    One exception: when the connection broke while the commit was under way, it may have been written. The unit of
    work must then be read back, or be safe to repeat.
    """

    code = "storage_unavailable"
    status = 503
    title = "The service cannot reach its database at the moment; please try again shortly"
    retryable = True

    def __init__(self, detail: str | None = None, *, retry_after: float = 2.0) -> None:
        super().__init__(detail, retry_after=retry_after)
