"""All settings together, and what more than one group of them says."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import ConfigDict

from filewright.converter.settings.accounts import AccountsSettings
from filewright.converter.settings.callers import CallersSettings
from filewright.converter.settings.conversion import ConversionSettings
from filewright.converter.settings.platform import PlatformSettings
from filewright.converter.settings.protection import ProtectionSettings

PREFIX = "FILEWRIGHT_"
DEFAULT_REQUEST_LOG_DAYS = 30


class SettingsError(Exception):
    """A setting is wrong. The message names it and says what would be right."""


class Settings(ConversionSettings, AccountsSettings, CallersSettings, ProtectionSettings, PlatformSettings):
    """Checked settings. The name of the environment variable is `FILEWRIGHT_` and the field's name in capitals.

    The groups stand here from the last to the first, as their fields come in errors and in `docs/settings.md`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def require_distributed(self) -> None:
        """Raises SettingsError unless all state is outside this process, where others find it too."""
        if urlsplit(self.effective_database_url).scheme != "postgresql":
            raise SettingsError(f"{PREFIX}DATABASE_URL: this role needs postgresql://user:password@host/name")
        if urlsplit(self.effective_storage_url).scheme != "s3":
            raise SettingsError(f"{PREFIX}STORAGE_URL: this role needs s3://bucket?endpoint=https://host")
        if self.redis_url is None:
            raise SettingsError(f"{PREFIX}REDIS_URL: this role needs redis://:password@host:6379/0")
        if self.secret_key_file is None:
            raise SettingsError(
                f"{PREFIX}SECRET_KEY_FILE: every role needs the same file; make it with: openssl rand -base64 48"
            )
