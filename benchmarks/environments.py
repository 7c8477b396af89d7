"""Python environments for what is measured beside the product. None of it is a dependency of anything."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

_PYTHON = "/usr/bin/python3"
"""Debian's own: the only one that knows LibreOffice (`python3-uno`)."""
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "unoserver": ("unoserver",),
    "markitdown": ("markitdown[docx,pptx,xlsx,pdf]",),
}


def environment(folder: Path, name: str) -> Path:
    """The Python of that environment, which is made when it is not there."""
    place = folder / name
    python = place / "bin" / "python"
    if not python.exists():
        system = ["--system-site-packages"] if name == "unoserver" else []
        subprocess.run([_PYTHON, "-m", "venv", *system, str(place)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *_NEEDS[name]], check=True)
    return python
