"""The fonts of this machine: those that stand in for the usual ones of office programs, and a folder of the operator's.

Engines find fonts by fontconfig, or by libraries that read its configuration. So one file that names the system's
configuration and the operator's folder is all that it takes for LibreOffice, Pango, librsvg, FFmpeg, Typst and
office2pdf to have them, each in its sandbox.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from filewright.chassis.sandbox.port import Command, Common, Limits, Sandbox, SandboxUnavailable

SYSTEM_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
_CONFIGURATION = Path("/etc/fonts/fonts.conf")
_LIMITS = Limits(wall_seconds=120, cpu_seconds=120, write_bytes=64 << 20)


@dataclass(frozen=True)
class StandIn:
    """A free font with the measures of another, so that lines and pages end where they did."""

    name: str
    stands_for: str
    file: str
    package: str


STAND_INS = (
    StandIn("Liberation Serif", "Times New Roman", "LiberationSerif-Regular.*", "fonts-liberation"),
    StandIn("Liberation Sans", "Arial", "LiberationSans-Regular.*", "fonts-liberation"),
    StandIn("Liberation Mono", "Courier New", "LiberationMono-Regular.*", "fonts-liberation"),
    StandIn("Carlito", "Calibri", "Carlito-Regular.*", "fonts-crosextra-carlito"),
    StandIn("Caladea", "Cambria", "Caladea-Regular.*", "fonts-crosextra-caladea"),
)


def missing_stand_ins(folders: Iterable[Path]) -> tuple[StandIn, ...]:
    """Those of which no file is in any of the folders."""
    places = [folder for folder in folders if folder.is_dir()]
    return tuple(
        font for font in STAND_INS if not any(next(place.rglob(font.file), None) is not None for place in places)
    )


def with_fonts(folder: Path | None, jobs_dir: Path) -> Common:
    """What all programs of a sandbox need to see that folder too. Writes its configuration into `jobs_dir`."""
    if folder is None:
        return Common()
    own = jobs_dir.resolve() / "fonts"
    own.mkdir(mode=0o755, parents=True, exist_ok=True)
    configuration = own / "fonts.conf"
    configuration.write_text(_configuration(folder, own), encoding="utf-8")
    return Common(readable=(own, folder), env={"FONTCONFIG_FILE": str(configuration)})


async def read_fonts(sandbox: Sandbox, jobs_dir: Path) -> None:
    """Have the folder's fonts looked at once, in the sandbox, so that not every program has to; after `with_fonts`.

    Without fontconfig's own program each of them does, which costs a few milliseconds for a font.
    """
    with contextlib.suppress(SandboxUnavailable):
        await sandbox.run(Command(("fc-cache",)), workspace=jobs_dir / "fonts", limits=_LIMITS)


def _configuration(folder: Path, own: Path) -> str:
    """What is looked up goes where `fc-cache` may write: below its home, which is `tmp` of its workspace."""
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">\n<fontconfig>\n'
        f'  <include ignore_missing="yes">{_CONFIGURATION}</include>\n'
        f"  <dir>{escape(str(folder))}</dir>\n"
        f"  <cachedir>{escape(str(own / 'tmp' / '.cache' / 'fontconfig'))}</cachedir>\n"
        "</fontconfig>\n"
    )
