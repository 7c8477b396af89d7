"""Who the fuzzer is: somebody whose key is good, again and again.

Whatever a fuzzer may do it does, also to itself: it ends its sessions, revokes its key, shuts or erases its account. So
before each step its key is tried, and when it is refused, somebody else is let in. Loaded by schemathesis, of which
`scripts/fuzz.py` starts as many as were asked for.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections import deque

import schemathesis

URL = os.environ["FUZZ_URL"]
SCOPES = os.environ["FUZZ_SCOPES"].split(",")
ACCOUNT = os.environ.get("FUZZ_ACCOUNT", "")
"""E-mail and password of an operator, one a line. Without it each is a newcomer with a new account."""
TEXT = b"# A walk\n\nthrough *everything*.\n"


def ask(method: str, path: str, body: object = None, *, bearer: str = "") -> dict[str, object]:
    """What the service answers; urllib's HTTPError when that is a problem."""
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{URL}{path}", data, {**headers, "Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"{}")


def a_key() -> str:
    """A new one, for all that its account may do."""
    if ACCOUNT:
        email, password = ACCOUNT.split("\n")
    else:
        email, password = f"{secrets.token_hex(8)}@example.org", secrets.token_urlsafe(24)
        ask("POST", "/v1/auth/register", {"email": email, "password": password})
    access = str(ask("POST", "/v1/auth/login", {"email": email, "password": password})["access_token"])
    return str(ask("POST", "/v1/api-keys", {"name": "walk", "scopes": SCOPES}, bearer=access)["key"])


@schemathesis.auth(refresh_interval=None)
class Somebody:
    """Carries a key that is good."""

    key = ""

    def get(self, case: schemathesis.Case, context: schemathesis.AuthContext) -> str:
        try:
            if self.key:
                ask("GET", "/v1/me", bearer=self.key)
                return self.key
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise
        self.key = a_key()
        return self.key

    def set(self, case: schemathesis.Case, data: str, context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


# --- three of four well-formed requests are about something that there is: chance would never have a file converted --

THINGS = {
    "upload_id": "upl", "job_id": "job", "key_id": "key", "webhook_id": "whk", "delivery_id": "dlv", "user_id": "usr",
    "session_id": "ses", "invoice_id": "inv", "erasure_id": "ers",
}  # fmt: skip
AGES: dict[str, deque[str]] = {prefix: deque(maxlen=4) for prefix in THINGS.values()}
"""Ids of the latest things that answers told of."""
NAMED = re.compile(rb'"(([a-z]{3})_[0-9a-z]{26})"')


@schemathesis.hook
def after_call(context: schemathesis.HookContext, case: schemathesis.Case, response: schemathesis.Response) -> None:
    if 200 <= response.status_code < 300 and case.method == "POST":
        for name, prefix in NAMED.findall(response.content[:10_000]):
            if (known := AGES.get(prefix.decode())) is not None and name.decode() not in known:
                known.append(name.decode())


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, **options: object) -> None:
    if case.meta is None or not case.meta.generation.mode.is_positive or not secrets.randbelow(4):
        return
    for name, value in (case.path_parameters or {}).items():
        if (known := AGES.get(THINGS.get(name, ""))) and not re.fullmatch(r"[a-z]{3}_[0-9a-z]{26}", str(value)):
            case.path_parameters[name] = secrets.choice(known)  # else the walk itself knows where it goes
    match case.operation.label, case.body:
        case "POST /v1/uploads", {"filename": _}:
            case.body = {**case.body, "filename": "walk.md", "bytes": len(TEXT)}
        case "PUT /v1/uploads/{upload_id}", _:
            case.body = TEXT
        case "POST /v1/jobs", {"inputs": _} if AGES["upl"]:
            case.body = {"inputs": [{"upload": secrets.choice(AGES["upl"])}], "to": secrets.choice(["html", "pdf"])}
        case "POST /v1/webhooks", {"url": _}:
            case.body = {"url": "https://example.org/told"}
        case "POST /v1/jobs/{job_id}/cancel" | "GET /v1/jobs/{job_id}", _:
            return
        case label, _ if "/jobs/{job_id}" in label:
            awaited(str(case.path_parameters["job_id"]), case.headers.get("Authorization", ""))


def awaited(job: str, authorization: str) -> None:
    """The end of the job, if there is such a job."""
    with contextlib.suppress(OSError):
        ask("GET", f"/v1/jobs/{urllib.parse.quote(job, safe='')}?wait=5", bearer=authorization.removeprefix("Bearer "))
