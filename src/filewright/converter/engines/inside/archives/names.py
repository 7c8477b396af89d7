"""Names of members: decoded when no one said how, and made harmless.

A harmless name is relative, stays inside, has no control characters and differs from the others on every system, so
that whoever unpacks our archive gets all files and only there. Names are mended, not refused: the rest of the archive
is as good as any.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from filewright.converter.engines.inside.archives.member import Member, Members

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_DRIVE = re.compile(r"^[A-Za-z]:")
_RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
_MAX_PART, _MAX_NAME = 255, 4096
_JAPANESE = re.compile(r"^[\x20-\x7e\u3000-\u30ff\u4e00-\u9fff\uff01-\uff5e]*$")
_CHINESE = re.compile(r"^[\x20-\x7e\u3000-\u303f\u4e00-\u9fff\uff01-\uff5e]*$")
_KOREAN = re.compile(r"^[\x20-\x7e\uac00-\ud7a3]*$")
_CYRILLIC = re.compile(r"^(?!.*[A-Za-z][\u0400-\u045f]|.*[\u0400-\u045f][A-Za-z])[\x20-\x7e\u0400-\u045f№]*$")
_LATIN = re.compile(r"^[\x20-\x7e\u00c0-\u00ff]*$")


def decode_all(raw: Iterable[bytes]) -> Callable[[bytes], str]:
    """How to decode the names of one archive, judged by all of them together."""
    joined = b"/".join(name for name in raw if not name.isascii())
    encoding = next((name for name, plausible in _GUESSES if plausible(joined)), "cp437")
    return lambda name: name.decode(encoding, "replace")


def _text(encoding: str, allowed: re.Pattern[str]) -> Callable[[bytes], bool]:
    def plausible(names: bytes) -> bool:
        try:
            return bool(allowed.match(names.decode(encoding)))
        except UnicodeDecodeError:
            return False

    return plausible


def _is_utf8(names: bytes) -> bool:
    try:
        names.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


_GUESSES: tuple[tuple[str, Callable[[bytes], bool]], ...] = (
    ("utf-8", _is_utf8),
    ("euc_kr", _text("euc_kr", _KOREAN)),
    ("gb2312", _text("gb2312", _CHINESE)),
    ("cp932", _text("cp932", _JAPANESE)),
    ("big5", _text("big5", _CHINESE)),
    ("cp866", _text("cp866", _CYRILLIC)),
    ("cp437", _text("cp437", _LATIN)),
    ("cp850", _text("cp850", _LATIN)),
    ("cp1251", _text("cp1251", _CYRILLIC)),
    ("cp1252", _text("cp1252", _LATIN)),
)
"""In this order: UTF-8 hardly fits by chance, the others fit the more easily the further down they stand."""


def harmless(members: Members) -> Members:
    """The members with names that can do no harm; a folder whose name comes to nothing is left out."""
    taken: set[str] = set()
    for member in members:
        name = _harmless(member.name)
        if not name and member.content is None:
            continue
        unique = name if member.content is None else _unique(name or "file", taken)
        taken.add(unique.casefold())
        yield Member(unique, member.size, member.modified, member.content, member.executable)


def _harmless(name: str) -> str:
    """Relative, inside, printable; what is legal in a name stays."""
    path = _CONTROL.sub("_", name.encode("utf-8", "replace").decode("utf-8"))
    path = _DRIVE.sub("", path.replace("\\", "/"))
    parts = [_part(part) for part in path.split("/") if part not in {"", ".", ".."}]
    return "/".join(parts)[-_MAX_NAME:].lstrip("/")


def _part(part: str) -> str:
    part = part.replace(":", "_").rstrip(" .") or "_"
    if _RESERVED.match(part):
        part = f"_{part}"
    while len(part.encode()) > _MAX_PART:
        stem, dot, ending = part.rpartition(".")
        part = f"{stem[:-1]}{dot}{ending}" if len(stem) > 1 and len(ending) < 20 else part[:-1]
    return part


def _unique(name: str, taken: set[str]) -> str:
    stem, dot, ending = name.rpartition(".") if "." in name.rpartition("/")[2] else (name, "", "")
    candidate, number = name, 2
    while candidate.casefold() in taken:
        candidate, number = f"{stem} ({number}){dot}{ending}", number + 1
    return candidate
