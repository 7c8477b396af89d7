"""A service that would be weak does not start: each wrong setting is named, with what would be right."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from filewright.converter.settings import SettingsError, load

pytestmark = pytest.mark.requirement("S34")
DISTRIBUTED = {
    "DATABASE_URL": "postgresql://filewright:secret@db/filewright",
    "STORAGE_URL": "s3://files?endpoint=https://bucket",
    "REDIS_URL": "rediss://:secret@redis:6379/0",
}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"SECRET_KEY_FILE": "{weak}"}, "SECRET_KEY_FILE"),
        ({"SECRET_KEY_FILE": "{none}"}, "SECRET_KEY_FILE"),
        ({"MASTER_KEY_FILE": "{weak}"}, "MASTER_KEY_FILE"),
        ({"MASTER_KEY_FILE": "{none}"}, "MASTER_KEY_FILE"),
        ({"STRIPE_KEY_FILE": "{weak}"}, "STRIPE_KEY_FILE"),
        ({"OIDC_ISSUER": "https://id.example.com"}, "OIDC_ISSUER"),
        (
            {"OIDC_ISSUER": "https://id.example.com", "OIDC_CLIENT_ID": "f", "OIDC_CLIENT_SECRET_FILE": "{none}",
             "PUBLIC_URL": "https://files.example.com"},
            "OIDC_CLIENT_SECRET_FILE",
        ),
        ({"S3_ACCESS_KEY_ID": "half"}, "S3_ACCESS_KEY_ID"),
        ({"MAIL_URL": "smtp://relay.example.com?tls=none"}, "MAIL_URL"),
        ({"MAIL_PASSWORD_FILE": "{weak}"}, "MAIL_PASSWORD_FILE"),
        ({"PUBLIC_URL": "files.example.com"}, "PUBLIC_URL"),
        ({"SCANNING": "required"}, "SCANNING"),
        ({"CLAMD_URL": "http://scanner"}, "CLAMD_URL"),
        ({"DATABASE_URL": "mysql://db/filewright"}, "DATABASE_URL"),
        ({"STORAGE_URL": "ftp://files"}, "STORAGE_URL"),
        ({"REDIS_URL": "http://redis"}, "REDIS_URL"),
        ({**DISTRIBUTED, "CACHE_URL": DISTRIBUTED["REDIS_URL"]}, "CACHE_URL"),
        ({"TRUSTED_PROXIES": "everybody"}, "TRUSTED_PROXIES"),
        ({"BLOCKED_NETWORKS": "010.0.0.0/8"}, "BLOCKED_NETWORKS"),
        ({"BLOCKED_NETWORKS": "0x7f.1/8"}, "BLOCKED_NETWORKS"),
        ({"EGRESS_ALLOW": "10.0.0.0/33"}, "EGRESS_ALLOW"),
        ({"SANDBOX": "none"}, "SANDBOX"),
        ({"REGISTRATION": "perhaps"}, "REGISTRATION"),
        ({"SECRET_KEYFILE": "{strong}"}, "SECRET_KEY_FILE"),
    ],
)  # fmt: skip
def test_a_weak_or_wrong_setting_is_refused_by_name(settings: dict[str, str], named: str, tmp_path: Path) -> None:
    (tmp_path / "weak").write_text("short")
    (tmp_path / "strong").write_bytes(base64.b64encode(bytes(48)))
    places = {name: str(tmp_path / name) for name in ("weak", "strong", "none")}
    given = {f"FILEWRIGHT_{name}": value.format(**places) for name, value in settings.items()}
    with pytest.raises(SettingsError, match=f"FILEWRIGHT_{named}") as refused:
        load(given)
    assert "short" not in str(refused.value)


@pytest.mark.parametrize("lacking", [*DISTRIBUTED, "SECRET_KEY_FILE"])
def test_no_role_of_many_starts_without_what_all_share(lacking: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(base64.b64encode(bytes(48)))
    given = {**DISTRIBUTED, "SECRET_KEY_FILE": str(tmp_path / "secret"), "DATA_DIR": str(tmp_path)}
    load({f"FILEWRIGHT_{name}": value for name, value in given.items()}).require_distributed()
    del given[lacking]
    with pytest.raises(SettingsError, match=lacking):
        load({f"FILEWRIGHT_{name}": value for name, value in given.items()}).require_distributed()
