"""How people open accounts, sign in and are written to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from filewright.chassis.identity.known_passwords import BreachedPasswords
from filewright.chassis.identity.provider import ProviderSettings
from filewright.chassis.mail.smtp_address import SmtpServer, parse_smtp_address
from filewright.converter.settings.addresses import is_web_address

_SENDER = re.compile(r"[^\s<>@]+@[^\s<>@]+|[^<>@\x00-\x1f]+ <[^\s<>@]+@[^\s<>@]+>")


class AccountsSettings(BaseModel):
    """Registration, letters, another provider, passwords."""

    anonymous: Annotated[
        bool,
        Field(
            description="Whether those who do not say who they are are let in, by address. On a loopback address "
            "whoever owns the machine always is."
        ),
    ] = True
    registration: Annotated[
        Literal["open", "closed"],
        Field(description="Whether anybody may open an account, or only the operator (`filewright admin user add`)."),
    ] = "open"
    public_url: Annotated[
        str | None,
        Field(description="Where people find this service (`https://files.example.com`): for links in letters."),
    ] = None
    mail_url: Annotated[
        str | None,
        Field(
            repr=False,
            description="Where letters are handed in: `smtp://user@host:587` (STARTTLS), `smtps://user@host:465`, or "
            "on this machine `smtp://127.0.0.1:25?tls=none`. With it an address must be confirmed before its owner can "
            "sign in. Without it letters are kept in `DATA_DIR/letters`, and addresses need no confirming.",
        ),
    ] = None
    mail_password_file: Annotated[
        Path | None, Field(description="File with the password of the user in `MAIL_URL`.")
    ] = None
    mail_from: Annotated[str, Field(description="Whom letters come from.")] = "Filewright <filewright@localhost>"
    oidc_issuer: Annotated[
        str | None,
        Field(
            description="OpenID provider that people may sign in at (`https://id.example.com/realm`, exactly as it "
            "says itself). Name its network in `EGRESS_ALLOW` when it is not public."
        ),
    ] = None
    oidc_client_id: Annotated[str | None, Field(description="What this service is called there.")] = None
    oidc_client_secret_file: Annotated[
        Path | None, Field(description="File with the secret agreed on with the provider, if there is one.")
    ] = None
    oidc_redirect_url: Annotated[
        str | None,
        Field(
            description="Where the provider sends people back to. Without it: `/account/oidc` at `PUBLIC_URL`.",
        ),
    ] = None
    breached_passwords_file: Annotated[
        Path | None,
        Field(
            description="Passwords that nobody may choose, beside the packaged list of frequent ones: the file of Have "
            "I Been Pwned with SHA-1 digests ordered by hash."
        ),
    ] = None

    @property
    def provider(self) -> ProviderSettings | None:
        """Where people may sign in besides here."""
        if self.oidc_issuer is None or self.oidc_client_id is None:
            return None
        back = self.oidc_redirect_url or f"{self.public_url}/account/oidc"
        file = self.oidc_client_secret_file
        secret = file.read_text(encoding="utf-8").strip() if file is not None else None
        return ProviderSettings(self.oidc_issuer, self.oidc_client_id, back, secret)

    @property
    def mail_server(self) -> SmtpServer | None:
        """Where letters are handed in; None: nowhere. Raises ValueError, OSError."""
        if self.mail_url is None:
            return None
        file = self.mail_password_file
        password = file.read_text(encoding="utf-8").strip() if file is not None else None
        return parse_smtp_address(self.mail_url, password)

    @field_validator("public_url")
    @classmethod
    def _known_public_url(cls, value: str | None) -> str | None:
        if value is not None and not is_web_address(value):
            raise ValueError("use https://host, as people enter it")
        return value.rstrip("/") if value is not None else None

    @field_validator("mail_from")
    @classmethod
    def _known_sender(cls, value: str) -> str:
        if _SENDER.fullmatch(value) is None:
            raise ValueError("use name@host, or Name <name@host>")
        return value

    @field_validator("breached_passwords_file")
    @classmethod
    def _known_passwords(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                BreachedPasswords(value)
            except OSError:
                raise ValueError("there is no such file") from None
        return value

    @model_validator(mode="after")
    def _mail_server_is_one(self) -> Self:
        if self.mail_password_file is not None and self.mail_url is None:
            raise ValueError("mail_password_file: it goes with FILEWRIGHT_MAIL_URL")
        try:
            _ = self.mail_server
        except (OSError, ValueError) as error:
            raise ValueError(f"mail_url: {error}") from None
        return self

    @model_validator(mode="after")
    def _provider_is_whole(self) -> Self:
        if (self.oidc_issuer is None) != (self.oidc_client_id is None):
            raise ValueError("oidc_issuer: give it and FILEWRIGHT_OIDC_CLIENT_ID, or neither")
        if self.oidc_issuer is not None and self.oidc_redirect_url is None and self.public_url is None:
            raise ValueError("oidc_redirect_url: set it or FILEWRIGHT_PUBLIC_URL, so that people find their way back")
        if self.oidc_client_secret_file is not None and not self.oidc_client_secret_file.is_file():
            raise ValueError("oidc_client_secret_file: there is no such file")
        return self
