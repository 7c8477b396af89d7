"""`README.md` of this directory, from the figures that each script left in its JSON file."""

from __future__ import annotations

import json
from pathlib import Path

import ceilings_report
import peers_report
import report

_PARTS = (
    ("results.json", report.section),
    ("ceilings.json", ceilings_report.section),
    ("peers.json", peers_report.section),
)


def write(folder: Path) -> None:
    """All parts that there are figures for, with their plots."""
    parts = [
        make(json.loads((folder / name).read_text(encoding="utf-8")), folder)
        for name, make in _PARTS
        if (folder / name).exists()
    ]
    head = "<!-- Made by run.py, ceilings.py and peers.py; run them to make it anew. -->\n\n"
    (folder / "README.md").write_text(head + "\n".join(parts), encoding="utf-8")
