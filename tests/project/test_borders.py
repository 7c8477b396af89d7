"""The import contracts hold, and each of them can fail: a bad import planted in a copy of the tree is named."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PLANTED = {
    "Products stand on the chassis and never know each other": ("chassis/clock.py", "filewright.converter.errors"),
    "Chassis floors": ("chassis/storage/port.py", "filewright.chassis.queue.port"),
    "Converter floors": ("converter/formats/catalogue.py", "filewright.converter.routing.planner"),
    "Rooms of jobs": ("converter/jobs/looking/views.py", "filewright.converter.jobs.ordering.planning"),
    "Rooms of commands": ("converter/commands/machine/doctor.py", "filewright.converter.commands.service.serve"),
    "Edges ask the service": ("converter/jobs/endpoints/jobs.py", "filewright.converter.jobs.repository"),
    "The plain parts import no framework, database or broker": ("converter/jobs/states.py", "sqlalchemy"),
    "No production code knows the test kit": ("converter/tiers/tier.py", "filewright.chassis.testing"),
    "Only bootstrap picks adapters": ("converter/jobs/service.py", "filewright.chassis.queue.embedded"),
    "The stack starts the product and is not part of it": ("chassis/clock.py", "filewright.stack.ports"),
    "Object storage is spoken to through the port": ("converter/artifacts/service.py", "obstore"),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--config", "pyproject.toml"]
    return subprocess.run(
        command, cwd=tree, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tree / "src")}
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_borders_hold(tree: Path):
    outcome = lint(tree)
    assert outcome.returncode == 0, outcome.stdout


def test_a_bad_import_breaks_its_contract(tree: Path):
    for module, imported in PLANTED.values():
        with (tree / "src" / "filewright" / module).open("a", encoding="utf-8") as file:
            file.write(f"\nimport {imported}\n")
    outcome = lint(tree)
    assert outcome.returncode == 1
    assert [contract for contract in PLANTED if f"{contract} BROKEN" not in outcome.stdout] == []


def test_every_contract_has_a_planted_import():
    configured = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    names = {line.split('"')[1] for line in configured.splitlines() if line.startswith('name = "')} - {"filewright"}
    assert names == set(PLANTED)
