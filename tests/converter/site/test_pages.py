"""What the page comes with: its policy, its files, and nothing from anywhere else."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI

from filewright.chassis.web.problems import Unauthenticated
from filewright.converter.accounts.cookies import SignedInPerson
from filewright.converter.routing.planner import Planner
from filewright.converter.site.callers import Visitor
from filewright.converter.site.pages import STATIC, Pages, router
from filewright.converter.tiers import ANONYMOUS, EVERYBODYS_SCOPES, LOCAL, SCOPES, Caller


@asynccontextmanager
async def opened(visitor_of):
    async def sign_out(_request, _response):
        raise AssertionError

    app = FastAPI(openapi_url=None)
    app.include_router(router(Pages(None, Planner(()), visitor_of, sign_out, lambda _request, _response: None)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
        yield client


@pytest.fixture
async def http():
    async with opened(coming(Visitor(Caller("local", LOCAL, SCOPES)))) as client:
        yield client


def coming(visitor):
    """Whoever asks is this one."""

    async def visitor_of(_request):
        return visitor

    return visitor_of


async def nobody(_request):
    raise Unauthenticated


ADA = SignedInPerson("usr_1", "usr_1", "ses_1", "<ada>@example.com", "free", "user", datetime.now(UTC))


async def test_the_way_to_accounts_is_shown_to_strangers_and_not_to_the_owner_of_the_machine(http):
    assert 'href="/account"' not in (await http.get("/")).text
    assert 'data-local="true"' in (await http.get("/account")).text
    async with opened(coming(Visitor(Caller("ip:203.0.113.7", ANONYMOUS)))) as strangers:
        assert 'href="/account"' in (await strangers.get("/")).text
        assert 'data-local="false"' in (await strangers.get("/account")).text


async def test_whoever_is_signed_in_sees_it_and_the_way_out(http):
    assert "sign-out" not in (await http.get("/")).text
    async with opened(coming(Visitor(Caller("usr_1", ANONYMOUS), ADA))) as hers:
        page = (await hers.get("/")).text
        assert "&lt;ada&gt;@example.com" in page
        assert 'action="/account/sign-out" method="post"' in page
        assert 'data-here="true"' in (await hers.get("/account")).text


async def test_the_operators_page_is_for_operators_and_nobody_else_learns_that_it_is_there(http):
    assert (await http.get("/admin")).status_code == 200, "the owner of the machine"
    operator = Visitor(Caller("usr_1", ANONYMOUS, SCOPES), ADA)
    async with opened(coming(operator)) as operators:
        assert (await operators.get("/admin")).status_code == 200
        assert 'href="/admin"' in (await operators.get("/")).text
    async with opened(coming(Visitor(Caller("usr_1", ANONYMOUS, EVERYBODYS_SCOPES), ADA))) as others:
        refused = await others.get("/admin")
        assert (refused.status_code, "static/admin" in refused.text) == (404, False)
        assert 'href="/admin"' not in (await others.get("/")).text
    for visitor_of in (nobody, coming(Visitor(Caller("ip:203.0.113.7", ANONYMOUS)))):
        async with opened(visitor_of) as strangers:
            sent = await strangers.get("/admin", headers={"Accept": "text/html"})
            assert (sent.status_code, sent.headers["location"]) == (303, "/account?to=admin")


async def test_strangers_are_shown_the_way_in_where_only_known_callers_are_served():
    async with opened(nobody) as known_callers_only:
        for path in ("/", "/jobs/job_01jd6qx2v7c8e9f0g1h2j3k4m5"):
            sent = await known_callers_only.get(path, headers={"Accept": "text/html,*/*"})
            assert (sent.status_code, sent.headers["location"]) == (303, "/account?to=files")
        with pytest.raises(Unauthenticated):
            await known_callers_only.get("/", headers={"Accept": "*/*"})


@pytest.mark.parametrize("path", ["/account", "/account/verify", "/account/reset", "/account/oidc"])
async def test_whoever_must_sign_in_first_finds_the_page_to_do_so(path):
    async with opened(nobody) as known_callers_only:
        page = await known_callers_only.get(path)
        assert page.status_code == 200
        assert "unsafe" not in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"


async def test_the_policy_lets_in_own_scripts_and_nothing_else(http):
    policy = (await http.get("/")).headers["content-security-policy"]
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert directives == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob: data:",
        "media-src": "'self' blob:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }


@pytest.mark.parametrize("path", ["/", "/account", "/admin"])
async def test_everything_the_page_refers_to_is_there(http, path):
    page = (await http.get(path)).text
    own = [address for address in re.findall(r'(?:src|href)="([^"#]+)"', page) if address.startswith("/static/")]
    assert own
    for address in own:
        assert (await http.head(address)).status_code == 200, address


async def test_every_module_finds_the_modules_it_imports(http):
    scripts = [name for name in STATIC._files if name.endswith(".js")]
    for name in scripts:
        source = (await http.get(f"{STATIC.address}/{name}")).text
        for imported in re.findall(r"""^(?:import|export)[^;]*?from\s+["'](\.[^"']+)["']""", source, re.MULTILINE):
            address = httpx.URL(f"http://t{STATIC.address}/{name}").join(imported)
            assert (await http.head(address)).status_code == 200, f"{name} imports {imported}"


async def test_no_file_names_another_host(http):
    for name in STATIC._files:
        if name.rpartition(".")[2] in {"js", "css"}:
            text = (await http.get(f"/static/{name}")).text
            assert not re.search(r"""(?:from|import|url|fetch)\s*\(?\s*["'](?:https?:)?//""", text), name
