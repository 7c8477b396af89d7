"""The units load, hold their processes to limits, and take away what a role has no use for."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from deploykit import units

from filewright.stack.roles import ROLES

INSTALLED = "/opt/filewright/current/.venv/bin/filewright"
INSTANCES = ("filewright-api@8001", "filewright-worker@standard", "filewright-beat@2", "filewright-migrate")
SANDBOX_CALLS = {
    "clone", "unshare", "mount", "umount2", "pivot_root", "sethostname", "seccomp", "prctl", "pidfd_open",
    "pidfd_send_signal", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
}  # fmt: skip
"""What building a sandbox asks of the kernel, at either strong level."""


@pytest.fixture
def installed(deploy: Path, tmp_path: Path) -> Path:
    """The units as they lie in a unit directory, naming a program that is there."""
    program = Path(sys.executable).with_name("filewright")
    for path in (deploy / "systemd").iterdir():
        if path.suffix in {".service", ".target"}:
            (tmp_path / path.name).write_text(path.read_text().replace(INSTALLED, str(program)))
    for name in INSTANCES:
        template = re.sub(r"@.*", "@", name)
        if template != name:
            shutil.copy(tmp_path / f"{template}.service", tmp_path / f"{name}.service")
    return tmp_path


def _verify(folder: Path, name: str) -> str:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"./{name}"],
        cwd=folder,
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr + ("" if done.returncode == 0 else f"exit {done.returncode}")


@pytest.mark.parametrize("name", [*(f"{name}.service" for name in INSTANCES), "filewright.target"])
def test_systemd_has_nothing_to_say_against_a_unit(installed: Path, name: str) -> None:
    assert _about_ours(_verify(installed, name)) == []


def test_systemd_is_heard_when_a_unit_is_wrong(installed: Path) -> None:
    unit = installed / "filewright-migrate.service"
    unit.write_text(unit.read_text().replace("RestartSec=", "RestartSeconds="))
    assert any("RestartSeconds" in line for line in _about_ours(_verify(installed, unit.name)))


def _about_ours(said: str) -> list[str]:
    """Other packages' units are loaded too, and may be complained of."""
    return [line for line in said.splitlines() if "filewright" in line or line.startswith("exit")]


@pytest.mark.requirement("A1", "B2")
def test_the_target_starts_three_apis_six_workers_and_two_beats(deploy: Path) -> None:
    target = units.load(deploy / "systemd" / "filewright.target")
    wanted = " ".join(target["Wants"]).split()
    counts = {role: sum(name.startswith(f"filewright-{role}") for name in wanted) for role in ROLES}
    assert counts == {"migrate": 1, "api": 3, "worker": 6, "beat": 2}
    assert "filewright-worker@standard.service" in wanted, "so that standard never starves"
    ports = sorted(re.findall(r"api@(\d+)", " ".join(wanted)))
    front = (deploy / "nginx" / "upstreams.systemd.conf").read_text()
    assert sorted(re.findall(r"server 127\.0\.0\.1:(\d+)", front)) == ports


@pytest.mark.requirement("B12")
@pytest.mark.parametrize("role", ["api", "worker", "beat"])
def test_a_role_has_limits_and_the_time_to_end_that_a_stack_gives_it(deploy: Path, role: str) -> None:
    unit = units.load(deploy / "systemd" / f"filewright-{role}@.service")
    assert units.seconds(*unit["TimeoutStopSec"]) >= ROLES[role].grace_seconds
    assert unit["Restart"] == ["always"]
    for limit in ("CPUQuota", "MemoryMax", "TasksMax"):
        assert unit[limit], limit
    if role == "worker":
        slots = next(int(line.partition("=")[2]) for line in unit["Environment"] if "SLOTS" in line)
        assert unit["CPUQuota"] == [f"{slots * 100}%"]


@pytest.mark.parametrize(("name", "most"), [("filewright-api@8001", 20), ("filewright-worker@standard", 35)])
@pytest.mark.requirement("S41")
def test_little_is_left_to_a_process_that_was_taken_over(installed: Path, name: str, most: int) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={most}", "--no-pager", f"./{name}.service"],
        cwd=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-400:]


def test_a_worker_may_make_the_calls_that_build_a_sandbox(deploy: Path) -> None:
    unit = units.load(deploy / "systemd" / "filewright-worker@.service")
    (allowed,) = unit["SystemCallFilter"]
    assert not SANDBOX_CALLS - _expanded(allowed.split())
    assert {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"} == set(unit["RestrictNamespaces"][0].split())
    covering_proc = {"ProtectKernelTunables", "ProtectKernelLogs", "ProtectProc", "ProcSubset"}
    assert not covering_proc & set(unit), "the kernel would refuse a fresh /proc to the sandbox"
    assert "AF_NETLINK" in unit["RestrictAddressFamilies"][0], "bubblewrap raises the loopback of an empty network"


def _expanded(names: list[str]) -> set[str]:
    """System calls, where systemd has a name for many."""
    found: set[str] = set()
    for name in names:
        if not name.startswith("@"):
            found.add(name)
            continue
        told = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
        lines = (line.strip() for line in told.stdout.splitlines()[1:])
        found |= _expanded([line for line in lines if line and not line.startswith("#")])
    return found
