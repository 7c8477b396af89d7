"""One LibreOffice for several documents, one after the other: the side in the sandbox.

`serve` is for a child of the warm parent that may convert more than one document. `main` is a program of its own: it
starts `soffice.bin` beside itself, calls it by UNO, and ends when that ends, however it does; whoever waits for an
answer then hears that nobody is there. It is not waited for here: a call that hangs is the owner's to end, by ending
all of it.

Runs in the Python that LibreOffice's `uno` was built for; imports the standard library and a few modules of ours only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from filewright.chassis.sandbox.child import Report
from filewright.chassis.sandbox.helping import Desk
from filewright.converter.engines.inside.office import desktop
from filewright.converter.engines.libreoffice_installation import Installation, installed_at, write_profile

_START_SECONDS = 60.0
Process = subprocess.Popen[bytes]  # noqa: TID251 - inside the sandbox, of a program of the operator's
_START_ME_AGAIN = 81


def serve(*, report: Report) -> NoReturn:
    """In a forked child: until the owner ends it."""
    desktop.move_in()
    _serve(os.getpid())


def main() -> NoReturn:
    """As a program. Arguments: where LibreOffice is, and the name of the pipe to call it by."""
    found = installed_at(Path(sys.argv[1]))
    if found is None:
        raise SystemExit("there is no LibreOffice")
    profile = Path("tmp/profile").absolute()
    write_profile(profile, found)
    office = _started(found, profile, sys.argv[2])
    _serve(office.pid, is_alive=lambda: office.poll() is None)


def _started(found: Installation, profile: Path, name: str) -> Process:
    deadline = time.monotonic() + _START_SECONDS
    office = _soffice(found, profile, name)
    while True:
        try:
            desktop.enter_at(name)
        except Exception as error:  # noqa: BLE001 - UNO has exceptions of its own for "not yet"
            if office.poll() == _START_ME_AGAIN:
                office = _soffice(found, profile, name)
            elif office.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"LibreOffice can not be called: {error}") from None
            time.sleep(0.02)
        else:
            return office


def _soffice(found: Installation, profile: Path, name: str) -> Process:
    surroundings = {"SAL_USE_VCLPLUGIN": "svp", "SAL_DISABLE_PRINTERLIST": "1", "SAL_DISABLE_OPENCL": "1"}
    return Process(
        [
            str(found.program),
            f"-env:UserInstallation={profile.as_uri()}",
            "-env:SecureUserConfig=false",
            "--headless",
            "--norestore",
            "--nologo",
            "--nodefault",
            "--nolockcheck",
            f"--accept=pipe,name={name};urp;StarOffice.ComponentContext",
        ],
        env={**os.environ, **surroundings},  # noqa: TID251 - the sandbox's own
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _serve(pid: int, is_alive: Callable[[], bool] = lambda: True) -> NoReturn:
    desk = Desk(pid)
    desk.say({"ready": True})
    for order in desk.orders():
        answer = desktop.carry_out(**order)
        if not is_alive():
            break
        desk.say(answer)
    os._exit(1)


if __name__ == "__main__":
    main()
