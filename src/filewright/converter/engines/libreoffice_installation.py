"""Where LibreOffice is on this machine, and the profile that it starts with.

Needs nothing but the standard library: the warm parent, which may run in another Python, writes its profile with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as ConfigError
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from shutil import which
from xml.sax.saxutils import escape

MINIMUM = (7, 4)
"""Since 7.4 export options may be given as JSON on the command line."""

_USUAL_PLACES = ("/usr/lib/libreoffice", "/usr/lib64/libreoffice", "/opt/libreoffice*", "/usr/local/lib/libreoffice")
_CONFIGURATION = (
    "/var/spool/libreoffice",
    "/etc/libreoffice",
    "/var/lib/libreoffice",
    "/etc/fonts",
    "/var/cache/fontconfig",
)

_DEBIANS = ((Path("/usr/bin/python3"), Path("/usr/lib/python3/dist-packages")),)


@dataclass(frozen=True)
class Installation:
    """One LibreOffice on this machine."""

    root: Path
    version: tuple[int, ...]
    build: str

    @property
    def program(self) -> Path:
        """The executable itself. `soffice` is a shell script around it, which a sandbox does not need."""
        return self.root / "program" / "soffice.bin"

    @property
    def readable(self) -> tuple[Path, ...]:
        """What it reads besides the system: itself, and where distributions put its parts."""
        return (self.root, *(Path(place) for place in _CONFIGURATION if Path(place).exists()))


def interpreter_of(installed: Installation) -> tuple[Path, Path] | None:
    """The Python that its `uno` was built for, and where that module is; None when it is not installed."""
    for interpreter, modules in (*_DEBIANS, (installed.root / "program" / "python", installed.root / "program")):
        if interpreter.exists() and (modules / "uno.py").exists():
            return interpreter, modules
    return None


def installation() -> Installation | None:
    """The newest LibreOffice in the usual places or on the PATH; None when there is none."""
    found = [item for root in _roots() if (item := installed_at(root)) is not None]
    return max(found, key=lambda item: item.version, default=None)


def _roots() -> Iterator[Path]:
    for place in _USUAL_PLACES:
        yield from Path("/").glob(place.lstrip("/"))
    if command := which("soffice"):
        yield Path(command).resolve().parent.parent


def installed_at(root: Path) -> Installation | None:
    """Read what it says of itself; cheaper than running it by half a second. None: it is not there."""
    if not (root / "program" / "soffice.bin").is_file():
        return None
    version = re.search(r"\d{1,4}(\.\d{1,9})+", _setting(root / "program" / "bootstraprc", "Bootstrap", "ProductKey"))
    if version is None:
        return None
    numbers = tuple(int(number) for number in version[0].split("."))
    return Installation(root, numbers, _setting(root / "program" / "versionrc", "Version", "buildid"))


def _setting(file: Path, section: str, name: str) -> str:
    """Asked for each document; read again when the file is another."""
    try:
        facts = file.stat()
    except OSError:
        return ""
    return _read_setting(file, section, name, (facts.st_mtime_ns, facts.st_size, facts.st_ino))


@lru_cache(64)
def _read_setting(file: Path, section: str, name: str, _: tuple[int, ...]) -> str:
    parser = ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(file, encoding="utf-8")
    except (ConfigError, UnicodeDecodeError):
        return ""
    return parser.get(section, name, fallback="")


def write_profile(folder: Path, installed: Installation) -> None:
    """A profile that starts fast and trusts nothing, fresh for one conversion.

    Two of its entries are there for speed. A headless start believes that it may be the first since an update, tests
    the graphics for most of a second and never notes that it did (measured: 1.15 s of CPU against 0.42 s). And an
    extension cache of unknown origin makes it ask for a second start (exit code 81; 0.43 s against 0.37 s).
    """
    user = folder / "user"
    extensions = user / "extensions"
    extensions.mkdir(parents=True, exist_ok=True)
    version = ".".join(str(number) for number in installed.version[:2])
    (user / "registrymodifications.xcu").write_text(_registry(version), encoding="utf-8")
    (extensions / "buildid").write_text(installed.build, encoding="utf-8")
    for layer in ("bundled", "shared"):
        (extensions / layer).mkdir(exist_ok=True)
        (extensions / layer / "lastsynchronized").write_text("1", encoding="utf-8")


_COMMON = "/org.openoffice.Office.Common"
_SETTINGS: tuple[tuple[str, str, str], ...] = (
    (f"{_COMMON}/Misc", "FirstRun", "false"),
    (f"{_COMMON}/Misc", "UseLocking", "false"),
    (f"{_COMMON}/Misc", "UseOpenCL", "false"),
    (f"{_COMMON}/VCL", "UseSkia", "false"),
    (f"{_COMMON}/Save/Document", "LoadPrinter", "false"),
    ("/org.openoffice.Office.Recovery/AutoSave", "Enabled", "false"),
    ("/org.openoffice.Office.Java/VirtualMachine", "Enable", "false"),
    # No macro runs, whoever signed it, and no active content either.
    (f"{_COMMON}/Security/Scripting", "DisableMacrosExecution", "true"),
    (f"{_COMMON}/Security/Scripting", "MacroSecurityLevel", "3"),
    (f"{_COMMON}/Security/Scripting", "DisableActiveContent", "true"),
    (f"{_COMMON}/Security/Scripting", "DisablePythonRuntime", "true"),
    # Nothing that a document points at is fetched. The sandbox has no network either; this is the other layer.
    (f"{_COMMON}/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    ("/org.openoffice.Office.Writer/Content/Update", "Link", "0"),
    ("/org.openoffice.Office.Calc/Content/Update", "Link", "1"),
)


def _registry(version: str) -> str:
    settings = (("/org.openoffice.Setup/Product", "ooSetupLastVersion", version), *_SETTINGS)
    items = "".join(
        f'<item oor:path="{path}"><prop oor:name="{name}" oor:op="fuse"><value>{escape(value)}</value></prop></item>\n'
        for path, name, value in settings
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<oor:items xmlns:oor="http://openoffice.org/2001/registry">\n{items}</oor:items>\n'
    )
