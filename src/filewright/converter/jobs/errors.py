"""What the job feature refuses beyond the errors of a conversion.

ProblemError
├── ConcurrencyLimited        the tenant has as many unfinished jobs as its tier allows; wait for one to end
└── QuotaExceeded             the month's conversions are spent, and there are no credits; buy some, or wait
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filewright.chassis.errors import InternalError, ProblemError
from filewright.chassis.web.problems import StorageUnavailable, problem_body
from filewright.converter.errors import conversion_errors


class ConcurrencyLimited(ProblemError):
    code = "concurrency_limited"
    status = 429
    title = "Too many of your jobs are waiting or running; wait until one has ended"
    retryable = True


class QuotaExceeded(ProblemError):
    code = "quota_exceeded"
    status = 402
    title = "The conversions of this month are spent"


def stored(error: ProblemError) -> dict[str, Any]:
    """What a job's row keeps of the error that ended it."""
    return {"code": error.code, "detail": error.detail}


def restored(kept: Mapping[str, Any]) -> ProblemError:
    """The error that `stored` kept. A code that no longer exists is an internal error."""
    kinds: Mapping[str, type[ProblemError]] = {**conversion_errors(), StorageUnavailable.code: StorageUnavailable}
    kind = kinds.get(str(kept.get("code")), InternalError)
    return kind(str(kept.get("detail") or kind.title))


def problem_of_job(kept: Mapping[str, Any], job_id: str) -> dict[str, Any]:
    """The problem document of a job that did not succeed."""
    return problem_body(restored(kept), instance=f"/v1/jobs/{job_id}", request_id="")
