"""A proof of the sandbox is remembered for a while, and believed only where nobody else could have written it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from filewright.chassis.sandbox import runner, selftest, verdicts
from filewright.chassis.sandbox.bubblewrap import find_bubblewrap
from filewright.chassis.sandbox.port import Command, Ending, Limits, SandboxLevel
from filewright.chassis.sandbox.selftest import Probe, Report
from filewright.chassis.sandbox.verdicts import Verdicts
from filewright.chassis.sandbox.workspace import Workspace

PROVEN = Report(SandboxLevel.ISOLATED, (Probe("call.fork", held=True, detail="refused"),), {}, ("a note",))


@pytest.fixture
def bwrap() -> Path:
    found = find_bubblewrap()
    assert found is not None
    return found


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "cache"


async def test_what_has_proven_itself_is_opened_again_without_a_proof_and_works(
    jobs_dir: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await runner.open_sandbox(jobs_dir=jobs_dir, verdicts=Verdicts(place))
    await first.close()
    monkeypatch.delattr(selftest, "prove")
    again = await runner.open_sandbox(jobs_dir=jobs_dir, verdicts=Verdicts(place))
    try:
        assert again.report == first.report
        with Workspace.create(jobs_dir) as workspace:
            outcome = await again.run(Command(("echo", "it works")), workspace=workspace.path, limits=Limits())
        assert (outcome.ending, outcome.untrusted_stdout) == (Ending.COMPLETED, b"it works\n")
    finally:
        await again.close()


def test_a_proof_is_given_back_as_it_was(jobs_dir: Path, place: Path, bwrap: Path) -> None:
    Verdicts(place).remember(PROVEN, bwrap, jobs_dir)
    assert Verdicts(place).recall(bwrap, jobs_dir) == PROVEN
    assert [path.stat().st_mode & 0o777 for path in (place, *place.iterdir())] == [0o700, 0o600]


@pytest.mark.parametrize(
    "report",
    [
        Report(SandboxLevel.CONFINED, PROVEN.probes),
        Report(SandboxLevel.ISOLATED, (Probe("call.fork", held=False, detail="it forked"),)),
        Report(SandboxLevel.ISOLATED, ()),
    ],
)
def test_only_a_whole_proof_of_the_strongest_level_is_remembered(
    report: Report, jobs_dir: Path, place: Path, bwrap: Path
) -> None:
    Verdicts(place).remember(report, bwrap, jobs_dir)
    assert Verdicts(place).recall(bwrap, jobs_dir) is None


@pytest.mark.parametrize("part", ["_machine", "_program", "_code"])
def test_another_boot_program_or_code_is_proven_anew(
    part: str, jobs_dir: Path, place: Path, bwrap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Verdicts(place).remember(PROVEN, bwrap, jobs_dir)
    monkeypatch.setattr(verdicts, part, lambda *_: [b"another"])
    assert Verdicts(place).recall(bwrap, jobs_dir) is None


def _open_to_all(file: Path) -> None:
    file.chmod(0o666)


def _in_a_place_open_to_all(file: Path) -> None:
    file.parent.chmod(0o777)


def _old(file: Path) -> None:
    os.utime(file, (time.time() - 100_000,) * 2)


def _of_the_future(file: Path) -> None:
    os.utime(file, (time.time() + 1000,) * 2)


def _a_link(file: Path) -> None:
    file.symlink_to(file.rename(file.with_name("elsewhere")))


def _no_proof_at_all(file: Path) -> None:
    file.write_text('{"key": 1}')


@pytest.mark.parametrize(
    "spoil", [_open_to_all, _in_a_place_open_to_all, _old, _of_the_future, _a_link, _no_proof_at_all]
)
def test_a_file_that_another_could_have_made_or_that_is_stale_is_not_believed(
    spoil: Callable[[Path], None], jobs_dir: Path, place: Path, bwrap: Path
) -> None:
    Verdicts(place).remember(PROVEN, bwrap, jobs_dir)
    (file,) = place.iterdir()
    spoil(file)
    assert Verdicts(place).recall(bwrap, jobs_dir) is None


def test_a_place_that_cannot_be_written_only_means_a_proof_each_time(
    jobs_dir: Path, tmp_path: Path, bwrap: Path
) -> None:
    (tmp_path / "file").touch()
    elsewhere = Verdicts(tmp_path / "file" / "cache")
    elsewhere.remember(PROVEN, bwrap, jobs_dir)
    assert elsewhere.recall(bwrap, jobs_dir) is None
