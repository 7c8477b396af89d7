"""Signed in at a page: a cookie that only this service's own pages can act by, and only while the session lives."""

from __future__ import annotations

import pytest
from httpkit.people import GOOD, an_address, bearing, is_refused_soon, somebody

from filewright.converter.accounts.cookies import COOKIE, SECURE_COOKIE

HERE = {"Sec-Fetch-Site": "same-origin"}
ELSEWHERE = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://elsewhere.example"},
    {"Origin": "null"},
    {},
)
ORDER = {"inputs": [{"upload": "upl_01jd6qx2v7c8e9f0g1h2j3k4m5"}], "to": "md"}


@pytest.fixture(scope="module")
def service(tmp_path_factory, serve):
    """As operators set it up who let no strangers in."""
    settings = {"anonymous": False, "trusted_proxies": ("127.0.0.0/8",)}
    with serve(tmp_path_factory.mktemp("cookies"), local=False, as_set=True, settings=settings) as live:
        yield live


@pytest.fixture(scope="module")
def person(service):
    """Somebody with a session that lasts as long as these tests."""
    with service.client() as http:
        return somebody(http)


@pytest.fixture
def browser(service, person):
    """The person's, signed in at the page."""
    with service.client_inside() as client:
        sign_in(client, person.headers)
        yield client


def sign_in(client, headers):
    """The answer that brings the cookie."""
    answer = client.post("/v1/auth/cookie", headers=headers)
    assert answer.status_code == 204
    return answer


def cookie_of(browser):
    """As it is now, whatever answers say of it later."""
    return f"{COOKIE}={browser.cookies[COOKIE]}"


@pytest.mark.requirement("S5")
def test_a_session_is_carried_by_a_cookie_that_no_script_can_read(browser, person):
    said = sign_in(browser, person.headers).headers["set-cookie"]
    assert said.startswith(f"{COOKIE}=fws_")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= {part.strip() for part in said.split(";")}
    assert "Max-Age" not in said
    said = sign_in(browser, {**person.headers, "X-Forwarded-Proto": "https"}).headers["set-cookie"]
    assert said.startswith(f"{SECURE_COOKIE}=")
    assert "Secure" in said


def test_whoever_has_it_is_who_signed_in_with_all_that_is_theirs(browser, person):
    me = browser.get("/v1/me", headers=HERE).raise_for_status().json()
    assert (me["kind"], me["email"], me["tier"]) == ("user", person.email, "free")
    sessions = browser.get("/v1/me/sessions").raise_for_status().json()["data"]
    assert [session["id"] for session in sessions if session["current"]] == [person.tokens["session"]]
    page = browser.get("/", headers={"Accept": "text/html"}).raise_for_status().text
    assert person.email in page


def test_a_key_of_the_api_gets_no_cookie(browser, person):
    key = person.key(browser, ["account:read"])["key"]
    assert browser.post("/v1/auth/cookie", headers=bearing(key)).status_code == 403


@pytest.mark.parametrize("headers", ELSEWHERE, ids=lambda headers: " ".join(headers.values()) or "nothing said")
def test_nothing_is_changed_by_what_another_site_has_a_browser_send(browser, headers):
    mine = cookie_of(browser)
    form = {"files": {"file": ("a.txt", b"hello")}, "data": {"to": "md"}}
    assert browser.post("/v1/convert", headers=headers, **form).status_code == 403
    assert browser.post("/v1/jobs", json=ORDER, headers=headers).status_code == 403
    assert browser.delete("/v1/me", headers=headers).status_code == 403
    browser.post("/v1/auth/logout", headers=headers)
    browser.post("/account/sign-out", headers=headers)
    assert browser.get("/v1/me", headers={**HERE, "Cookie": mine}).status_code == 200, "nobody was signed out"


def test_a_page_of_the_service_acts_also_where_browsers_say_only_the_origin(browser, person, service):
    answer = browser.post("/v1/api-keys", json={"name": "laptop"}, headers={"Origin": service.url})
    assert answer.status_code == 201


def test_another_site_sees_nothing_through_a_browser(browser, person):
    assert browser.get("/v1/me", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
    assert person.email in browser.get("/", headers=followed).text, "but a link leads to one's own page"


@pytest.mark.requirement("S5")
@pytest.mark.parametrize("way", ["logout", "sign-out", "another session", "refresh used twice"])
def test_it_is_good_as_long_as_its_session(browser, person, way):
    tokens = signed_in(browser, person)
    sign_in(browser, bearing(tokens["access_token"]))
    mine = {**HERE, "Cookie": cookie_of(browser)}
    if way == "logout":
        gone = browser.post("/v1/auth/logout", headers=HERE)
        assert "Max-Age=0" in gone.headers["set-cookie"]
    elif way == "sign-out":
        gone = browser.post("/account/sign-out", headers=HERE)
        assert (gone.status_code, gone.headers["location"]) == (303, "/")
        assert COOKIE not in browser.cookies
    elif way == "another session":
        browser.delete(f"/v1/me/sessions/{tokens['session']}", headers=person.headers).raise_for_status()
    else:
        for _ in range(2):
            browser.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    browser.cookies.clear()
    assert is_refused_soon(browser, mine)
    page = browser.get("/", headers={**mine, "Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/account?to=files")


def signed_in(client, person):
    """Another session."""
    body = {"email": person.email, "password": GOOD}
    return client.post("/v1/auth/login", json=body).raise_for_status().json()


@pytest.mark.requirement("S4")
@pytest.mark.parametrize("change", ["other session", "other mark", "shorter", "empty"])
def test_a_cookie_that_was_not_made_here_is_nobodys(browser, change):
    text = browser.cookies[COOKIE]
    other = {
        "other session": text[:4] + "0" * 26 + text[30:],
        "other mark": text[:-3] + ("AAA" if not text.endswith("AAA") else "BBB"),
        "shorter": text[:-1],
        "empty": "",
    }[change]
    browser.cookies.clear()
    answer = browser.get("/v1/me", headers={**HERE, "Cookie": f"{COOKIE}={other}"})
    assert answer.status_code == 401
    assert answer.json()["detail"].startswith("This service is for known callers only")


def test_a_form_without_scripts_is_a_persons_too(browser, person):
    form = {"files": {"file": ("a.txt", b"hello")}, "data": {"to": "md"}}
    headers = {**HERE, "Accept": "text/html", "Prefer": "respond-async"}
    sent = browser.post("/v1/convert", headers=headers, **form)
    assert sent.status_code == 303
    assert browser.get(sent.headers["location"], headers={"Accept": "text/html"}).status_code == 200
    job, *_ = browser.get("/v1/jobs", headers=person.headers).json()["data"]
    assert sent.headers["location"].endswith(job["id"])


def test_an_unknown_address_leads_browsers_to_the_sign_in_and_programs_to_a_reason(browser):
    browser.cookies.clear()
    assert browser.get("/", headers={"Accept": "text/html"}).headers["location"] == "/account?to=files"
    refused = browser.get("/")
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert browser.get("/account").status_code == 200
    assert browser.post("/v1/auth/login", json={"email": an_address(), "password": GOOD}).status_code == 401
