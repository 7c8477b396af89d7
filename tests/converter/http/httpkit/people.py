"""People of tests: they sign up, sign in, and carry tokens and keys."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx

GOOD = "rather long and unheard of"


def an_address() -> str:
    return f"ada.{secrets.token_hex(6)}@example.com"


def bearing(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def is_refused_soon(http: httpx.Client, headers: dict[str, str], path: str = "/v1/me") -> bool:
    """At once by the process that was told; by the others as soon as they have heard."""
    deadline = time.monotonic() + 30
    while (status := http.get(path, headers=headers).status_code) == 200 and time.monotonic() < deadline:
        time.sleep(0.02)
    return status == 401


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    email: str
    tokens: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        return bearing(self.tokens["access_token"])

    def key(self, http: httpx.Client, scopes: Iterable[str], **more: Any) -> dict[str, Any]:
        """A key of theirs."""
        answer = http.post("/v1/api-keys", json={"scopes": sorted(scopes), **more}, headers=self.headers)
        made: dict[str, Any] = answer.raise_for_status().json()
        return made


def somebody(http: httpx.Client, password: str = GOOD) -> Person:
    """Signs up and in."""
    body = {"email": an_address(), "password": password}
    http.post("/v1/auth/register", json=body).raise_for_status()
    return Person(body["email"], http.post("/v1/auth/login", json=body).raise_for_status().json())
