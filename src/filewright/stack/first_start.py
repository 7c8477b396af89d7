"""Make the database cluster of a stack, once: `python -m filewright.stack.first_start DATA POSTGRES`.

Whole or not at all: what a killed first start left is thrown away by the next, until the mark at the end is there.
Talks to PostgreSQL in single-user mode, so nobody can connect before the passwords are set.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from filewright.stack import programs
from filewright.stack.layout import Layout, write_private
from filewright.stack.planning import DATABASE


class _Failed(Exception):
    """A program said no; the message is what it said."""


def make_cluster(data: Path, postgres: Path) -> None:
    """Make it, unless it is there."""
    layout = Layout(data)
    home, user = layout.data / "postgres", programs.user_of(programs.POSTGRES)
    if (home / "initialised").exists():
        return
    shutil.rmtree(home / "data", ignore_errors=True)
    folder = layout.folder(home / "data", user)
    initdb = [str(postgres.with_name("initdb")), "-D", programs.HERE, "-U", "postgres", "-A", "reject", "-E", "UTF8"]
    _run([*initdb, "--locale=C.UTF-8", "--data-checksums"], folder, user)
    write_private(folder / "pg_hba.conf", (files(__package__) / "templates" / "pg_hba.conf").read_text("utf-8"), user)
    known = layout.secrets()
    single = [str(postgres), "--single", "-D", programs.HERE, "-c", "password_encryption=scram-sha-256", "postgres"]
    said = _run(
        single,
        folder,
        user,
        f"ALTER ROLE postgres PASSWORD '{known.superuser}'\n"
        f"CREATE ROLE {DATABASE} LOGIN PASSWORD '{known.database}'\n"
        f"CREATE DATABASE {DATABASE} OWNER {DATABASE}\n",
    )
    if "ERROR:" in said or "FATAL:" in said:
        raise _Failed(said)
    (home / "initialised").touch(mode=0o600)


def _run(argv: Sequence[str], folder: Path, user: str | None, entered: str = "") -> str:
    identity: dict[str, Any] = {} if user is None else {"user": user, "group": _group(user), "extra_groups": []}
    done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: TID251 - the operator's own server, not a conversion
        programs.from_here(argv),
        cwd=folder,
        input=entered,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
        **identity,
    )
    if done.returncode:
        raise _Failed(f"{Path(argv[0]).name}: {done.stdout}")
    return done.stdout


def _group(user: str) -> int:
    import pwd  # noqa: PLC0415 - only where users change

    return pwd.getpwnam(user).pw_gid


if __name__ == "__main__":
    try:
        make_cluster(Path(sys.argv[1]), Path(sys.argv[2]))
    except _Failed as failure:
        sys.exit(str(failure))
