"""How LibreOffice is driven: one conversion by it, in its own words, and the way that always works.

An `Office` opens one document and writes it in another format, inside the sandbox of the `Work`. `ColdOffice` starts
a fresh `soffice.bin` for each; `libreoffice_warm` has a way that costs a quarter of that.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filewright.chassis.sandbox.port import Command, Ending, Outcome
from filewright.converter.engines.libreoffice_filters import Export
from filewright.converter.engines.libreoffice_installation import Installation, write_profile
from filewright.converter.engines.port import Work
from filewright.converter.errors import EngineCrashed

_START_ME_AGAIN = 81
_STARTS = 3


@dataclass(frozen=True)
class Order:
    """One conversion in LibreOffice's own words."""

    document: Path
    import_filter: str
    export: Export

    @property
    def tells_names(self) -> bool:
        """Whether what it prints is needed: every sheet becomes a file of its own, in the order in which it says so."""
        return self.export.extension == "csv" and self.export.options.endswith(",-1")


@dataclass(frozen=True)
class Answer:
    """How it went. `lines` are the messages of the program, which a document may have had a part in."""

    opened: bool
    untrusted_lines: Sequence[str] = ()


class Office(Protocol):
    """Something that drives LibreOffice."""

    async def convert(self, work: Work, order: Order) -> Answer:
        """Open the document and write the other one into `out/`, named after the document's stem."""
        ...


@dataclass(frozen=True)
class ColdOffice:
    """A process of its own for each conversion, with a profile that nobody used before."""

    installed: Installation

    async def convert(self, work: Work, order: Order) -> Answer:
        profile = work.workspace / "tmp" / "profile"
        write_profile(profile, self.installed)
        command = self._command(work, profile, order)
        for _ in range(_STARTS):
            outcome = await work.run(command)
            if outcome.exit_code != _START_ME_AGAIN:
                return _answer(outcome)
        raise EngineCrashed

    def _command(self, work: Work, profile: Path, order: Order) -> Command:
        return Command(
            argv=(
                str(self.installed.program),
                f"-env:UserInstallation=file://{{work}}/{work.inside(profile)}",
                # Keeps no backup copies of a profile that is thrown away; saves a fifth of the start.
                "-env:SecureUserConfig=false",
                "--headless",
                "--norestore",
                "--nologo",
                "--nodefault",
                "--nolockcheck",
                f"--infilter={order.import_filter}",
                "--convert-to",
                order.export.argument,
                "--outdir",
                f"{{work}}/{work.inside(work.out)}",
                f"{{work}}/{work.inside(order.document)}",
            ),
            env={"SAL_USE_VCLPLUGIN": "svp", "SAL_DISABLE_PRINTERLIST": "1", "SAL_DISABLE_OPENCL": "1"},
            readable=self.installed.readable,
            # By which a second start would find the first; the program ends without a word when it can not be made.
            socket_names="OSL_PIPE_*SingleOfficeIPC_*",
        )


def _answer(outcome: Outcome) -> Answer:
    messages = (outcome.untrusted_stdout + b"\n" + outcome.untrusted_stderr).decode("utf-8", "replace")
    if "could not be loaded" in messages:
        return Answer(opened=False)
    # Versions differ in the exit code after a failure that they report; one without a word is a crash.
    if outcome.ending is not Ending.COMPLETED and "Error" not in messages:
        raise EngineCrashed
    return Answer(opened=True, untrusted_lines=messages.splitlines())


def emptied(directory: Path) -> None:
    """After an attempt that another one follows."""
    for entry in directory.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
