"""Nobody gets past a route without what it asks for: every operation of the document, with every wrong token."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from httpkit.people import bearing, is_refused_soon, somebody

from filewright.chassis.identity.access import Access, AccessTokens
from filewright.chassis.ids import RandomIds
from filewright.chassis.testing.clock import FakeClock
from filewright.converter.accounts.signing_in import FACTS
from filewright.converter.tiers import EVERYBODYS_SCOPES

PUBLIC = {
    "livez", "readyz", "health", "metrics", "report_conversions", "report_usage",
    "list_formats", "get_route", "list_operations",
    "register", "login", "refresh", "logout", "verify_email", "resend_verification", "forgot_password",
    "reset_password", "begin_oidc", "finish_oidc", "get_erasure",
}  # fmt: skip
"""Operations that ask nobody who they are, or know operators by their networks. A new one is written down here."""


@pytest.fixture(scope="module")
def service(tmp_path_factory, serve):
    """One that lets no strangers in."""
    with serve(tmp_path_factory.mktemp("known-only"), local=False, anonymous=False) as live:
        yield live


@pytest.fixture(scope="module")
def http(service):
    with service.client() as client:
        yield client


@pytest.fixture(scope="module")
def operations(http):
    document = http.get("/openapi.json").raise_for_status().json()
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


@pytest.mark.requirement("S1")
def test_every_operation_says_which_scope_it_needs_or_is_public_on_purpose(operations):
    public = {operation["operationId"] for _, _, operation in operations if operation["security"] == []}
    assert public == PUBLIC
    for _, path, operation in operations:
        if operation["security"]:
            assert operation["security"][0]["bearer"][0] in EVERYBODYS_SCOPES | {"admin"}, path


@pytest.fixture(scope="module")
def person(http):
    return somebody(http)


@pytest.fixture(scope="module")
def bad_tokens(service, http, person):
    """By what is wrong with each."""
    world = service.world
    expired = AccessTokens(
        world.people.signing, RandomIds(world.clock), FakeClock(world.clock.now() - timedelta(hours=1)),
        service="filewright", facts=FACTS,
    )  # fmt: skip

    async def past():
        access = Access(
            "usr_1", "ses_" + "0" * 26, EVERYBODYS_SCOPES, world.clock.now(), {"tier": "free", "role": "user"}
        )
        return await expired.make(access)

    revoked = person.key(http, EVERYBODYS_SCOPES - {"webhooks:read", "webhooks:write"})
    http.delete(f"/v1/api-keys/{revoked['id']}", headers=person.headers).raise_for_status()
    gone = somebody(http)
    http.post("/v1/auth/logout", headers=gone.headers).raise_for_status()
    assert is_refused_soon(http, bearing(revoked["key"]))
    assert is_refused_soon(http, gone.headers)
    good = person.tokens["access_token"]
    return {
        "none": {},
        "expired": bearing(service.call(past)),
        "revoked key": bearing(revoked["key"]),
        "ended session": gone.headers,
        "changed": bearing(good[:-2] + ("AA" if good[-2:] != "AA" else "BB")),
        "refresh token": bearing(person.tokens["refresh_token"]),
        "basic": {"Authorization": "Basic YTpi"},
        "empty": {"Authorization": "Bearer"},
        "nonsense": bearing("fw_live_" + "0" * 36),
    }


@pytest.mark.requirement("S1")
def test_no_operation_lets_in_whoever_has_no_good_token(http, operations, bad_tokens):
    asked = 0
    for method, path, operation in operations:
        if operation["security"] == []:
            continue
        for why, headers in bad_tokens.items():
            answer = request(http, method, path, headers)
            assert answer.status_code == 401, f"{why}: {method} {path}: {answer.status_code} {answer.text}"
            assert answer.headers["www-authenticate"].startswith("Bearer")
            asked += 1
    assert asked >= 20 * len(bad_tokens)


@pytest.mark.requirement("S1")
def test_no_operation_lets_in_a_key_without_its_scope(http, operations, person):
    scopes = set(http.get("/v1/me", headers=person.headers).json()["scopes"])
    keys = {scope: person.key(http, scopes - {scope})["key"] for scope in scopes}
    keys["admin"] = person.key(http, scopes)["key"]
    for method, path, operation in operations:
        if operation["security"] == []:
            continue
        needed = operation["security"][0]["bearer"][0]
        answer = request(http, method, path, bearing(keys[needed]))
        assert answer.status_code == 403, f"{method} {path}: {answer.status_code} {answer.text}"
        assert needed in (answer.json()["detail"] if answer.content else needed)


@pytest.mark.requirement("S33", "S1")
def test_two_headers_are_not_one_too_many_to_notice(http, person):
    good = person.headers["Authorization"]
    answer = http.get("/v1/me", headers=[("Authorization", good), ("Authorization", "Bearer x")])
    assert answer.status_code in {400, 401}


def request(http, method, path, headers):
    """The operation with the examples of its addresses, and a body that would do."""
    address = re.sub(r"{(\w+)}", lambda match: ids_of(match[1]), path)
    more = {} if method in {"get", "head", "delete"} else {"json": {}}
    return http.request(method, address, headers=headers, **more)


def ids_of(name: str) -> str:
    prefix = {"job_id": "job", "upload_id": "upl", "session_id": "ses", "key_id": "key", "webhook_id": "whk"}
    return "0" if name == "n" else f"{prefix.get(name, 'xxx')}_01jd6qx2v7c8e9f0g1h2j3k4m5"
