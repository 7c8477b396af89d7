"""Fonts: those that stand in for the usual ones of office programs, a folder of the operator's, a pack of a tenant's.

Engines find fonts by fontconfig, or by libraries that read its configuration. So one file that names the system's
configuration and a folder is all that it takes for LibreOffice, Pango, librsvg, FFmpeg, Typst and office2pdf to have
them, each in its sandbox. The operator's folder is named to all programs alike; a `FontPack` is lent to the programs of
one job, whose configuration names the operator's and the pack.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.sax.saxutils import escape

from filewright.chassis.sandbox.port import Command, Common, Limits, Program, Sandbox, SandboxUnavailable
from filewright.converter.engines.inside.office.desktop import FONT_PACK

SYSTEM_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
_CONFIGURATION = Path("/etc/fonts/fonts.conf")
_NAME = "fonts.conf"
_FILES = "files"
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


@dataclass(frozen=True)
class FontPack:
    """Fonts of one party, for programs that work on its files and for no others."""

    place: Path
    """A directory below that of all jobs, with nothing else in it."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By each name that a document may ask for: by which names a PDF may have the font."""

    @property
    def files(self) -> Path:
        """Where the fonts themselves are."""
        return self.place / _FILES

    def write_configuration(self, shared: Path | None) -> None:
        """Name the pack's files beside what is there for all: the operator's configuration, or else the system's."""
        configuration = _configuration(shared or _CONFIGURATION, f'<dir prefix="relative">{_FILES}</dir>')
        (self.place / _NAME).write_text(configuration, encoding="utf-8")

    def lent_to(self, program: Program) -> Program:
        """The same program, with these fonts."""
        env = {"FONTCONFIG_FILE": f"{{lent}}/{_NAME}", FONT_PACK: f"{{lent}}/{_FILES}"}
        return replace(program, lent=self.place, env={**program.env, **env})


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
    configuration = shared_configuration(jobs_dir)
    own = configuration.parent
    own.mkdir(mode=0o755, parents=True, exist_ok=True)
    cache = own / "tmp" / ".cache" / "fontconfig"  # where `fc-cache` may write: below its home, `tmp` of its workspace
    places = f"<dir>{escape(str(folder))}</dir>\n  <cachedir>{escape(str(cache))}</cachedir>"
    configuration.write_text(_configuration(_CONFIGURATION, places), encoding="utf-8")
    return Common(readable=(own, folder), env={"FONTCONFIG_FILE": str(configuration)})


def shared_configuration(jobs_dir: Path) -> Path:
    """Where that of the operator's folder is, if there is one."""
    return jobs_dir.resolve() / "fonts" / _NAME


async def read_fonts(sandbox: Sandbox, jobs_dir: Path) -> None:
    """Have the folder's fonts looked at once, in the sandbox, so that not every program has to; after `with_fonts`.

    Without fontconfig's own program each of them does, which costs a few milliseconds for a font.
    """
    with contextlib.suppress(SandboxUnavailable):
        await sandbox.run(Command(("fc-cache",)), workspace=jobs_dir / "fonts", limits=_LIMITS)


def _configuration(other: Path, places: str) -> str:
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">\n<fontconfig>\n'
        f'  <include ignore_missing="yes">{escape(str(other))}</include>\n'
        f"  {places}\n"
        "</fontconfig>\n"
    )
