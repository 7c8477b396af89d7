"""Signing up, in and out over HTTP, and API keys: what a client sees, and what the database keeps."""

from __future__ import annotations

import secrets

import pytest
from httpkit.people import GOOD, an_address, bearing, is_refused_soon


@pytest.fixture
def http(live):
    with live.client() as client:
        yield client


def signed_up(http, email: str | None = None, password: str = GOOD) -> dict[str, str]:
    email = email or an_address()
    http.post("/v1/auth/register", json={"email": email, "password": password}).raise_for_status()
    return {"email": email, **signed_in(http, email, password)}


def signed_in(http, email: str, password: str = GOOD) -> dict[str, str]:
    return http.post("/v1/auth/login", json={"email": email, "password": password}).raise_for_status().json()


def test_whoever_signs_up_can_sign_in_and_is_known_by_the_token(http):
    tokens = signed_up(http)
    me = http.get("/v1/me", headers=bearing(tokens["access_token"])).raise_for_status().json()
    assert me["kind"] == "user"
    assert me["email"] == tokens["email"]
    assert me["tier"] == "free"
    assert "admin" not in me["scopes"]
    assert tokens["token_type"] == "Bearer"
    assert 0 < tokens["expires_in"] <= 900


@pytest.mark.requirement("S9")
def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(http):
    known = signed_up(http)["email"]
    wrong = http.post("/v1/auth/login", json={"email": known, "password": "not " + GOOD})
    unknown = http.post("/v1/auth/login", json={"email": an_address(), "password": GOOD})
    assert wrong.status_code == unknown.status_code == 401
    assert without_ids(wrong) == without_ids(unknown)


@pytest.mark.requirement("S9")
@pytest.mark.parametrize("path", ["/v1/auth/register", "/v1/auth/password/forgot", "/v1/auth/verify/resend"])
def test_nothing_tells_an_address_with_an_account_from_one_without(http, path):
    known = signed_up(http)["email"]
    body = {"password": "another " + GOOD} if path.endswith("register") else {}
    for_known = http.post(path, json={"email": known, **body})
    for_unknown = http.post(path, json={"email": an_address(), **body})
    assert for_known.status_code == for_unknown.status_code == 202
    assert for_known.content == for_unknown.content
    assert signed_in(http, known), "the password of the account is what it was"


@pytest.mark.requirement("S8")
@pytest.mark.parametrize(
    "password", ["seven77", "Password123", "football1", "aaaaaaaaaaaa", "filewright", "x" * 257], ids=str.lower
)
def test_a_password_that_is_guessed_first_is_refused_with_a_reason(http, password):
    answer = http.post("/v1/auth/register", json={"email": an_address(), "password": password})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/password"


@pytest.mark.requirement("S8")
@pytest.mark.parametrize(
    "password", ["x y" * 22, "日本語のパスワード", "  spaces at the ends  "], ids=["66", "kanji", "spaces"]
)
def test_a_password_is_taken_as_it_was_typed(http, password):
    tokens = signed_up(http, password=password)
    assert (
        http.post("/v1/auth/login", json={"email": tokens["email"], "password": password.strip() + "."}).status_code
        == 401
    )


def test_capitals_make_no_other_address(http):
    email = an_address()
    signed_up(http, email.upper())
    assert signed_in(http, email)


@pytest.mark.parametrize(
    "email", ["nobody", "a@b@c", "a b@example.com", "a@example.com\r\nBcc: x@example.com", "@x.org", "ä@example.com"]
)
def test_what_is_no_address_is_refused(http, email):
    assert http.post("/v1/auth/register", json={"email": email, "password": GOOD}).status_code == 400


@pytest.mark.requirement("S5")
def test_a_refresh_token_is_good_once_and_its_copy_ends_the_session_for_both(http):
    first = signed_up(http)
    second = http.post("/v1/auth/refresh", json={"refresh_token": first["refresh_token"]}).raise_for_status().json()
    assert second["session"] == first["session"]
    assert http.get("/v1/me", headers=bearing(second["access_token"])).status_code == 200
    assert http.post("/v1/auth/refresh", json={"refresh_token": first["refresh_token"]}).status_code == 401
    assert http.post("/v1/auth/refresh", json={"refresh_token": second["refresh_token"]}).status_code == 401
    assert is_refused_soon(http, bearing(second["access_token"]))


@pytest.mark.requirement("S5")
def test_a_refresh_token_that_nobody_was_given_ends_nothing(http):
    tokens = signed_up(http)
    text = tokens["refresh_token"]
    forged = [text[:-1] + ("A" if text[-1] != "A" else "B"), text[:30] + "A" * 43 + text[73:], "fwr_" + "0" * 91, "x"]
    for forgery in forged:
        assert http.post("/v1/auth/refresh", json={"refresh_token": forgery}).status_code == 401
    assert http.post("/v1/auth/refresh", json={"refresh_token": text}).status_code == 200


def test_a_refresh_whose_answer_got_lost_is_repeated_with_its_key(http):
    tokens = signed_up(http)
    again = {"Idempotency-Key": secrets.token_hex(8)}
    body = {"refresh_token": tokens["refresh_token"]}
    first = http.post("/v1/auth/refresh", json=body, headers=again).raise_for_status()
    second = http.post("/v1/auth/refresh", json=body, headers=again).raise_for_status()
    assert first.content == second.content
    assert http.get("/v1/me", headers=bearing(second.json()["access_token"])).status_code == 200


@pytest.mark.requirement("S5")
@pytest.mark.parametrize("by", ["bearer", "refresh_token", "owner"])
def test_a_session_that_was_ended_is_over_at_once(http, by):
    tokens = signed_up(http)
    bearer = bearing(tokens["access_token"])
    if by == "bearer":
        answer = http.post("/v1/auth/logout", headers=bearer)
    elif by == "refresh_token":
        answer = http.post("/v1/auth/logout", json={"refresh_token": tokens["refresh_token"]})
    else:
        answer = http.delete(f"/v1/me/sessions/{tokens['session']}", headers=bearer)
    assert answer.status_code == 204
    assert is_refused_soon(http, bearer)
    assert http.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]}).status_code == 401


def test_sessions_are_listed_page_by_page_and_each_can_be_ended_by_itself(http):
    first = signed_up(http)
    second = signed_in(http, first["email"])
    bearer = bearing(first["access_token"])
    page = http.get("/v1/me/sessions", params={"limit": 1}, headers=bearer).raise_for_status().json()
    rest = http.get("/v1/me/sessions", params={"cursor": page["next_cursor"]}, headers=bearer).json()
    listed = page["data"] + rest["data"]
    assert [(item["id"], item["current"]) for item in listed] == [(second["session"], False), (first["session"], True)]
    http.delete(f"/v1/me/sessions/{second['session']}", headers=bearer).raise_for_status()
    assert is_refused_soon(http, bearing(second["access_token"]))
    assert [item["id"] for item in http.get("/v1/me/sessions", headers=bearer).json()["data"]] == [first["session"]]


@pytest.mark.requirement("S5")
def test_another_password_ends_all_other_sessions(http):
    here = signed_up(http)
    there = signed_in(http, here["email"])
    change = {"current_password": "wrong " + GOOD, "new_password": "quite another " + GOOD}
    bearer = bearing(here["access_token"])
    assert http.post("/v1/me/password", json=change, headers=bearer).status_code == 403
    http.post("/v1/me/password", json={**change, "current_password": GOOD}, headers=bearer).raise_for_status()
    assert http.get("/v1/me", headers=bearer).status_code == 200
    assert is_refused_soon(http, bearing(there["access_token"]))
    assert http.post("/v1/auth/login", json={"email": here["email"], "password": GOOD}).status_code == 401
    assert signed_in(http, here["email"], "quite another " + GOOD)


@pytest.mark.requirement("S7")
def test_a_key_does_what_its_owner_allowed_and_nothing_else(http):
    tokens = signed_up(http)
    made = http.post(
        "/v1/api-keys", json={"name": "build", "scopes": ["jobs:read"]}, headers=bearing(tokens["access_token"])
    )
    assert made.status_code == 201
    key = made.json()["key"]
    assert key.startswith("fw_live_")
    assert http.get("/v1/jobs", headers=bearing(key)).status_code == 200
    refused = http.get("/v1/api-keys", headers=bearing(key))
    assert refused.status_code == 403
    assert refused.json()["code"] == "forbidden"
    assert "keys:read" in refused.json()["detail"]
    shown = http.get("/v1/api-keys", headers=bearing(tokens["access_token"])).json()["data"][0]
    assert "key" not in shown
    assert shown["hint"] == key[:12]


@pytest.mark.requirement("S7")
def test_a_key_can_do_no_more_than_whoever_makes_it(http):
    bearer = bearing(signed_up(http)["access_token"])
    assert http.post("/v1/api-keys", json={"scopes": ["admin"]}, headers=bearer).status_code == 400
    assert http.post("/v1/api-keys", json={"scopes": ["everything"]}, headers=bearer).status_code == 400
    lesser = http.post("/v1/api-keys", json={"scopes": ["keys:write"]}, headers=bearer).json()["key"]
    assert http.post("/v1/api-keys", json={"scopes": ["jobs:read"]}, headers=bearing(lesser)).status_code == 400


@pytest.mark.requirement("S7")
def test_a_revoked_key_is_refused_at_once(http):
    bearer = bearing(signed_up(http)["access_token"])
    made = http.post("/v1/api-keys", json={"mode": "test"}, headers=bearer).json()
    assert made["key"].startswith("fw_test_")
    assert http.get("/v1/jobs", headers=bearing(made["key"])).status_code == 200
    assert http.delete(f"/v1/api-keys/{made['id']}", headers=bearer).status_code == 204
    assert is_refused_soon(http, bearing(made["key"]), "/v1/jobs")
    assert http.delete(f"/v1/api-keys/{made['id']}", headers=bearer).status_code == 404


@pytest.mark.requirement("S7", "S14")
def test_a_key_is_good_from_its_own_networks_only(http):
    bearer = bearing(signed_up(http)["access_token"])
    here = http.post("/v1/api-keys", json={"networks": ["127.0.0.1", "::1"]}, headers=bearer).json()["key"]
    elsewhere = http.post("/v1/api-keys", json={"networks": ["203.0.113.0/24"]}, headers=bearer).json()["key"]
    assert http.get("/v1/jobs", headers=bearing(here)).status_code == 200
    assert http.get("/v1/jobs", headers=bearing(elsewhere)).status_code == 403
    for wrong in ("127.0.0.01", "0x7f.0.0.1", "10.0.0.1/8", "localhost", ""):
        assert http.post("/v1/api-keys", json={"networks": [wrong]}, headers=bearer).status_code == 400


def test_a_key_cannot_end_before_it_begins(http):
    bearer = bearing(signed_up(http)["access_token"])
    assert http.post("/v1/api-keys", json={"expires_at": "2020-01-01T00:00:00Z"}, headers=bearer).status_code == 400
    assert http.post("/v1/api-keys", json={"expires_at": "2099-01-01T00:00:00"}, headers=bearer).status_code == 400
    later = http.post("/v1/api-keys", json={"expires_at": "2099-01-01T00:00:00Z"}, headers=bearer)
    assert later.json()["expires_at"] == "2099-01-01T00:00:00Z"


def test_a_key_that_was_ordered_twice_with_one_idempotency_key_is_one_key(http):
    bearer = bearing(signed_up(http)["access_token"]) | {"Idempotency-Key": secrets.token_hex(8)}
    first, second = (http.post("/v1/api-keys", json={"name": "one"}, headers=bearer) for _ in range(2))
    assert first.json() == second.json()
    assert len(http.get("/v1/api-keys", headers=bearer).json()["data"]) == 1
    assert http.post("/v1/api-keys", json={"name": "two"}, headers=bearer).status_code == 422


@pytest.mark.requirement("S3")
@pytest.mark.parametrize("field", ["tenant", "tenant_id", "tier", "role", "scopes", "id", "email_verified"])
def test_nobody_makes_themselves_more_than_they_are(http, field):
    body = {"email": an_address(), "password": GOOD, field: "admin"}
    assert http.post("/v1/auth/register", json=body).status_code == 400


def test_letters_bring_the_codes_that_confirm_an_address_and_set_a_new_password(live, http, letters):
    tokens = signed_up(http)
    code = letters(tokens["email"], "Confirm your address")
    assert http.post("/v1/auth/verify", json={"code": code}).status_code == 204
    assert http.post("/v1/auth/verify", json={"code": code}).status_code == 400
    assert http.get("/v1/me", headers=bearing(tokens["access_token"])).json()["email_verified"] is True

    http.post("/v1/auth/password/forgot", json={"email": tokens["email"]}).raise_for_status()
    code = letters(tokens["email"], "Set a new password")
    reset = {"code": code, "password": "after all " + GOOD}
    assert http.post("/v1/auth/verify", json={"code": code}).status_code == 400, "a code is for one purpose"
    assert http.post("/v1/auth/password/reset", json=reset).status_code == 204
    assert http.post("/v1/auth/password/reset", json=reset).status_code == 400
    assert is_refused_soon(http, bearing(tokens["access_token"]))
    assert signed_in(http, tokens["email"], "after all " + GOOD)


@pytest.mark.requirement("S7", "S8")
def test_what_lets_somebody_in_is_nowhere_in_the_database(live, http, letters):
    tokens = signed_up(http)
    bearer = bearing(tokens["access_token"]) | {"Idempotency-Key": secrets.token_hex(8)}
    key = http.post("/v1/api-keys", json={}, headers=bearer).json()["key"]
    again = {"Idempotency-Key": secrets.token_hex(8)}
    body = {"email": tokens["email"], "password": GOOD}
    login = http.post("/v1/auth/login", json=body, headers=again).json()
    code = letters(tokens["email"], "Confirm your address")
    secrets_known = [GOOD, key, key[8:], code, login["refresh_token"], login["access_token"], tokens["refresh_token"]]
    dump = live.call(lambda: everything_in(live.world.database))
    for secret in secrets_known:
        assert secret.encode() not in dump


async def everything_in(database) -> bytes:
    """Every value of every table, as a thief of the database reads it."""
    from sqlalchemy import select

    from filewright.converter.migrations.tables import metadata

    found = bytearray()
    async with database.read() as session:
        for table in metadata.sorted_tables:
            for row in await session.execute(select(table)):
                for value in row:
                    found += value if isinstance(value, bytes) else str(value).encode()
    assert found
    return bytes(found)


def without_ids(answer) -> dict[str, object]:
    return {name: value for name, value in answer.json().items() if name != "request_id"}


@pytest.fixture
def letters(live):
    """The code in the newest letter to somebody, as soon as it is there."""
    import email
    import re
    import time
    from email import policy

    def find(to: str, subject: str) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            folders = [folder for folder in live.data.rglob("letters") if folder.is_dir()]
            for path in sorted((path for folder in folders for path in folder.glob("[!.]*.eml")), reverse=True):
                message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
                if message["To"] == to and message["Subject"] == subject:
                    return re.findall(r"^ {4}([\w-]{43})$", message.get_content(), re.MULTILINE)[0]
            time.sleep(0.05)
        raise AssertionError(f"no letter {subject!r}")

    return find
