"""Under the profile of the worker's container the strongest sandbox holds, and the kernel's machinery is shut."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import json
import os
import platform
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from filewright.chassis.sandbox import seccomp

PROFILE = "compose/sandbox.json"


def _refused(deploy: Path) -> set[str]:
    profile = json.loads((deploy / PROFILE).read_text(encoding="utf-8"))
    assert profile["defaultAction"] == "SCMP_ACT_ALLOW"
    (rule,) = profile["syscalls"]
    assert (rule["action"], rule["errnoRet"]) == ("SCMP_ACT_ERRNO", errno.EPERM)
    return set(rule["names"])


@pytest.mark.requirement("S41")
def test_the_container_shuts_what_the_sandbox_shuts_but_for_the_calls_that_build_one(deploy: Path) -> None:
    building = {"mount", "umount2", "pivot_root", "chroot", "unshare", "sethostname", "pidfd_send_signal"}
    assert _refused(deploy) == set(seccomp._REFUSED) - building


@pytest.mark.requirement("S41")
def test_the_strongest_sandbox_proves_itself_under_the_profile(deploy: Path, tmp_path: Path) -> None:
    column = 0 if platform.machine() == "x86_64" else 1
    numbers = [number for name in sorted(_refused(deploy)) if (number := seccomp._REFUSED[name][column]) is not None]
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path / "jobs"), json.dumps(numbers)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout == "refused\nisolated\n", done.stderr


def _filter(numbers: list[int]) -> None:
    """What a container's start does with the profile, for this process and all it starts."""
    code = struct.pack("=HBBI", 0x20, 0, 0, 0)
    for number in numbers:
        code += struct.pack("=HBBI", 0x15, 0, 1, number) + struct.pack("=HBBI", 0x06, 0, 0, 0x00050000 | errno.EPERM)
    code += struct.pack("=HBBI", 0x06, 0, 0, 0x7FFF0000)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    libc, none = ctypes.CDLL(None, use_errno=True), ctypes.c_ulong(0)
    assert libc.prctl(38, ctypes.c_ulong(1), none, none, none) == 0
    assert libc.prctl(22, ctypes.c_ulong(2), header, none, none) == 0


async def _prove(jobs: Path) -> str:
    from filewright.chassis.sandbox.port import SandboxLevel
    from filewright.chassis.sandbox.runner import open_sandbox

    sandbox = await open_sandbox(jobs_dir=jobs, minimum=SandboxLevel.ISOLATED)
    await sandbox.close()
    return sandbox.report.level.name.lower()


if __name__ == "__main__":
    _filter(json.loads(sys.argv[2]))
    keyctl = 250 if platform.machine() == "x86_64" else 219
    outcome = ctypes.CDLL(None, use_errno=True).syscall(keyctl, 0, 0, 0)
    print("refused" if (outcome, ctypes.get_errno()) == (-1, errno.EPERM) else os.strerror(ctypes.get_errno()))
    print(asyncio.run(_prove(Path(sys.argv[1]))))
