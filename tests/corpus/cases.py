"""What goes into the corpus suite: files with facts about them that other tools established.

A `Case` is one file that must convert, or must be refused. It comes from the manifest of a corpus folder, or from
`samples`, which makes small files whose facts are true by construction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """One file. `place` puts it somewhere below a folder, or says where it lies, and gives its path."""

    name: str
    """What a user would call it, with its folder in the corpus."""
    family: str
    place: Callable[[Path], Path] = field(repr=False)
    facts: Mapping[str, Any] = field(default_factory=dict)
    refused_for: str | None = None
    """Why it must be refused; None: it must convert."""
    password: str | None = None
    sha256: str | None = None

    @property
    def filename(self) -> str:
        return self.name.rsplit("/", 1)[-1]


def from_corpus(root: Path) -> Sequence[Case]:
    """Every file of a corpus folder, in the manifest's order."""
    manifest = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    return [_case(root, entry) for entry in manifest["files"]]


def is_untouched(case: Case, path: Path) -> bool:
    """Whether the file still is the one that the facts are about."""
    return case.sha256 is None or hashlib.sha256(path.read_bytes()).hexdigest() == case.sha256


def _case(root: Path, entry: Mapping[str, Any]) -> Case:
    return Case(
        name=entry["path"],
        family=entry["family"],
        place=lambda _folder: root / entry["path"],
        facts=entry.get("facts") or {},
        refused_for=entry.get("reason") if entry["expectation"] == "must-reject" else None,
        password=entry.get("password"),
        sha256=entry["sha256"],
    )
