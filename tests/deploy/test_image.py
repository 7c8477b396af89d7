"""The image is well made and holds what a checkout would install."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _lint(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("hadolint"), "--no-color", path], capture_output=True, text=True, check=False
    )


def test_the_linter_has_nothing_to_say(deploy: Path) -> None:
    done = _lint(deploy / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_linter_is_heard(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM debian:latest\nRUN apt-get install python3\n")
    assert _lint(bad).returncode != 0


def test_the_engines_are_the_packages_that_a_checkout_installs(deploy: Path) -> None:
    (listed,) = re.findall(r'^run_packages="([^"]*)"', (ROOT / "scripts" / "bootstrap").read_text(), re.MULTILINE)
    text = (deploy / "Dockerfile").read_text(encoding="utf-8").rpartition("FROM ")[2]
    installed = set(re.findall(r"^ {8}([a-z0-9.+-]+) \\$", text, re.MULTILINE))
    assert installed == set(listed.split()) | {"ca-certificates", "python3"}


@pytest.mark.requirement("S40", "S41")
def test_python_packages_come_with_hashes_and_the_program_runs_as_nobody_special(deploy: Path) -> None:
    text = (deploy / "Dockerfile").read_text(encoding="utf-8")
    assert "--require-hashes -r requirements/run.txt" in text
    users = re.findall(r"^USER (\S+)$", text, re.MULTILINE)
    assert users
    assert all(re.fullmatch(r"[1-9]\d+:[1-9]\d+", user) for user in users)
    assert re.search(r"^HEALTHCHECK ", text, re.MULTILINE)


def test_all_that_the_image_copies_is_in_the_checkout_and_goes_to_the_builder(deploy: Path) -> None:
    text = (deploy / "Dockerfile").read_text(encoding="utf-8")
    passed = set(re.findall(r"^!(\S+)$", (deploy / "Dockerfile.dockerignore").read_text(), re.MULTILINE))
    copied = [
        source for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for source in line.split()[:-1]
    ]
    assert set(copied) == passed
    assert all((ROOT / source).exists() for source in copied)
