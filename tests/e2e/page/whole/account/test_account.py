"""What a person does on the account page, in a browser, against a real service."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import APIResponse, Page, expect

from shapekit.provider import introduce

NOT_THEM = "The e-mail address or the password is wrong."
HOSTILE = "<img src=x onerror=ran()>\u202e{name}'\"><script>ran()</script>"
NARROWEST = 320


def make_key(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Make a key").click()
    expect(page.get_by_role("heading", name="The new key")).to_be_focused()


def reach(page: Page, name: str) -> None:
    """By the tabulator."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("(document.activeElement.ariaLabel ?? '') || document.activeElement.textContent") == name:
            return
    raise AssertionError(f"{name} cannot be reached by keyboard")


def part(words: str) -> re.Pattern[str]:
    """Of a text."""
    return re.compile(re.escape(words))


def sign_in(page: Page, email: str, password: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_the_wrong_password_says_so_and_the_right_one_goes_in(at_the_door, person):
    page = at_the_door().page
    sign_in(page, person.email, "not that one")
    expect(page.get_by_role("alert")).to_have_text(NOT_THEM)
    sign_in(page, person.email, person.password)
    expect(page.locator(".who")).to_contain_text(person.email)


def test_a_refusal_stands_at_the_field_that_it_is_about(at_the_door, newcomer):
    page = at_the_door().page
    page.get_by_role("button", name="Create an account").click()
    password = page.get_by_label("Password", exact=True)
    for said, typed in (("8 characters", "short"), ("known from breaches", "password1")):
        page.get_by_label("E-mail").fill(newcomer.email)
        password.fill(typed)
        password.press("Enter")
        expect(password).to_have_accessible_description(part(said))
        expect(password).to_be_focused()
    page.get_by_label("E-mail").fill("nobody")
    password.fill(newcomer.password)
    password.press("Enter")
    expect(page.get_by_label("E-mail")).to_have_accessible_description(part("name@example.com"))


@pytest.mark.long
def test_without_a_mouse(at_the_door, newcomer):
    page = at_the_door().page
    reach(page, "Create an account")
    page.keyboard.press("Enter")
    expect(page.get_by_label("E-mail")).to_be_focused()
    page.keyboard.type(newcomer.email)
    page.keyboard.press("Tab")
    page.keyboard.type(newcomer.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Account")).to_be_focused()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.get_by_label("Name").evaluate("(input) => input === document.activeElement"):
            break
    page.keyboard.type("laptop")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The new key")).to_be_focused()
    reach(page, "Revoke laptop")
    page.keyboard.press("Enter")
    reach(page, "Revoke")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No keys yet.")).to_be_visible()
    expect(page.get_by_role("heading", name="API keys")).to_be_focused()


def test_the_name_of_a_key_is_only_text(inside):
    visit = inside()
    make_key(visit.page, HOSTILE)
    assert visit.page.locator(".things bdi").first.evaluate("(name) => name.textContent") == HOSTILE
    visit.page.locator(".things .plain").click()
    expect(visit.page.get_by_role("dialog")).to_contain_text("onerror=ran()")
    assert visit.page.locator("#account :is(img, script), dialog :is(img, script), [onerror]").count() == 0


@pytest.mark.requirement("S5")
def test_no_script_ever_finds_what_lets_somebody_in(inside):
    page = inside().page
    within_reach = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, document.body.innerHTML])"
    for _ in range(2):
        assert not re.search("fw[rs]_|eyJ", page.evaluate(within_reach))
        page.reload()
        expect(page.locator(".who")).to_be_visible()
    page.goto(page.url.replace("/account", "/"))
    page.go_back()
    expect(page.locator(".who")).to_be_visible()


def test_signing_out_ends_it_here_and_in_the_service(inside, town):
    visit = inside()
    (cookie,) = visit.context.cookies()
    visit.page.get_by_role("button", name="Sign out").click()
    expect(visit.page.get_by_text("Signed out.")).to_be_visible()
    assert visit.context.cookies() == []
    with town.client() as http:
        answer = http.get("/v1/me", headers={"Cookie": f"{cookie['name']}={cookie['value']}"})
    assert answer.status_code == 401
    visit.page.reload()
    expect(visit.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_whoever_signs_in_elsewhere_comes_back_signed_in(at_the_door, newcomer, town):
    introduce(town.provider, newcomer.email, email=newcomer.email, email_verified=True)
    visit = at_the_door()
    visit.context.route("https://**", lambda route: route.abort())  # the provider's page wants a style sheet
    visit.page.get_by_role("button", name="Single sign-on · localhost").click()
    visit.page.locator("[name=sub]").fill(newcomer.email)
    visit.page.keyboard.press("Enter")
    expect(visit.page.locator(".who")).to_contain_text(newcomer.email)
    assert visit.page.url == f"{town.url}/account", "no code stays in the address"
    visit.page.goto(f"{town.url}/account/oidc?code=stale&state=stale")
    expect(visit.page.get_by_role("alert")).to_have_text("That sign-in did not work. Begin again.")
    theirs = [(request.url, request.headers.get("referer", "")) for request in visit.asked]
    visit.asked[:] = [
        request
        for request, said in zip(visit.asked, theirs, strict=True)
        if not any(text.startswith(town.provider) for text in said)
    ]


@pytest.mark.long
def test_a_session_elsewhere_is_seen_and_can_be_ended(inside):
    other, here = inside().page, inside().page
    sessions = here.get_by_role("region", name="Sessions").get_by_role("listitem")
    expect(sessions).to_have_count(2)
    expect(sessions.first).to_contain_text("here")
    sessions.last.get_by_role("button", name="End the session").click()
    here.get_by_role("dialog").get_by_role("button", name="End", exact=True).click()
    expect(sessions).to_have_count(1)
    other.get_by_label("Name").fill("too late")
    other.get_by_role("button", name="Make a key").click()
    expect(other.get_by_text("The session is over. Sign in again.")).to_be_visible()


def test_a_forgotten_password_is_set_anew_by_the_letter(at_the_door, person, town):
    page = at_the_door().page
    page.get_by_role("button", name="Forgotten").click()
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_role("button", name="Send the letter").click()
    code = town.code(person.email, "Set a new password")
    page.goto(f"{town.url}/account/reset#code={code}")
    expect(page.get_by_label("Code")).to_have_value(code)
    assert code not in page.url
    page.get_by_label("New password").fill("five other words in a row")
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_text("The new password holds.")).to_be_visible()
    sign_in(page, person.email, person.password)
    expect(page.get_by_role("alert")).to_have_text(NOT_THEM)
    sign_in(page, person.email, "five other words in a row")
    expect(page.locator(".who")).to_be_visible()


def test_an_address_is_confirmed_by_the_letter(inside, person, town):
    page = inside().page
    page.get_by_role("button", name="Enter the code").click()
    page.get_by_label("Code").fill("not this one")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Code")).to_have_accessible_description(part("not good"))
    page.get_by_label("Code").fill(town.code(person.email, "Confirm your address"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="API keys")).to_be_visible()
    expect(page.get_by_text("not confirmed")).to_have_count(0)


@pytest.mark.long
def test_the_password_is_changed_and_the_old_one_is_not_good_any_more(inside, at_the_door, person):
    page = inside().page
    page.get_by_text("Change the password").click()
    page.get_by_label("Present password").fill("not that one")
    page.get_by_label("New password").fill("six words that nobody else has")
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("alert")).to_have_text("The present password is wrong.")
    page.get_by_label("Present password").fill(person.password)
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_text("The password is changed")).to_be_visible()
    again = at_the_door().page
    sign_in(again, person.email, person.password)
    expect(again.get_by_role("alert")).to_have_text(NOT_THEM)


@pytest.mark.long
def test_in_german(at_the_door, person):
    visit = at_the_door(locale="de-DE")
    page = visit.page
    page.get_by_label("E-Mail").fill(person.email)
    page.get_by_label("Passwort", exact=True).fill("nicht dieses")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("Die E-Mail-Adresse oder das Passwort ist falsch.")
    page.get_by_label("Passwort", exact=True).fill(person.password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="API-Schlüssel")).to_be_visible()
    visit.look("account-de", full=True)


@pytest.mark.long
def test_another_language_loses_nothing_that_was_typed(at_the_door):
    page = at_the_door().page
    page.get_by_label("E-mail").fill("ada@example.com")
    page.locator("#tools select").select_option("fr")
    expect(page.get_by_role("heading", name="Se connecter")).to_be_visible()
    expect(page.get_by_label("Adresse électronique")).to_have_value("ada@example.com")


def test_whoever_needs_no_account_is_told_so(at_the_door):
    """The page as the owner of a machine gets it; `tests/converter/site` sees that they do."""
    visit = at_the_door()
    visit.page.route("**/account", lambda route: route.fulfill(response=(answer := route.fetch()), body=_owned(answer)))
    visit.page.reload()
    expect(visit.page.get_by_text("Nobody needs an account here")).to_be_visible()


def _owned(answer: APIResponse) -> str:
    served = answer.text()
    assert 'data-local="false"' in served
    return served.replace('data-local="false"', 'data-local="true"')


def test_looks(at_the_door, newcomer):
    visit = at_the_door()
    page = visit.page
    visit.look("account-sign-in")
    sign_in(page, newcomer.email, newcomer.password)
    expect(page.get_by_role("alert")).to_be_visible()
    visit.look("account-refused")
    page.get_by_role("button", name="Create an account").click()
    page.get_by_label("Password", exact=True).fill(newcomer.password)
    page.keyboard.press("Enter")
    expect(page.locator(".who")).to_be_visible()
    make_key(page, "nightly build")
    visit.look("account-key", full=True)
    page.get_by_role("button", name="Revoke nightly build").click()
    visit.look("account-revoke")


@pytest.mark.long
def test_looks_in_a_narrow_window(at_the_door, person):
    visit = at_the_door(viewport={"width": NARROWEST, "height": 720})
    page = visit.page
    visit.look("account-narrow-sign-in")
    sign_in(page, person.email, person.password)
    expect(page.locator(".who")).to_be_visible()
    make_key(page, "a rather long name for a key " * 3)
    visit.look("account-narrow", full=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROWEST
