"""Who is believed, let in and let out, how much of the service they may have, and who is told when it is abused."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, field_validator

from filewright.chassis.audit.alarms import parse_patterns
from filewright.converter.settings.addresses import is_web_address

_ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+")


class CallersSettings(BaseModel):
    """Networks, tiers and alarms."""

    trusted_proxies: Annotated[
        tuple[str, ...],
        Field(
            description="Networks (comma-separated, as `10.0.0.0/8`) whose `X-Forwarded-For` and `X-Forwarded-Proto` "
            "are believed. Empty: nobody's.",
        ),
    ] = ()
    egress_allow: Annotated[
        tuple[str, ...],
        Field(
            description="Networks (comma-separated, as `10.1.0.0/16`) that imports by address, webhooks and other "
            "calls to the outside may reach although they are not public, on any port and without TLS. Empty: none.",
        ),
    ] = ()
    tiers_file: Annotated[
        Path | None,
        Field(
            description="YAML file with tiers of your own; `filewright tiers` shows those that hold, to start from. "
            "With it limits hold on 127.0.0.1 too.",
        ),
    ] = None
    stripe_key_file: Annotated[
        Path | None,
        Field(
            description="File with the secret key of an account at Stripe: invoices are sent through it. Without "
            "it: they are made and shown, and sent by nobody."
        ),
    ] = None
    allowed_networks: Annotated[
        tuple[str, ...],
        Field(description="Networks (comma-separated) that may use the service. Empty: all that are not blocked."),
    ] = ()
    blocked_networks: Annotated[tuple[str, ...], Field(description="Networks (comma-separated) that may not.")] = ()
    unlimited_networks: Annotated[
        tuple[str, ...],
        Field(description="Networks (comma-separated) whose callers may ask and order as fast as they like."),
    ] = ()
    alarms: Annotated[
        str,
        Field(
            description="When what looks like abuse is an alarm, where that differs from the usual: "
            "`login_failed=20/600,enumeration=off` (times, and within how many seconds). The names are in "
            "docs/security.md."
        ),
    ] = ""
    alarm_mail: Annotated[
        str | None, Field(description="Who gets a letter about each alarm. They are logged and counted anyway.")
    ] = None
    alarm_url: Annotated[
        str | None,
        Field(
            description="An address of a chat or a pager that alarms are posted to, as JSON with a `text`. One that is "
            "not public is named in `FILEWRIGHT_EGRESS_ALLOW`, too."
        ),
    ] = None

    @field_validator(
        "trusted_proxies", "egress_allow", "allowed_networks", "blocked_networks", "unlimited_networks", mode="before"
    )
    @classmethod
    def _networks(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = tuple(part.strip() for part in value.split(",") if part.strip())
        for part in parts:
            ipaddress.ip_network(part)
        return parts

    @field_validator("stripe_key_file")
    @classmethod
    def _key_of_stripe(cls, value: Path | None) -> Path | None:
        if value is not None and not (value.is_file() and value.read_bytes().strip().startswith((b"sk_", b"rk_"))):
            raise ValueError("there is no such file, or what is in it does not begin with sk_ or rk_")
        return value

    @field_validator("alarms")
    @classmethod
    def _known_alarms(cls, value: str) -> str:
        parse_patterns(value)
        return value

    @field_validator("alarm_mail")
    @classmethod
    def _known_operator(cls, value: str | None) -> str | None:
        if value is not None and _ADDRESS.fullmatch(value) is None:
            raise ValueError("use name@host")
        return value

    @field_validator("alarm_url")
    @classmethod
    def _known_pager(cls, value: str | None) -> str | None:
        if value is not None and not is_web_address(value):
            raise ValueError("use https://host/path")
        return value
