"""The distributed roles refuse to start on settings that would lose what they hold, and say which one is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from filewright.converter.commands import app

POSTGRES = {"FILEWRIGHT_DATABASE_URL": "postgresql://nobody:x@127.0.0.1:1/none"}
BUCKET = {"FILEWRIGHT_STORAGE_URL": "s3://bucket?endpoint=http://127.0.0.1:1"}
REDIS = {"FILEWRIGHT_REDIS_URL": "redis://127.0.0.1:1/0"}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The program in this process, on these settings and no others."""
    for name in [name for name in os.environ if name.startswith("FILEWRIGHT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def ran(*arguments: str, **settings: str) -> Result:
        return CliRunner().invoke(app, arguments, env=settings)

    return ran


@pytest.mark.parametrize("role", ["api", "worker", "beat"])
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "FILEWRIGHT_DATABASE_URL"),
        (POSTGRES, "FILEWRIGHT_STORAGE_URL"),
        (POSTGRES | BUCKET, "FILEWRIGHT_REDIS_URL"),
        (POSTGRES | BUCKET | REDIS, "FILEWRIGHT_SECRET_KEY_FILE"),
    ],
)
def test_a_role_names_the_setting_that_it_lacks(run, role: str, settings: dict[str, str], named: str):
    ended = run(role, **settings)
    assert ended.exit_code == 2
    assert named in ended.stderr


def test_serve_is_one_process_and_refuses_a_broker(tmp_path: Path):
    environment = {"PATH": os.environ["PATH"], **REDIS}
    argv = [sys.executable, "-m", "filewright", "serve", "--port", "0"]
    ended = subprocess.run(
        argv, capture_output=True, text=True, timeout=120, cwd=tmp_path, env=environment, check=False
    )
    assert ended.returncode == 2
    assert "FILEWRIGHT_REDIS_URL" in ended.stderr


@pytest.mark.requirement("G2")
@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (REDIS | {"FILEWRIGHT_CACHE_URL": "redis://:x@127.0.0.1:1/1"}, "another server"),
        ({"FILEWRIGHT_CACHE_URL": "redis://127.0.0.1:2/0"}, "FILEWRIGHT_REDIS_URL"),
        (REDIS | {"FILEWRIGHT_CACHE_URL": "http://127.0.0.1:2"}, "use redis://"),
    ],
)
def test_a_cache_is_a_redis_of_its_own(run, settings: dict[str, str], why: str):
    ended = run("api", **POSTGRES, **BUCKET, **settings)
    assert ended.exit_code == 2
    assert "FILEWRIGHT_CACHE_URL" in ended.stderr
    assert why in ended.stderr


def test_a_lane_that_does_not_exist_is_refused(run, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"s" * 48)
    settings = POSTGRES | BUCKET | REDIS | {"FILEWRIGHT_SECRET_KEY_FILE": str(secret)}
    ended = run("worker", "--queues", "express", **settings)
    assert ended.exit_code == 2
    assert "premium, standard" in ended.stderr


def test_one_half_of_a_pair_of_keys_is_refused(run):
    ended = run("api", FILEWRIGHT_S3_ACCESS_KEY_ID="only")
    assert ended.exit_code == 2
    assert "FILEWRIGHT_S3_SECRET_ACCESS_KEY" in ended.stderr
