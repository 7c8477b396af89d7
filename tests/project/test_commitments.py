"""What may never be committed: registry hosts, addresses in locks, secrets, paths of one machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LARGE = 1 << 20


def committed() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def test_the_locks_name_packages_and_no_address():
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text
        assert text.count("--hash=sha256:") >= text.count("=="), "every package is pinned by digest"


def test_no_committed_file_is_large_or_binary():
    for path in committed():
        data = path.read_bytes()
        assert len(data) < LARGE, f"{path.name} is too large to be source"
        assert b"\0" not in data or path.suffix in {".png", ".ico", ".webp"}, f"{path.name} is binary"


def test_no_committed_file_holds_a_private_key_or_a_home():
    pattern = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/]|(?<![\w.])/(?:home|root|Users)/\w+/")
    for path in committed():
        assert not pattern.search(path.read_bytes()), path.name
