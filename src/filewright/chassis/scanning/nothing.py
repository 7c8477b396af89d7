"""No scanner: for machines where every file is its owner's own. It says so wherever somebody asks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filewright.chassis.scanning.port import ScannerUnavailable, Verdict


class NoScanner:
    """Looks at nothing, and never says that a file is clean."""

    active = False

    async def scan(self, path: Path) -> Verdict:
        """Nobody should have asked: this scanner has no word to give."""
        raise ScannerUnavailable(f"there is no scanner to look at {path.name}")

    async def usable(self) -> bool:
        return True

    def facts(self) -> Mapping[str, Any]:
        return {"kind": "none", "note": "files are converted without a virus scan; FILEWRIGHT_CLAMD_URL names a clamd"}
