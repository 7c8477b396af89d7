"""A service where people have accounts, and the people."""

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

from shapekit.service import EmbeddedService

TIERS = "tiers:\n  free:\n    monthly_conversions: 100\n"
PATIENCE_SECONDS = 60
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Town:
    """The service, and the letters that it wrote."""

    url: str
    letters: Path

    def code(self, address: str, subject: str) -> str:
        """From the letter to this address; it may be on its way yet."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            for path in self.letters.glob("ltr_*.eml"):
                letter = message_from_bytes(path.read_bytes(), policy=policy.default)
                if letter["To"] == address and letter["Subject"] == subject:
                    found = re.search(r"^    (\S{20,})$", letter.get_content(), re.MULTILINE)
                    assert found
                    return found[1]
            time.sleep(0.05)
        raise AssertionError(f"no letter to {address}")


@dataclass(frozen=True)
class Person:
    """Somebody with an account, or about to have one."""

    email: str = field(default_factory=lambda: f"ada.{next(_NUMBERS)}@example.com")
    password: str = "four words in a row"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """With tiers of its own, so that the machine's owner is a caller like all others."""
    folder = tmp_path_factory.mktemp("town")
    tiers = folder / "tiers.yaml"
    tiers.write_text(TIERS)
    with EmbeddedService.started(folder, environment={**os.environ, "FILEWRIGHT_TIERS_FILE": str(tiers)}) as service:
        yield Town(service.url, folder / "data" / "letters")


@pytest.fixture
def person(town: Town) -> Person:
    """With an account already."""
    somebody = Person()
    httpx.post(
        f"{town.url}/v1/auth/register", json={"email": somebody.email, "password": somebody.password}
    ).raise_for_status()
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


def sign_in(visit: Any, person: Person) -> None:
    """By the keyboard, with what stands in no language."""
    visit.page.locator("input[type=email]").fill(person.email)
    visit.page.locator("input[type=password]").fill(person.password)
    visit.page.keyboard.press("Enter")
