"""A service where people have accounts, may sign in elsewhere, and pay for what they use; and the people."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from filewright.chassis.testing.servers.process import free_port
from shapekit.provider import openid_provider
from shapekit.service import EmbeddedService

TIERS = "tiers:\n  free:\n    monthly_conversions: 100\n  premium:\n    monthly_price: 19\n"
PATIENCE_SECONDS = 120
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Town:
    """The service, the letters that it wrote, and where else its people may sign in."""

    url: str
    folder: Path
    provider: str

    def client(self) -> httpx.Client:
        """Of its API, with the patience that a busy machine asks for."""
        return httpx.Client(base_url=self.url, timeout=PATIENCE_SECONDS)

    @property
    def books(self) -> Path:
        """Its database."""
        return self.folder / "data" / "filewright.db"

    def code(self, address: str, subject: str) -> str:
        """From the letter to this address."""
        return self._found(address, subject, r"^    ([\w-]{20,})$")

    def link(self, address: str, subject: str) -> str:
        """From the letter to this address."""
        return self._found(address, subject, r"(http://\S+#code=\S+)")

    def _found(self, address: str, subject: str, pattern: str) -> str:
        """The letter may be on its way yet."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            for path in (self.folder / "data" / "letters").glob("ltr_*.eml"):
                letter = message_from_bytes(path.read_bytes(), policy=policy.default)
                if letter["To"] == address and letter["Subject"] == subject:
                    found = re.search(pattern, letter.get_content(), re.MULTILINE)
                    assert found
                    return found[1]
            time.sleep(0.05)
        raise AssertionError(f"no letter to {address}")


@dataclass(frozen=True)
class Person:
    """Somebody with an account, or about to have one."""

    email: str = field(default_factory=lambda: f"ada.{next(_NUMBERS)}@example.com")
    password: str = "four words in a row"


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """With tiers of its own, so that the machine's owner is a caller like all others."""
    folder = tmp_path_factory.mktemp("town")
    tiers, port = folder / "tiers.yaml", free_port()
    tiers.write_text(TIERS)
    (folder / "secret").write_text("agreed on\n")
    with openid_provider() as provider:
        settings = {
            "TIERS_FILE": str(tiers),
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "OIDC_ISSUER": provider,
            "OIDC_CLIENT_ID": "filewright",
            "OIDC_CLIENT_SECRET_FILE": str(folder / "secret"),
            "EGRESS_ALLOW": "127.0.0.0/8,::1/128",
        }
        environment = {**os.environ, **{f"FILEWRIGHT_{name}": value for name, value in settings.items()}}
        with EmbeddedService.started(folder, "--port", str(port), environment=environment) as service:
            yield Town(service.url, folder, provider)


@pytest.fixture
def person(town: Town) -> Person:
    """With an account already."""
    somebody = Person()
    sign_up(town, somebody)
    return somebody


@pytest.fixture
def newcomer() -> Person:
    """Without an account."""
    return Person()


@pytest.fixture
def at_the_door(visits: Callable[..., Any], town: Town) -> Callable[..., Any]:
    """A visit to the account page by whoever is not signed in."""

    def come(**options: Any) -> Any:
        visit = visits(town.url, permissions=["clipboard-read", "clipboard-write"], **options).open("/account")
        expect(visit.page.locator("#account input").first).to_be_focused()
        return visit

    return come


@pytest.fixture
def inside(at_the_door: Callable[..., Any], person: Person) -> Callable[..., Any]:
    """A visit by the person, signed in."""

    def come(**options: Any) -> Any:
        visit = at_the_door(**options)
        sign_in(visit, person)
        expect(visit.page.locator(".who")).to_contain_text(person.email)
        return visit

    return come


def sign_up(town: Town, somebody: Person) -> None:
    """By the API."""
    with town.client() as http:
        http.post("/v1/auth/register", json={"email": somebody.email, "password": somebody.password}).raise_for_status()


def sign_in(visit: Any, person: Person) -> None:
    """By the keyboard, with what stands in no language."""
    visit.page.locator("input[type=email]").fill(person.email)
    visit.page.locator("input[type=password]").fill(person.password)
    visit.page.keyboard.press("Enter")
