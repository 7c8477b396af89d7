"""What files are looked at and sealed with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from filewright.chassis.scanning.address import parse_addresses
from filewright.chassis.storage.encryption.master import keys_in


class ProtectionSettings(BaseModel):
    """Secrets, keys and scanners."""

    secret_key_file: Annotated[
        Path | None,
        Field(
            description="File with at least 32 random bytes: seals the passwords of files while jobs wait. Without it: "
            "made at the first start in `DATA_DIR`.",
        ),
    ] = None
    clamd_url: Annotated[
        str | None,
        Field(
            description="ClamAV daemons that look at every file before it is converted, and at what came of it: "
            "`tcp://host:3310` or `unix:///run/clamav/clamd.ctl`, several with commas between them. Each needs "
            "`AlertExceedsMax yes`. While none of them answers, files wait. Without it: nothing is scanned.",
        ),
    ] = None
    scanning: Annotated[
        Literal["auto", "required", "off"],
        Field(
            description="`auto`: files are scanned where `CLAMD_URL` is set. `required`: do not start without it. "
            "`off`: do not scan, although it is set.",
        ),
    ] = "auto"
    master_key_file: Annotated[
        Path | None,
        Field(
            description="File with a key of at least 32 random bytes on each line, the last one in use: files are "
            "stored encrypted. Each tenant's own key lies, wrapped, in the folder `<file>.tenants`; keep file and "
            "folder apart from the database and the files, and share them between all processes. Without it: files "
            "are stored as they are.",
        ),
    ] = None

    @field_validator("clamd_url")
    @classmethod
    def _known_scanners(cls, value: str | None) -> str | None:
        if value is not None:
            parse_addresses(value)
        return value

    @model_validator(mode="after")
    def _scanning_is_possible(self) -> Self:
        if self.scanning == "required" and self.clamd_url is None:
            raise ValueError(
                "scanning: `required` needs a scanner; set FILEWRIGHT_CLAMD_URL=unix:///run/clamav/clamd.ctl"
            )
        return self

    @model_validator(mode="after")
    def _secret_is_strong(self) -> Self:
        path = self.secret_key_file
        if path is not None:
            if not path.is_file():
                raise ValueError("secret_key_file: there is no such file")
            if len(path.read_bytes().strip()) < 32:
                raise ValueError(
                    "secret_key_file: it holds fewer than 32 bytes; make one with: openssl rand -base64 48"
                )
        return self

    @model_validator(mode="after")
    def _master_key_is_strong(self) -> Self:
        path = self.master_key_file
        if path is not None:
            if not path.is_file():
                raise ValueError("master_key_file: there is no such file; make it with: openssl rand -base64 48")
            try:
                keys_in(path)
            except ValueError as error:
                raise ValueError(f"master_key_file: {error}") from None
        return self
