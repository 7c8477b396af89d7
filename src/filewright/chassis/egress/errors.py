"""Why a call to the outside did not happen, or came to nothing.

What is told never depends on what a forbidden address would have answered: it is judged before anything is sent.
"""

from __future__ import annotations

from filewright.chassis.errors import ProblemError


class SourceForbidden(ProblemError):
    """The address may not be reached from here. Nothing was sent to it."""

    code = "source_forbidden"
    status = 422
    title = "This address may not be reached from here"


class SourceFailed(SourceForbidden):
    """The address may be reached, and whoever is there did not do what was asked."""

    title = "Nothing useful came from this address"
    retryable = True
