"""The life of a job, checked in every order in which its steps can happen: `job.pml` by spin, where spin is installed.

The model is small and exhaustive where the tests on the real thing are real and random.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from filewright.chassis.testing.fixtures import missing
from filewright.converter.jobs.states import MOVES

MODEL = Path(__file__).with_name("job.pml")
SAFE, LIVE, STUCK = "safe", "comes_to_an_end", "Watch"
DEFECTS = (
    ("NO_FENCE", SAFE),
    ("STATE_ONLY", SAFE),
    ("CHARGE_FIRST", SAFE),
    ("BLIND_DROP", SAFE),
    ("CANCEL_FORGOTTEN", SAFE),
    ("NO_RESCUE", STUCK),
    ("NO_REHINT", STUCK),
)
_FOUND = re.compile(r"errors: (\d+)")
_STATES = re.compile(r"(\d+) states, stored")


@pytest.fixture(scope="module", autouse=True)
def spin(request: pytest.FixtureRequest) -> None:
    for program, package in (("spin", "spin"), ("gcc", "gcc")):
        if shutil.which(program) is None:
            missing(request.config, f"the model checker needs {program}: apt-get install {package}")


def check(folder: Path, claim: str, *flags: str) -> tuple[int, int]:
    """Errors and states of the model under one property, or under the watch for its standing still."""
    run(folder, "spin", *(f"-D{flag}" for flag in flags), "-a", str(MODEL))
    live = claim == LIVE
    swiftness = "-O2" if live or "FAULTS=2" in flags else "-O0"  # small ones are compiled for longer than they run
    options = ("-DNFAIR=3",) if live else ("-DNOFAIR",)
    run(folder, "gcc", swiftness, "-w", "-DMEMLIM=2048", "-DVECTORSZ=2048", *options, "-o", "pan", "pan.c")
    what = ("-noclaim",) if claim == STUCK else ("-N", claim, "-a", *(("-f",) if live else ()))
    said = run(folder, "./pan", "-m200000", "-E", *what)
    found, states = _FOUND.search(said), _STATES.search(said)
    assert found is not None, said
    assert "max search depth too small" not in said
    return int(found[1]), int(states[1]) if states else 0


def run(folder: Path, *argv: str) -> str:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.requirement("F2", "F5", "F26")
@pytest.mark.parametrize("faults", [1, pytest.param(2, marks=pytest.mark.long)])
@pytest.mark.sampled(2)
def test_nothing_is_lost_or_doubled_in_any_order_of_events(tmp_path: Path, faults: int) -> None:
    errors, states = check(tmp_path, SAFE, f"FAULTS={faults}")
    assert errors == 0
    assert states > 50_000 * faults


@pytest.mark.requirement("F2", "F4")
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.sampled(2)
def test_it_comes_to_an_end_in_any_order_of_events(tmp_path: Path) -> None:
    errors, states = check(tmp_path, LIVE, "FAULTS=1")
    assert errors == 0
    assert states > 10_000


@pytest.mark.requirement("F2", "F4")
def test_it_never_stands_still_before_its_end(tmp_path: Path) -> None:
    errors, states = check(tmp_path, STUCK, "FAULTS=1")
    assert errors == 0
    assert states > 10_000


@pytest.mark.requirement("F8", "F9")
@pytest.mark.parametrize("claim", [STUCK, pytest.param(LIVE, marks=pytest.mark.long)])
def test_without_any_hint_it_comes_to_an_end_too(tmp_path: Path, claim: str) -> None:
    assert check(tmp_path, claim, "FAULTS=1", "POLL")[0] == 0


@pytest.mark.parametrize(("defect", "claim"), DEFECTS)
@pytest.mark.sampled(4)
def test_each_defect_is_found(tmp_path: Path, defect: str, claim: str) -> None:
    assert check(tmp_path, claim, defect, "FAULTS=1")[0] > 0


def test_the_model_moves_as_the_table_says() -> None:
    """All moves of the table are in the model and no others; pruning by time is left to the caller's erase, and a job
    that is answered with a known result has no life to explore.
    """
    text = re.sub(r"#define move.*", "", MODEL.read_text())
    moves = set(re.findall(r"\bmove\((\w+), (\w+), (\w+)\)", text))
    table = {(move.source or "none", str(move.target), actor) for move in MOVES for actor in move.actors}
    assert moves == {move for move in table if move[2] != "pruner" and move[:2] != ("none", "succeeded")}
