"""The record of the last run over every pair: when, with which versions of the engines, and how each ended.

A line for each source, so that a change of one format changes one line. A pair that is no longer promised leaves it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from corpus.pairs import Pair
from filewright.converter.engines.standard import standard_engines
from filewright.converter.routing.planner import Route

RECORD = Path(__file__).resolve().parents[2] / "docs" / "data" / "pairs.json"


@dataclass
class Record:
    """What is known of each pair."""

    date: str = ""
    """Of the last run that added to it."""
    versions: Mapping[str, str] = field(default_factory=dict)
    pairs: dict[tuple[str, str], Pair] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path = RECORD) -> Record:
        if not path.exists():
            return cls()
        said = json.loads(path.read_text(encoding="utf-8"))
        pairs = {
            (source, target): Pair(source, target, tuple(engines.split()), kept, trouble=trouble)
            for source, found in said["pairs"].items()
            for target, (engines, kept, trouble) in found.items()
        }
        return cls(said["date"], said["versions"], pairs)

    def take(self, pairs: Iterable[Pair], day: date) -> None:
        self.date = day.isoformat()
        self.versions = {engine.name: engine.check().version for engine in standard_engines()}
        self.pairs |= {(pair.source, pair.target): pair for pair in pairs}

    def keep_promised(self, routes: Mapping[str, Sequence[Route]]) -> None:
        """Leave out what is not promised any more."""
        names = {(source, route.target) for source, found in routes.items() for route in found}
        self.pairs = {pair: found for pair, found in self.pairs.items() if pair in names}

    def save(self, promised: Mapping[str, Sequence[str]], path: Path = RECORD) -> None:
        """Only what is promised, in the order of the promise."""
        path.parent.mkdir(exist_ok=True)
        lines = []
        for source, targets in promised.items():
            found = {
                target: [" ".join(pair.engines), pair.kept, pair.trouble]
                for target in targets
                if (pair := self.pairs.get((source, target)))
            }
            if found:
                lines.append(f'    "{source}": {json.dumps(found, ensure_ascii=False)}')
        head = json.dumps({"date": self.date, "versions": self.versions}, indent=2, ensure_ascii=False)
        body = ",\n".join(lines)
        path.write_text(f'{head[:-2]},\n  "pairs": {{\n{body}\n  }}\n}}\n', encoding="utf-8")
