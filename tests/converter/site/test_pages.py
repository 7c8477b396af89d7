"""What the page comes with: its policy, its files, and nothing from anywhere else."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from filewright.chassis.web.problems import Unauthenticated
from filewright.converter.routing.planner import Planner
from filewright.converter.site.pages import STATIC, Pages, router
from filewright.converter.tiers import ANONYMOUS, LOCAL, Caller


@asynccontextmanager
async def opened(caller_of):
    app = FastAPI(openapi_url=None)
    app.include_router(router(Pages(None, Planner(()), caller_of)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
        yield client


@pytest.fixture
async def http():
    async with opened(lambda _request: Caller("local", LOCAL)) as client:
        yield client


def nobody(_request):
    raise Unauthenticated


async def test_the_way_to_accounts_is_shown_to_strangers_and_not_to_the_owner_of_the_machine(http):
    assert 'href="/account"' not in (await http.get("/")).text
    assert 'data-local="true"' in (await http.get("/account")).text
    async with opened(lambda _request: Caller("ip:203.0.113.7", ANONYMOUS)) as strangers:
        assert 'href="/account"' in (await strangers.get("/")).text
        assert 'data-local="false"' in (await strangers.get("/account")).text


@pytest.mark.parametrize("path", ["/account", "/account/verify", "/account/reset"])
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


@pytest.mark.parametrize("path", ["/", "/account"])
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
