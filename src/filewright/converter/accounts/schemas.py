"""The wire shapes of accounts."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from filewright.converter.tiers import SCOPES

MOST_NETWORKS = 50
USUAL_SCOPES = ("account:read", "jobs:read", "jobs:write", "uploads:write")
"""Of a key for which none are named: what it takes to have files converted."""
_EMAIL = "ada@example.com"
_PASSWORD = "four words in a row"  # noqa: S105
_CODE = "Jr0…"
_KEY_ID = "key_01jd6qx2v7c8e9f0g1h2j3k4m5"
_SESSION_ID = "ses_01jd6qx2v7c8e9f0g1h2j3k4m5"
_NOW, _LATER = "2026-01-02T12:05:00Z", "2027-01-02T12:05:00Z"

Email = Annotated[str, Field(min_length=3, max_length=320, description="An e-mail address; capitals do not matter.")]
Password = Annotated[str, Field(min_length=1, max_length=1024)]
NewPassword = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1024,
        description="8 to 256 characters, any; none that is known from breaches or among the first to be tried.",
    ),
]
Code = Annotated[str, Field(min_length=1, max_length=200, description="From the letter.")]


def _example(**fields: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [fields]})


class Credentials(BaseModel):
    """Who somebody says they are."""

    model_config = _example(email=_EMAIL, password=_PASSWORD)

    email: Email
    password: Password


class Registration(BaseModel):
    """A new account."""

    model_config = _example(email=_EMAIL, password=_PASSWORD)

    email: Email
    password: NewPassword


class Refresh(BaseModel):
    """Carry a session on."""

    model_config = _example(refresh_token="fwr_…")  # noqa: S106

    refresh_token: Annotated[str, Field(min_length=1, max_length=300)]


class Logout(BaseModel):
    """End a session: that of the bearer, of the refresh token, or both."""

    model_config = _example(refresh_token="fwr_…")  # noqa: S106

    refresh_token: Annotated[str | None, Field(max_length=300)] = None


class ElsewhereBegun(BaseModel):
    """A sign-in at the operator's provider, begun."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"authorization_url": "https://id.example.com/authorize?client_id=…", "flow": "c2VhbGVk…"}]
        }
    )

    authorization_url: Annotated[str, Field(description="Where to send the person.")]
    flow: Annotated[str, Field(description="To keep, by whoever began, until the person is back: ten minutes.")]


class ElsewhereFinished(BaseModel):
    """What the provider sent the person back with, and what was kept."""

    model_config = _example(flow="c2VhbGVk…", code="SplxlOBeZQQYbYS6WxSbIA", state="af0ifjsldkj")

    flow: Annotated[str, Field(min_length=1, max_length=2000)]
    code: Annotated[str, Field(min_length=1, max_length=4000)]
    state: Annotated[str, Field(min_length=1, max_length=200)]


class AddressOnly(BaseModel):
    """Where to send a letter."""

    model_config = _example(email=_EMAIL)

    email: Email


class CodeOnly(BaseModel):
    """A code from a letter."""

    model_config = _example(code=_CODE)

    code: Code


class PasswordReset(BaseModel):
    """A code from a letter, and the password from now on."""

    model_config = _example(code=_CODE, password=_PASSWORD)

    code: Code
    password: NewPassword


class PasswordChange(BaseModel):
    """The password until now, and from now on."""

    model_config = _example(current_password="what it was", new_password=_PASSWORD)  # noqa: S106

    current_password: Password
    new_password: NewPassword


class Accepted(BaseModel):
    """What is said whether or not there is such an account."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"detail": "A letter is on its way."}]})

    detail: str


class SignedIn(BaseModel):
    """Tokens, in the words of OAuth 2 (RFC 6749)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "access_token": "eyJhbGciOiJIUzI1NiIs…",
                    "token_type": "Bearer",
                    "expires_in": 600,
                    "refresh_token": "fwr_…",
                    "scope": "account:read jobs:read jobs:write",
                    "session": _SESSION_ID,
                }
            ]
        }
    )

    access_token: Annotated[str, Field(description="For `Authorization: Bearer …`.")]
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105
    expires_in: Annotated[int, Field(description="Seconds that the access token is good.")]
    refresh_token: Annotated[str, Field(description="Good once; the answer to it brings the next one.")]
    scope: str
    session: str


class Account(BaseModel):
    """Who the caller is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "kind": "user",
                    "id": "usr_01jd6qx2v7c8e9f0g1h2j3k4m5",
                    "email": _EMAIL,
                    "email_verified": True,
                    "tier": "free",
                    "role": "user",
                    "scopes": ["account:read", "jobs:read", "jobs:write"],
                    "created_at": _NOW,
                }
            ]
        }
    )

    kind: Annotated[
        Literal["user", "anonymous", "local"],
        Field(description="`local`: the owner of the machine that the service runs on, for itself."),
    ]
    id: str | None
    email: str | None
    email_verified: bool
    tier: str
    role: str | None
    scopes: Sequence[str]
    created_at: datetime | None


class SessionView(BaseModel):
    """Where the account is signed in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _SESSION_ID,
                    "current": True,
                    "address": "203.0.113.7",
                    "agent": "Mozilla/5.0",
                    "created_at": _NOW,
                    "last_seen_at": _NOW,
                    "expires_at": _LATER,
                }
            ]
        }
    )

    id: str
    current: Annotated[bool, Field(description="Whether this is the session that asks.")]
    address: str | None
    agent: str | None
    created_at: datetime
    last_seen_at: Annotated[datetime, Field(description="When it was last carried on.")]
    expires_at: datetime


class SessionPage(BaseModel):
    """One page of sessions."""

    data: Sequence[SessionView]
    next_cursor: str | None


def _known_scopes(scopes: list[str]) -> list[str]:
    for scope in scopes:
        if scope not in SCOPES:
            raise ValueError("there is no such scope; there are " + " ".join(sorted(SCOPES)))
    return scopes


def _networks(texts: list[str]) -> list[str]:
    try:
        return [str(ipaddress.ip_network(text.strip())) for text in texts]
    except ValueError:
        raise ValueError("write addresses and networks like 203.0.113.7 or 2001:db8::/32") from None


class KeyRequest(BaseModel):
    """A key that somebody wants."""

    model_config = _example(name="nightly build", scopes=["jobs:read", "jobs:write", "uploads:write"])

    name: Annotated[str, Field(min_length=1, max_length=100, description="For yourself, to know it again.")] = "key"
    scopes: Annotated[
        list[Annotated[str, Field(max_length=32, json_schema_extra={"enum": sorted(SCOPES)})]],
        AfterValidator(_known_scopes),
        Field(min_length=1, max_length=len(SCOPES), description="What it may do: no more than you."),
    ] = Field(default_factory=lambda: list(USUAL_SCOPES))
    mode: Annotated[
        Literal["live", "test"], Field(description="`test`: to try things out with; its work is not charged.")
    ] = "live"
    networks: Annotated[
        list[Annotated[str, Field(max_length=64)]],
        AfterValidator(_networks),
        Field(max_length=MOST_NETWORKS, description="Where it may be used from; empty: anywhere."),
    ] = Field(default_factory=list)
    expires_at: Annotated[
        AwareDatetime | None, Field(strict=False, description="Until then it is good; without it, until it is revoked.")
    ] = None


_KEY: dict[str, Any] = {
    "id": _KEY_ID,
    "name": "nightly build",
    "hint": "fw_live_7dKq",
    "mode": "live",
    "scopes": ["jobs:read", "jobs:write", "uploads:write"],
    "networks": [],
    "created_at": _NOW,
    "expires_at": _LATER,
    "last_used_at": None,
}


class KeyView(BaseModel):
    """A key, without what makes it one."""

    model_config = ConfigDict(json_schema_extra={"examples": [_KEY]})

    id: str
    name: str
    hint: Annotated[str, Field(description="Its first characters.")]
    mode: Literal["live", "test"]
    scopes: Sequence[str]
    networks: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: Annotated[datetime | None, Field(description="To about half a minute.")]


class NewKeyView(KeyView):
    """A key, this once."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_KEY, "key": "fw_live_7dKq…"}]})

    key: Annotated[str, Field(description="The key itself. It is shown only now, and kept nowhere.")]


class KeyPage(BaseModel):
    """One page of keys."""

    data: Sequence[KeyView]
    next_cursor: str | None
