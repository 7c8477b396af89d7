"""The deploy files, and one set of secrets made as an operator makes them. Nothing is started here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from deploykit import compose

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
STORAGE = {
    "prod": ["https://files.example.org", "s3://files?region=eu-central-1"],
    "staging": ["https://files.example.org"],
}


@pytest.fixture(scope="session")
def deploy() -> Path:
    """The folder."""
    return DEPLOY


@pytest.fixture(scope="session", params=["dev", "staging", "prod"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each Compose file in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def secrets(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make-secrets` makes for it."""
    folder = tmp_path_factory.mktemp(kind) / "secrets"
    subprocess.run([DEPLOY / "make-secrets", folder, *STORAGE.get(kind, [])], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def document(kind: str, secrets: Path) -> dict[str, Any]:
    """The Compose file as data, with this operator's variables."""
    return compose.load(
        DEPLOY / "compose" / f"{kind}.yaml",
        {"FILEWRIGHT_IMAGE": "filewright:test", "FILEWRIGHT_SECRETS": str(secrets)},
    )
