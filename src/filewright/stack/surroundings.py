"""What a stack takes from the shell that calls `up`, and remembers: where programs are, the language, and the product's
own settings, except those that the stack decides.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_PREFIX = "FILEWRIGHT_"
_DECIDED = frozenset(
    {
        "CONFIG", "CORPUS", "DATABASE_URL", "DATA_DIR", "REDIS_URL", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY",
        "SECRET_KEY_FILE", "SLOTS", "STORAGE_URL", "TEST_SEED", "TRUSTED_PROXIES",
    }
)  # fmt: skip
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "TMPDIR")


def plain_environment() -> dict[str, str]:
    """What any program may know of the caller."""
    found = {name: value for name, value in _environ().items() if name in _PASSED_ON}
    return {"PATH": os.defpath, **found, "PYTHONSAFEPATH": "1"}


def settings_of_caller() -> dict[str, str]:
    """The product's settings that were given to `up`, without their prefix."""
    ours = {name.removeprefix(_PREFIX): value for name, value in _environ().items() if name.startswith(_PREFIX)}
    given = {name: value for name, value in ours.items() if name not in _DECIDED and value}
    # Its processes run in folders of their own.
    return {name: str(Path(value).absolute()) if name.endswith("_FILE") else value for name, value in given.items()}


def cores() -> int:
    """How many this process may use."""
    return max(1, len(os.sched_getaffinity(0)))


def _environ() -> Mapping[str, str]:
    return os.environ  # noqa: TID251 - handed on to the processes of a stack; nothing here is decided by it
