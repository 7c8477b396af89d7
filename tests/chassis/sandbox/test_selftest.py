"""The sandbox is believed only after the worst engine was let loose in it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from filewright.chassis.sandbox import runner, seccomp, selftest
from filewright.chassis.sandbox.cgroups import Cgroups
from filewright.chassis.sandbox.confined import Launcher
from filewright.chassis.sandbox.port import Sandbox, SandboxLevel, SandboxUnavailable
from filewright.chassis.sandbox.runner import LocalSandbox, open_sandbox
from filewright.chassis.sandbox.starting import Launch, Starter


class PretendsToIsolate(Launcher):
    """Says that it is strong, and starts its programs with limits only."""

    def __init__(self) -> None:
        super().__init__(SandboxLevel.ISOLATED, Cgroups())

    def _order(self, launch: Launch, status_fd: int) -> dict[str, Any]:
        return super()._order(launch, status_fd) | {"landlock": None, "seccomp": None}


@pytest.mark.requirement("B36")
async def test_every_promise_is_kept_at_each_level(
    sandbox: Sandbox, jobs_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canaries = tmp_path / "canaries"
    canaries.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(canaries))
    probes = await selftest.prove(sandbox, jobs_dir)
    assert [probe for probe in probes if not probe.held] == []
    assert {probe.name.split(".")[0] for probe in probes} >= {"command", "call"}
    assert list(jobs_dir.iterdir()) == []
    assert list(canaries.iterdir()) == []


@pytest.mark.requirement("S39")
async def test_what_holds_here_is_opened_with_a_report_of_every_probe(jobs_dir: Path) -> None:
    sandbox = await open_sandbox(jobs_dir=jobs_dir)
    try:
        assert sandbox.level is sandbox.report.level is SandboxLevel.ISOLATED
        assert sandbox.report.held
        assert len(sandbox.report.probes) > 60
    finally:
        await sandbox.close()


@pytest.mark.requirement("S39")
async def test_a_broken_sandbox_is_refused_with_the_probes_that_failed_and_what_to_do(
    jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(reasons: dict[str, str]) -> Iterator[tuple[Starter, Cgroups]]:
        yield PretendsToIsolate(), Cgroups()

    monkeypatch.setattr(runner, "_candidates", broken)
    with pytest.raises(SandboxUnavailable) as refused:
        await open_sandbox(jobs_dir=jobs_dir)
    message = str(refused.value)
    assert "isolated does not hold" in message
    for probe in ("command.tcp4", "command.read_canary", "command.read_sibling", "canaries"):
        assert probe in message
    assert "apt-get install bubblewrap" in message


async def test_without_bubblewrap_a_caller_must_accept_less(jobs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "find_bubblewrap", lambda: None)
    with pytest.raises(SandboxUnavailable, match="bubblewrap is not installed"):
        await open_sandbox(jobs_dir=jobs_dir)
    sandbox = await open_sandbox(jobs_dir=jobs_dir, minimum=SandboxLevel.CONFINED)
    assert sandbox.level is SandboxLevel.CONFINED
    assert sandbox.report.passed_over == {"isolated": "bubblewrap is not installed"}
    await sandbox.close()


async def test_without_any_help_of_the_kernel_only_limits_are_left(
    jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seccomp, "supported", lambda: False)
    with pytest.raises(SandboxUnavailable, match="confined"):
        await open_sandbox(jobs_dir=jobs_dir, minimum=SandboxLevel.CONFINED)
    sandbox: LocalSandbox = await open_sandbox(jobs_dir=jobs_dir, minimum=SandboxLevel.LIMITED)
    assert sandbox.level is SandboxLevel.LIMITED
    await sandbox.close()
