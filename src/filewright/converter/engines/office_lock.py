"""Open office files that are locked by a password, before any engine sees them.

The password goes to a function in the sandbox and nowhere else: not into an argument list, a log or a file name.
"""

from __future__ import annotations

from pathlib import Path

from filewright.converter.engines.port import Work

_MODULE = "filewright.converter.engines.inside.office_lock"


async def unlocked(work: Work) -> Path:
    """A copy in `tmp/` without the lock, or the source itself when it has none.

    Raises PasswordRequired, WrongPassword, CorruptInput, or UnsupportedFormat for a kind of lock that is not known.
    """
    copy = work.workspace / "tmp" / f"unlocked{work.source.suffix}"
    was_locked = await work.python(
        f"{_MODULE}:unlock_file",
        warm=(_MODULE,),
        source=work.inside(work.source),
        target=work.inside(copy),
        password=work.password,
    )
    return copy if was_locked else work.source
