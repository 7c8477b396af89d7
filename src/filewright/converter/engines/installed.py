"""Find programs that this machine may have, and say which package would bring them."""

from __future__ import annotations

import shutil

from filewright.chassis.sandbox.system import search_path
from filewright.converter.engines.port import Availability


def check_programs(*programs: str, package: str) -> Availability:
    """Whether all are installed where the sandbox looks. The version is not asked: that would cost a start."""
    missing = [name for name in programs if shutil.which(name, path=search_path()) is None]
    if missing:
        return Availability(False, missing=", ".join(missing), install=f"apt-get install {package}")
    return Availability(True, version=package)
