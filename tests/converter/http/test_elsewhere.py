"""Sign-in at an OpenID provider that runs here: people who come back are who the provider says, and nobody else is."""

from __future__ import annotations

import secrets
from functools import partial
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from httpkit.people import GOOD, an_address, bearing, is_refused_soon, somebody
from sqlalchemy import select

from filewright.chassis.audit.models import AuditLogRow
from shapekit.provider import introduce, openid_provider

BACK = "https://files.example.com/account/oidc"


@pytest.fixture(scope="module")
def provider():
    """Its address."""
    with openid_provider() as address:
        yield address


@pytest.fixture(scope="module")
def service(tmp_path_factory, serve, provider):
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "secret").write_text("agreed on\n")
    settings = {
        "oidc_issuer": provider,
        "oidc_client_id": "filewright",
        "oidc_client_secret_file": str(folder / "secret"),
        "oidc_redirect_url": BACK,
        "egress_allow": ("127.0.0.0/8", "::1/128"),
    }
    with serve(folder / "data", settings=settings) as live:
        yield live


@pytest.fixture
def http(service):
    with service.client() as client:
        yield client


@pytest.fixture
def knows(provider):
    """Let the provider know somebody."""

    return partial(introduce, provider)


def begun(http):
    return http.post("/v1/auth/oidc").raise_for_status().json()


def linked(service):
    """How often it was written down that an identity leads to an account."""

    async def count():
        async with service.world.database.read() as session:
            wanted = select(AuditLogRow.id).where(AuditLogRow.action == "identity.linked")
            return len((await session.scalars(wanted)).all())

    return service.call(count)


def came_back(began, subject):
    """What the provider sends the person back with, once they have said who they are there."""
    answer = httpx.post(began["authorization_url"], data={"sub": subject})
    assert answer.status_code in {302, 303}, answer.text
    location = answer.headers["location"]
    assert location.startswith(BACK)
    found = parse_qs(urlsplit(location).query)
    return {"flow": began["flow"], "code": found["code"][0], "state": found["state"][0]}


def finished(http, body):
    return http.post("/v1/auth/oidc/finish", json=body)


def test_whoever_the_provider_knows_has_an_account_from_then_on(service, http, knows):
    before = linked(service)
    email = an_address()
    knows("ada", email=email, email_verified=True)
    first = finished(http, came_back(begun(http), "ada")).raise_for_status().json()
    me = http.get("/v1/me", headers=bearing(first["access_token"])).json()
    assert (me["kind"], me["email"], me["email_verified"]) == ("user", email, True)
    knows("ada", email=an_address(), email_verified=True)
    again = finished(http, came_back(begun(http), "ada")).raise_for_status().json()
    assert http.get("/v1/me", headers=bearing(again["access_token"])).json()["id"] == me["id"], "the subject counts"
    assert http.post("/v1/auth/login", json={"email": email, "password": GOOD}).status_code == 401
    assert linked(service) == before + 1, "once, however often they come"


def test_an_address_that_the_provider_has_not_confirmed_leads_nowhere(http, knows):
    victim = somebody(http)
    for claims in ({"email_verified": False}, {}, {"email_verified": "true"}):
        subject = secrets.token_hex(6)
        knows(subject, email=victim.email, **claims)
        assert finished(http, came_back(begun(http), subject)).status_code == 403


def test_a_stranger_who_took_an_address_before_its_owner_came_is_out(http, knows):
    stranger = somebody(http)
    key = stranger.key(http, ["jobs:read"])["key"]
    knows("owner", email=stranger.email, email_verified=True)
    owner = finished(http, came_back(begun(http), "owner")).raise_for_status().json()
    assert http.get("/v1/me", headers=bearing(owner["access_token"])).json()["email"] == stranger.email
    assert is_refused_soon(http, stranger.headers)
    assert is_refused_soon(http, bearing(key), "/v1/jobs")
    assert http.post("/v1/auth/login", json={"email": stranger.email, "password": GOOD}).status_code == 401


def test_what_was_begun_by_one_is_not_finished_by_another(http, knows):
    knows("ada2", email=an_address(), email_verified=True)
    mine, theirs = came_back(begun(http), "ada2"), came_back(begun(http), "ada2")
    for wrong in (
        {**mine, "flow": theirs["flow"]},
        {**mine, "state": theirs["state"]},
        {**mine, "code": theirs["code"]},
        {**mine, "code": "guess"},
        {**mine, "flow": "AAAA"},
        {**mine, "flow": "not base64 ä"},
        {**mine, "state": ""},
    ):
        assert finished(http, wrong).status_code in {400, 401}, wrong
    unused = came_back(begun(http), "ada2")
    assert finished(http, unused).status_code == 200
    assert finished(http, unused).status_code == 401, "a code is good once"


def test_where_nobody_elses_sign_in_is_offered_there_is_nothing(live):
    with live.client() as http:
        assert http.post("/v1/auth/oidc").status_code == 404
        assert finished(http, {"flow": "a", "code": "b", "state": "c"}).status_code == 404
