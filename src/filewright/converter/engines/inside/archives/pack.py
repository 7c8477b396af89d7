"""Write members into each kind of archive. Names, bytes, times and the executable bit are kept; owners are not."""

from __future__ import annotations

import io
import os
import shutil
import struct
import tarfile
import time
import zipfile
from contextlib import closing
from pathlib import Path

import py7zr

from filewright.converter.engines.inside.archives import streams
from filewright.converter.engines.inside.archives.member import CHUNK, Member, Members

_SPOOL = Path("tmp/member")
_FILE, _PROGRAM, _FOLDER = 0o644, 0o755, 0o755
_TIMES = 0x5455
_DOS_FIRST, _DOS_LAST = 315_532_800, 4_354_819_199
_ALREADY_COMPRESSED = frozenset(
    {"7z", "avi", "bz2", "docx", "epub", "flac", "gif", "gz", "jpeg", "jpg", "m4a", "mkv", "mov", "mp3", "mp4", "odt",
    "ogg", "png", "pptx", "rar", "webm", "webp", "woff2", "xlsx", "xz", "zip", "zst"}
)  # fmt: skip


def pack(members: Members, out: Path, target: str) -> None:
    """All members into a new archive."""
    if target == "zip":
        _zip(members, out)
    elif target == "7z":
        _seven(members, out)
    else:
        _tar(members, out, target.partition(".")[2])


def _zip(members: Members, out: Path) -> None:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for member in members:
            info = _zip_info(member)
            if member.content is None:
                archive.writestr(info, b"")
                continue
            with archive.open(info, "w", force_zip64=member.size > 1 << 31) as file:
                shutil.copyfileobj(member.content, file, CHUNK)


def _zip_info(member: Member) -> zipfile.ZipInfo:
    """Time in both forms: DOS's for all, and exact seconds in UTC for those who read the extra field."""
    seconds = min(max(member.modified, _DOS_FIRST), _DOS_LAST)
    is_folder = member.content is None
    info = zipfile.ZipInfo(member.name + "/" * is_folder, time.gmtime(seconds)[:6])
    info.extra = struct.pack("<HHBi", _TIMES, 5, 1, int(min(max(member.modified, 0), 2**31 - 1)))
    mode = 0o40000 | _FOLDER if is_folder else 0o100000 | (_PROGRAM if member.executable else _FILE)
    info.external_attr = mode << 16 | (0x10 if is_folder else 0)
    stored = is_folder or member.name.rpartition(".")[2].lower() in _ALREADY_COMPRESSED
    info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    info.file_size = member.size
    return info


def _tar(members: Members, out: Path, compression: str) -> None:
    with (
        closing(streams.open_to_write(out, compression) if compression else out.open("wb")) as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.size, info.mtime = member.size, max(0, member.modified)
            info.mode = _PROGRAM if member.executable else _FILE
            if member.content is None:
                info.type, info.mode = tarfile.DIRTYPE, _FOLDER
                archive.addfile(info)
            else:
                archive.addfile(info, _Raw(member))


class _Raw(io.RawIOBase):
    """A member's content as the kind of file that `tarfile` asks for."""

    def __init__(self, member: Member) -> None:
        assert member.content is not None
        self._content = member.content

    def read(self, size: int = -1, /) -> bytes:
        """As of any file."""
        return self._content.read(size)


def _seven(members: Members, out: Path) -> None:
    """Through a spool file for each member, from which py7zr takes size and time."""
    filters = [{"id": py7zr.FILTER_LZMA2, "preset": 3}]
    with py7zr.SevenZipFile(out, "w", filters=filters) as archive:
        for member in members:
            if member.content is None:
                _SPOOL.with_name("folder").mkdir(exist_ok=True)
                _at(_SPOOL.with_name("folder"), member.modified)
                archive.write(_SPOOL.with_name("folder"), member.name)
                continue
            with _SPOOL.open("wb") as file:
                shutil.copyfileobj(member.content, file, CHUNK)
            _at(_SPOOL, member.modified)
            archive.write(_SPOOL, member.name)


def _at(path: Path, modified: float) -> None:
    os.utime(path, (max(0, modified), max(0, modified)))


def compress(content: Members, out: Path, target: str) -> None:
    """The one member of a compressed file, compressed another way."""
    for member in content:
        assert member.content is not None
        with streams.open_to_write(out, target) as file:
            shutil.copyfileobj(member.content, file, CHUNK)
