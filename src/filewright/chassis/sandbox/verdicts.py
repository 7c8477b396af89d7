"""Remember for a day that the strongest sandbox has proven itself here, so that not every short command proves it anew.

What is remembered holds for this boot, this kernel, this bubblewrap, this very code of the sandbox and a process with
the same rights in the same namespaces; anything else is another key, and is proven. Only a proof of the strongest level
is kept: what could not be proven today may be tomorrow. The file is believed only when it is private and our own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
import sys
import time
from pathlib import Path

from filewright.chassis.sandbox.port import SandboxLevel
from filewright.chassis.sandbox.selftest import Probe, Report

_SECONDS = 86_400.0
_LONGEST = 1 << 20
_NAME = "sandbox-proof.json"
_RIGHTS = (b"Uid:", b"Gid:", b"Groups:", b"Cap", b"NoNewPrivs:", b"Seccomp")
_NAMESPACES = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
_SWITCHES = (
    "user/max_user_namespaces",
    "kernel/unprivileged_userns_clone",
    "kernel/apparmor_restrict_unprivileged_userns",
)
"""By which an administrator can take namespaces away while the machine runs."""


class Verdicts:
    """Proofs in one file of a directory that is the user's own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = directory / _NAME

    def recall(self, bwrap: Path, jobs_dir: Path) -> Report | None:
        """The proof for this machine as it is now; None when there is none that can be believed."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(self._read())
            if found["key"] == _key(bwrap, jobs_dir):
                probes = tuple(Probe(str(name), held=True, detail=str(detail)) for name, detail in found["probes"])
                return Report(SandboxLevel.ISOLATED, probes, {}, tuple(map(str, found["notes"])))
        return None

    def remember(self, report: Report, bwrap: Path, jobs_dir: Path) -> None:
        """Keep it, if it can be kept; nobody has to know when it cannot."""
        if report.level is not SandboxLevel.ISOLATED or not report.probes or not report.held:
            return
        probes = [(probe.name, probe.detail) for probe in report.probes]
        text = json.dumps({"key": _key(bwrap, jobs_dir), "probes": probes, "notes": report.notes})
        with contextlib.suppress(OSError):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside = self._directory / f".{secrets.token_hex(8)}"
            try:
                fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
                with os.fdopen(fd, "w", encoding="utf-8") as file:
                    file.write(text)
                beside.rename(self._file)
            finally:
                beside.unlink(missing_ok=True)

    def _read(self) -> bytes:
        """Raises OSError unless directory and file are ours alone and the file is fresh."""
        _demand_own(self._directory.lstat(), stat.S_IFDIR)
        with os.fdopen(os.open(self._file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            facts = os.fstat(file.fileno())
            _demand_own(facts, stat.S_IFREG)
            if not 0 <= time.time() - facts.st_mtime < _SECONDS:
                raise PermissionError("too old, or of the future")
            return file.read(_LONGEST)


def _demand_own(facts: os.stat_result, kind: int) -> None:
    writable_by_others = facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if stat.S_IFMT(facts.st_mode) != kind or facts.st_uid != os.geteuid() or writable_by_others:
        raise PermissionError("not ours alone")


def _key(bwrap: Path, jobs_dir: Path) -> str:
    """A digest of all that the proof depends on."""
    seen = hashlib.sha256()
    for part in (*_machine(), *_program(bwrap), *_code(), str(jobs_dir.stat().st_dev).encode()):
        seen.update(hashlib.sha256(part).digest())
    return seen.hexdigest()


def _machine() -> list[bytes]:
    status = Path("/proc/self/status").read_bytes().splitlines()
    return [
        Path("/proc/sys/kernel/random/boot_id").read_bytes(),
        repr(os.uname()).encode(),
        b"\n".join(line for line in status if line.startswith(_RIGHTS) and not line.startswith(b"Seccomp_filters")),
        *(_if_there(Path("/proc/sys", name)) for name in _SWITCHES),
        *(os.readlink(f"/proc/self/ns/{name}").encode() for name in _NAMESPACES),  # noqa: PTH115 - a name, not a path
    ]


def _if_there(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


def _program(bwrap: Path) -> list[bytes]:
    facts = bwrap.stat()
    return [repr((str(bwrap), facts.st_ino, facts.st_size, facts.st_mtime_ns, sys.executable, sys.version)).encode()]


def _code() -> list[bytes]:
    here = Path(__file__).parent
    return [part for path in sorted(here.rglob("*.py")) for part in (path.name.encode(), path.read_bytes())]
