"""Find programs that this machine may have, and say which package would bring them."""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path

from filewright.chassis.sandbox.system import search_path
from filewright.converter.engines.port import Availability

_DPKG = Path("/var/lib/dpkg/status")


def check_programs(*programs: str, package: str) -> Availability:
    """Whether all are installed where the sandbox looks. They are not started, so the version is the package's."""
    missing = [name for name in programs if shutil.which(name, path=search_path()) is None]
    if missing:
        return Availability(available=False, missing=", ".join(missing), install=f"apt-get install {package}")
    return Availability(available=True, version=package_version(package))


@cache
def package_version(package: str) -> str:
    """What the package manager has down for it, without its own additions; empty where there is no dpkg."""
    if not _DPKG.is_file():
        return ""
    entry = re.search(
        rf"^Package: {re.escape(package)}\n(?:.+\n)*?Version: (?:\d+:)?([\w.]+)",
        _DPKG.read_text(encoding="utf-8", errors="replace"),
        re.MULTILINE,
    )
    return entry[1] if entry else ""
