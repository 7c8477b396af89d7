"""Where everything of a stack lies below its one directory, what of it is kept when the stack is down, and what it
keeps in mind: its ports, its secrets and its shape.

    stack.json     ports and shape            kept until `down --erase`
    secrets.json   passwords and keys         kept
    tls/           a certificate of its own   kept
    postgres/ redis-broker/ s3/               the data
    logs/          one file for each process  kept: what went wrong is often asked afterwards
    run/           plan, state, generated configuration, scratch: made anew by `up`, gone after `down`
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from filewright.stack.errors import StackProblem
from filewright.stack.plan import Plan

VERSION = 2
"""Of the files that a stack leaves for later commands. Every version reads those before it: what they lack has a
default. Files of a later version are refused, since they may mean what this one does not know.

1: the first, without a number. 2: the number; TLS; signs of health.
"""

M = TypeVar("M", bound=BaseModel)
KEPT = ("stack.json", "secrets.json", "secret.key", "tls", "postgres", "redis-broker", "s3", "logs")


class Shape(BaseModel):
    """How many of each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    counts: Mapping[str, int] = {}
    slots: int | None = None
    """Conversions at once in each worker; None: nobody said yet."""
    clamd: bool = False
    """Whether there is a virus scanner."""


class Memory(BaseModel):
    """What a stack knows of itself from one start to the next."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    id: str = Field(default_factory=lambda: secrets.token_hex(8))
    host: str = "127.0.0.1"
    ports: Mapping[str, int] = {}
    shape: Shape = Shape()
    settings: Mapping[str, str] = {}
    """Settings of the product that the caller of `up` had in the environment, without their prefix."""
    environment: Mapping[str, str] = {}
    """What every process gets: kept, so that a later command from another shell changes nothing."""


class Secrets(BaseModel):
    """Made once, at random."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    superuser: str = Field(default_factory=lambda: secrets.token_urlsafe(24))
    database: str = Field(default_factory=lambda: secrets.token_urlsafe(24))
    redis: str = Field(default_factory=lambda: secrets.token_urlsafe(24))
    s3_key_id: str = Field(default_factory=lambda: f"FW{secrets.token_hex(9).upper()}")
    s3_secret: str = Field(default_factory=lambda: secrets.token_urlsafe(30))


@dataclass(frozen=True)
class Layout:
    """Paths below the directory of one stack."""

    data: Path

    @property
    def run(self) -> Path:
        return self.data / "run"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def plan_file(self) -> Path:
        return self.run / "plan.json"

    @property
    def state_file(self) -> Path:
        return self.run / "state.json"

    @property
    def settings_file(self) -> Path:
        """The product's settings, as `FILEWRIGHT_CONFIG` takes them."""
        return self.run / "filewright.env"

    @property
    def secret_key_file(self) -> Path:
        return self.data / "secret.key"

    @property
    def tls(self) -> Path:
        return self.data / "tls"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def log_files(self) -> list[Path]:
        """All logs there are; the front keeps its own of who asked for what."""
        access = self.run / "nginx" / "nginx-access.log"
        return [*sorted(self.logs.glob("*.log")), *([access] if access.exists() else [])]

    # --- making and removing -------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the directories. Raises StackProblem for a directory that holds something else."""
        if self.data.exists() and not self.is_ours and any(self.data.iterdir()):
            raise StackProblem(f"{self.data} holds something that is not a stack. Name an empty or new directory.")
        for folder in (self.data, self.run, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def is_ours(self) -> bool:
        return (self.data / "stack.json").is_file()

    def folder(self, path: Path, owner: str | None) -> Path:
        """A private folder of that owner's."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        give(path, owner)
        return path

    def clear(self) -> None:
        """Remove what is made anew by each `up`."""
        shutil.rmtree(self.run, ignore_errors=True)
        (self.data / "redis-broker" / "redis.conf").unlink(missing_ok=True)

    def erase(self) -> None:
        """Remove all that is ours, and the directory when nothing else is in it."""
        self.clear()
        for name in KEPT:
            path = self.data / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.data.rmdir()

    # --- what is kept in mind ------------------------------------------------------------------------------------

    def memory(self) -> Memory:
        return self._read(self.data / "stack.json", Memory) or Memory(version=VERSION)

    def remember(self, memory: Memory) -> None:
        write_private(
            self.data / "stack.json", memory.model_copy(update={"version": VERSION}).model_dump_json(indent=1)
        )

    def secrets(self) -> Secrets:
        """The stack's secrets, made the first time."""
        file = self.data / "secrets.json"
        known = self._read(file, Secrets)
        if known is None:
            known = Secrets()
            write_private(file, known.model_dump_json(indent=1))
        if not self.secret_key_file.exists():
            write_private(self.secret_key_file, secrets.token_urlsafe(48))
        return known

    def plan(self) -> Plan | None:
        """The plan in force; None when the stack is down."""
        return self._read(self.plan_file, Plan)

    def write_plan(self, plan: Plan) -> None:
        """Put it in force; the supervisor reads it when told to."""
        write_private(self.plan_file, plan.model_copy(update={"version": VERSION}).model_dump_json(indent=1))

    @staticmethod
    def _read(file: Path, kind: type[M]) -> M | None:
        try:
            text = file.read_bytes()
            check_version(file, text)
            return kind.model_validate_json(text)
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise StackProblem(f"{file} cannot be read: {error}") from None

    # --- one at a time -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def one_command(self) -> Iterator[None]:
        """While it lasts, no other command changes this stack; raises StackProblem when one does already."""
        with _held(self.data) as is_ours:
            if not is_ours:
                raise StackProblem(f"Another command is changing the stack in {self.data}. Wait for its end.")
            yield

    @contextlib.contextmanager
    def supervising(self) -> Iterator[bool]:
        """Whether this process is now the one supervisor. The kernel lets go of it when the process dies."""
        with _held(self.run) as is_ours:
            yield is_ours


class _Versioned(BaseModel):
    """As much of any of the files as says what it is."""

    version: int = 1


def check_version(file: Path, text: bytes) -> None:
    """Raise StackProblem for a file of a later version, ValidationError for one that is none of ours."""
    version = _Versioned.model_validate_json(text).version
    if version > VERSION:
        raise StackProblem(
            f"{file} was written by a newer Filewright (version {version}; this one reads up to {VERSION}). "
            "Use that one for this stack."
        )


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Whether the folder's lock is ours: a lock on the folder itself leaves no file behind."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)


def write_private(file: Path, text: str, owner: str | None = None) -> None:
    """Readable by its owner alone, and whole or not there."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    give(part, owner)
    part.replace(file)


def give(path: Path, owner: str | None) -> None:
    """Change who owns it; None leaves it."""
    if owner is not None:
        entry = pwd.getpwnam(owner)
        os.chown(path, entry.pw_uid, entry.pw_gid)
