"""`filewright admin`: the first admin, beside or before a running service."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from filewright.cli import application

GOOD = "rather long and unheard of"


@pytest.fixture
def admin(tmp_path):
    def run(*arguments, password=GOOD, code=0):
        data = ["--data", str(tmp_path / "data")]
        done = CliRunner().invoke(application(), ["admin", *arguments, *data], input=password)
        assert done.exit_code == code, done.output
        return done.stdout if code == 0 else done.output

    return run


def test_the_first_admin_is_made_before_the_service_was_ever_started(admin):
    made = json.loads(admin("user", "add", "Ada@Example.com", "--role", "admin", "--password-file", "-", "--json"))
    assert (made["email"], made["role"], made["tier"]) == ("ada@example.com", "admin", "free")
    assert json.loads(admin("user", "show", "ada@example.com", "--json")) == made
    key = json.loads(admin("key", "create", made["id"], "--scopes", "admin,jobs:read", "--days", "3", "--json"))
    assert key["key"].startswith("fw_live_")
    admin("key", "revoke", key["id"])
    assert "revoked already" in admin("key", "revoke", key["id"], code=2)


def test_roles_tiers_and_doors_are_changed(admin):
    admin("user", "add", "ada@example.com", "--password-file", "-")
    admin("user", "set", "ada@example.com", "--role", "admin", "--tier", "premium")
    admin("user", "disable", "ada@example.com")
    shown = json.loads(admin("user", "show", "ada@example.com", "--json"))
    assert (shown["role"], shown["tier"], shown["disabled"]) == ("admin", "premium", True)
    admin("user", "enable", "ada@example.com")
    assert json.loads(admin("user", "show", "ada@example.com", "--json"))["disabled"] is False
    assert admin("key", "rotate").startswith("kid: sgk_")


def test_what_is_wrong_is_said_in_a_sentence(admin):
    assert "known from breaches" in admin(
        "user", "add", "a@example.com", "--password-file", "-", password="password1", code=2
    )
    assert "no e-mail address" in admin("user", "add", "nobody", "--password-file", "-", code=2)
    assert "no such account" in admin("user", "show", "nobody@example.com", code=2)
    assert "tiers are" in admin("user", "add", "a@example.com", "--tier", "gold", "--password-file", "-", code=2)
    assert "roles are" in admin("user", "add", "a@example.com", "--role", "king", "--password-file", "-", code=2)
    admin("user", "add", "a@example.com", "--password-file", "-")
    assert "already" in admin("user", "add", "A@example.com", "--password-file", "-", code=2)
    assert "can do no more" in admin("key", "create", "a@example.com", "--scopes", "admin", code=2)
