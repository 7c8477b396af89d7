"""Of every requirement of security there is a test, or a reason why not; and the page names no test of yore."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_requirement_of_security_has_a_test_or_a_reason():
    command = [sys.executable, str(ROOT / "scripts" / "security_doc.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
