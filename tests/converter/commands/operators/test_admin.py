"""`filewright admin`: the first admin, beside or before a running service."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner

from filewright.cli import application
from filewright.converter.tiers import LOCAL

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


def test_roles_tiers_and_doors_are_changed(admin, tmp_path):
    admin("user", "add", "ada@example.com", "--password-file", "-")
    admin("user", "set", "ada@example.com", "--role", "admin", "--tier", "premium")
    admin("user", "disable", "ada@example.com")
    shown = json.loads(admin("user", "show", "ada@example.com", "--json"))
    assert (shown["role"], shown["tier"], shown["disabled"]) == ("admin", "premium", True)
    admin("user", "enable", "ada@example.com")
    assert json.loads(admin("user", "show", "ada@example.com", "--json"))["disabled"] is False
    assert admin("key", "rotate").startswith("kid: sgk_")
    admin("user", "credit", "ada@example.com", "5")
    with closing(sqlite3.connect(tmp_path / "data" / "filewright.db")) as database:
        acts = database.execute("SELECT action, actor FROM audit_logs ORDER BY id").fetchall()
    assert [action for action, _ in acts] == [
        "account.opened", "account.changed", "account.disabled", "account.enabled", "signing_key.made",
        "account.credited",
    ]  # fmt: skip
    assert {actor for _, actor in acts} == {"operator at the console"}


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


@pytest.fixture
def console(tmp_path, monkeypatch):
    """Commands that find the service by its settings."""
    monkeypatch.setenv("FILEWRIGHT_DATA_DIR", str(tmp_path / "data"))

    def run(*arguments, code=0):
        done = CliRunner().invoke(application(), ["admin", *arguments])
        assert done.exit_code == code, done.output
        return done.stdout if code == 0 else done.output

    return run


def test_the_audit_log_is_shown_by_act_and_by_whom(admin, console):
    made = json.loads(admin("user", "add", "ada@example.com", "--password-file", "-", "--json"))
    admin("user", "disable", made["id"])
    lines = [json.loads(line) for line in console("audit", "list", "--subject", made["id"], "--json").splitlines()]
    assert [line["action"] for line in lines] == ["account.disabled", "account.opened"]
    assert "account.opened" in console("audit", "list", "--action", "account.opened", "--limit", "1")
    assert console("audit", "list", "--actor", "ip:203.0.113.9") == ""
    assert json.loads(console("audit", "verify", "--json"))["good"] is True


def test_quarantine_is_listed_released_and_erased(admin, console, tmp_path):
    admin("user", "add", "ada@example.com", "--password-file", "-")
    with closing(sqlite3.connect(tmp_path / "data" / "filewright.db")) as database, database:
        plant_held_job(database, "job_01jd6qx2v7c8e9f0g1h2j3k4m5")
        plant_held_job(database, "job_01jd6qx2v7c8e9f0g1h2j3k4m6")
    held = json.loads(console("quarantine", "list", "--json"))
    assert [(item["id"][-1], item["state"]) for item in held] == [("6", "quarantined"), ("5", "quarantined")]
    released = json.loads(console("quarantine", "release", held[0]["id"], "--json"))
    assert released == {"id": held[0]["id"], "status": "queued"}
    assert "erased" in console("quarantine", "delete", held[1]["id"])
    assert console("quarantine", "list") == ""
    assert "not in quarantine" in console("quarantine", "delete", held[0]["id"], code=1)
    assert "no such job" in console("quarantine", "release", "job_01jd6qx2v7c8e9f0g1h2j3k4m7", code=1)
    acts = [json.loads(line) for line in console("audit", "list", "--limit", "2", "--json").splitlines()]
    assert [(act["action"], act["actor"]) for act in acts] == [
        ("quarantine.deleted", "operator at the console"),
        ("quarantine.released", "operator at the console"),
    ]


def plant_held_job(database, job_id):
    """A job that crashed engines, without an input that would have to be there."""
    now = "2026-01-01 00:00:00.000000"
    values = {
        "id": job_id, "tenant": "usr_1", "state": "quarantined", "progress": 0, "revision": 1, "attempt": 3,
        "operation": "convert", "source_format": "txt", "target_format": "pdf", "options": "{}", "route": "[]",
        "limits": json.dumps(LOCAL.of_a_job()), "lane": "standard", "not_before": now, "deadline_at": now,
        "hint_at": now, "created_at": now, "queued_at": now,
    }  # fmt: skip
    needed = [row for row in database.execute("PRAGMA table_info(jobs)") if row[3] and row[4] is None]
    for _, name, kind, *_ in needed:
        values.setdefault(name, 0 if kind.upper() in {"INTEGER", "SMALLINT", "BIGINT", "BOOLEAN", "FLOAT"} else "")
    names = ", ".join(values)
    database.execute(f"INSERT INTO jobs ({names}) VALUES ({', '.join('?' * len(values))})", tuple(values.values()))
