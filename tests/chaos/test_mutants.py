"""The history checker sees defects of the code, not only of histories: each is put in, and shows in the books.

Every defect is one small change of one module, of the kind that is made by mistake and passes a review. The fleet plays
the same scenes each time; without a defect its books balance.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from chaoskit import journal as entries
from chaoskit import judge
from chaoskit.defects import DEFECTS, Defect
from chaoskit.journal import Accepted, Journal
from chaoskit.remains import TABLES, Object, Remains
from psycopg.rows import dict_row

from filewright.chassis.testing.templates import Schema
from tablekit import migrated

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.timeout(1000),
    pytest.mark.parametrize("database_url", ["postgres"], indirect=True),
]
FLEET, MUTANT = (Path(__file__).parent / "chaoskit" / name for name in ("fleet.py", "mutant.py"))
ORDERS = 23


@pytest.fixture
def database_schema() -> Schema:
    return migrated


def play(url: str, folder: Path, defect: Defect | None = None) -> subprocess.CompletedProcess[str]:
    """The scenes, with what clients were told on its standard output."""
    patience = 120 if defect is None else 20  # with a defect many a scene never ends
    command = [str(FLEET), url, str(folder / "fleet"), str(patience)]
    if defect is not None:
        command = [str(MUTANT), defect.module, str(mutant_of(defect, folder)), *command]
    environment = {**os.environ, "PYTHONPATH": str(FLEET.parents[1])}
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=900, check=False
    )


def mutant_of(defect: Defect, folder: Path) -> Path:
    file = folder / "mutant_module.py"
    file.write_text(defect.mutated())
    return file


def history(url: str, folder: Path, told: str) -> judge.History:
    """What is to be judged: what clients were told, the rows, and the files."""
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    journal = Journal([getattr(entries, line.pop("kind"))(**line) for line in lines])
    with psycopg.connect(url, row_factory=dict_row) as database:
        rows = {table: list(database.execute(f"SELECT * FROM {table}")) for table in TABLES}  # type: ignore[arg-type]
    root = folder / "fleet" / "objects"
    files = [path for path in root.rglob("*") if path.is_file() and ".incoming" not in path.parts]
    objects = {
        str(path.relative_to(root)): Object(path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
    }
    kills = 12  # that many workers die or are given up for dead in the scenes
    return judge.History(journal, Remains(rows, objects), kills)


@pytest.mark.requirement("F2", "F5", "F8", "F12", "F26")
def test_without_a_defect_the_books_of_the_fleet_balance(database_url: str, tmp_path: Path) -> None:
    played = play(database_url, tmp_path)
    assert played.returncode == 0, played.stderr
    seen = history(database_url, tmp_path, played.stdout)
    assert judge.judge(seen) == []
    assert len(seen.journal.all(Accepted)) >= ORDERS


@pytest.mark.requirement("F32")
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.what)
def test_the_defect_shows_in_the_books(database_url: str, tmp_path: Path, defect: Defect) -> None:
    played = play(database_url, tmp_path, defect)
    found = judge.judge(history(database_url, tmp_path, played.stdout))
    assert found, f"nothing is seen of it\n{played.stderr}"
    print(sorted({breach.rule for breach in found}))
