"""Read members out of each kind of archive, front to back, writing nothing but a spool in `tmp/`.

Links, devices and other special members are left out. A hard link to an earlier file comes out as that file.
"""

from __future__ import annotations

import calendar
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from io import BufferedReader, BytesIO
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import IO, Any

import py7zr
from py7zr.io import Py7zIO, WriterFactory

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.archives import aes, streams
from filewright.converter.engines.inside.archives.bounds import MAX_MEMBERS, Meter
from filewright.converter.engines.inside.archives.member import CHUNK, Member, Members
from filewright.converter.engines.inside.archives.names import decode_all

DAMAGE: tuple[type[BaseException], ...] = (
    zipfile.BadZipFile,
    tarfile.TarError,
    NotImplementedError,
    KeyError,
    *streams.DAMAGE,
)
"""What reading a damaged archive raises, here and while the content of a member is read."""
_SPOOL = Path("tmp")
_UTF8_NAME, _ENCRYPTED = 0x800, 0x1
_END_OF_DIRECTORY = b"PK\x05\x06"
_LOCAL_HEADER = 30
_EPOCH_1980 = 315_532_800
_TIMES = 0x5455
_EXECUTABLE = 0o111


def members(source: Path, source_format: str, meter: Meter, password: str | None) -> Members:
    """The members of any archive; a compressed single file is one member without a name."""
    if source_format == "zip":
        return _zip(source, meter, password)
    if source_format == "7z":
        return _seven(source, meter, password)
    if source_format in streams.STREAMS:
        return _single(source, source_format, meter)
    return _tar(source, source_format.partition(".")[2], meter)


def _zip(source: Path, meter: Meter, password: str | None) -> Members:
    _refuse_huge_directory(source)
    with zipfile.ZipFile(source) as archive:
        infos = archive.infolist()
        meter.expect(len(infos), sum(info.file_size for info in infos))
        _refuse_overlaps(infos)
        if any(info.flag_bits & _ENCRYPTED for info in infos) and password is None:
            raise Refusal("password_required")
        if any(info.volume for info in infos):
            raise Refusal("corrupt_input")
        decode = decode_all(info.orig_filename.encode("cp437") for info in infos if not info.flag_bits & _UTF8_NAME)
        for info in infos:
            mode = info.external_attr >> 16 if info.create_system == 3 else 0
            is_special = mode and not S_ISREG(mode) and not S_ISDIR(mode) and mode >> 12
            if not is_special:
                yield _zip_member(archive, info, _zip_name(info, decode), mode, password)


def _zip_name(info: zipfile.ZipInfo, decode: Any) -> str:
    return info.orig_filename if info.flag_bits & _UTF8_NAME else str(decode(info.orig_filename.encode("cp437")))


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, mode: int, password: str | None) -> Member:
    if info.filename.endswith("/"):  # `is_dir` fails on an empty name
        return Member(name, 0, _zip_time(info), None)
    secret = (password or "").encode()
    content: Any
    if info.compress_type == aes.METHOD:
        assert archive.fp is not None
        content = BufferedReader(streams.Pieces(aes.content(archive.fp, info, secret)))
    else:
        content = _opened(archive, info, secret)
    return Member(name, info.file_size, _zip_time(info), content, bool(mode & _EXECUTABLE))


def _opened(archive: zipfile.ZipFile, info: zipfile.ZipInfo, secret: bytes) -> IO[bytes]:
    if not info.flag_bits & _ENCRYPTED:
        return archive.open(info)
    try:
        member = archive.open(info, pwd=secret)
    except RuntimeError as error:
        raise Refusal("wrong_password") from error
    return BufferedReader(streams.Pieces(_decrypted(member)))


def _decrypted(member: IO[bytes]) -> Iterator[bytes]:
    """The old encryption tells a wrong password by one byte: of 256 one gets through, and what is read is noise."""
    try:
        while piece := member.read(CHUNK):
            yield piece
    except DAMAGE as error:
        raise Refusal("wrong_password") from error


def _refuse_huge_directory(source: Path) -> None:
    """Ask the last record how many members there are before a million of them are read."""
    with source.open("rb") as file:
        file.seek(max(0, source.stat().st_size - (1 << 16) - 22))
        tail = file.read()
    place = tail.rfind(_END_OF_DIRECTORY)
    if place < 0 or len(tail) < place + 22:
        raise Refusal("corrupt_input")
    disk, _, _, count, size, _ = struct.unpack_from("<HHHHII", tail, place + 4)
    unknown = 0xFFFF
    if disk not in {0, unknown}:
        raise Refusal("corrupt_input")
    if MAX_MEMBERS * 200 < size < 0xFFFFFFFF or MAX_MEMBERS < count < unknown:
        raise Refusal("archive_bomb")


def _refuse_overlaps(infos: list[zipfile.ZipInfo]) -> None:
    """Members that share their compressed bytes are the trick of the densest bombs; no packer makes them."""
    end = -1
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise Refusal("archive_bomb")
        end = (
            info.header_offset + _LOCAL_HEADER + len(info.orig_filename.encode("cp437", "replace")) + info.compress_size
        )


def _zip_time(info: zipfile.ZipInfo) -> float:
    """The exact time from the extra field where there is one, else the one that DOS knows, taken for UTC."""
    place = 0
    while place + 9 <= len(info.extra):
        kind, size = struct.unpack_from("<HH", info.extra, place)
        if kind == _TIMES and size >= 5 and info.extra[place + 4] & 1:
            return float(struct.unpack_from("<i", info.extra, place + 5)[0])
        place += 4 + size
    try:
        return float(calendar.timegm((*info.date_time, 0, 0, 0)))
    except (ValueError, OverflowError):
        return float(_EPOCH_1980)


def _tar(source: Path, compression: str, meter: Meter) -> Members:
    path = _decompressed(source, compression, meter) if compression else source
    with tarfile.open(path, "r:", errors="surrogateescape") as archive:
        decode = decode_all(_raw(info.name) for info in archive)
        _refuse_cut_end(archive, path)
        files: dict[str, tarfile.TarInfo] = {}
        for info in archive:
            name = decode(_raw(info.name))
            if info.isdir():
                yield Member(name, 0, float(info.mtime), None)
                continue
            file = files.get(info.linkname) if info.islnk() else info
            content = archive.extractfile(file) if file is not None and file.isreg() else None
            if file is not None and content is not None:
                files[info.name] = file
                yield Member(name, file.size, float(info.mtime), content, bool(info.mode & _EXECUTABLE))


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _refuse_cut_end(archive: tarfile.TarFile, path: Path) -> None:
    """The library stops in silence at a damaged header; a whole archive ends with a block of zeros or with the file."""
    with path.open("rb") as file:
        file.seek(archive.offset)
        if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise Refusal("corrupt_input")
    if len(archive.getmembers()) > MAX_MEMBERS:
        raise Refusal("archive_bomb")


def _decompressed(source: Path, kind: str, meter: Meter) -> Path:
    """The content of a compressed file in the spool, bounded while it grows."""
    spool = _SPOOL / "unpacked"
    with streams.open_to_read(source, kind) as content, spool.open("wb") as file:
        while chunk := content.read(CHUNK):
            meter.produced(len(chunk))
            file.write(chunk)
    return spool


def _single(source: Path, kind: str, meter: Meter) -> Members:
    path = _decompressed(source, kind, meter)
    with path.open("rb") as content:
        yield Member("", path.stat().st_size, source.stat().st_mtime, content)


def _seven(source: Path, meter: Meter, password: str | None) -> Members:
    spool = _Spool(meter)
    try:
        with py7zr.SevenZipFile(source, password=password) as archive:
            if archive.needs_password() and password is None:
                raise Refusal("password_required")
            infos = archive.list()
            meter.expect(len(infos), sum(info.uncompressed for info in infos))
            special = {file.filename for file in archive.files if file.is_symlink or file.is_junction or file.is_socket}
            archive.extract(factory=spool)
    except py7zr.exceptions.PasswordRequired as error:
        raise Refusal("password_required") from error
    except (py7zr.exceptions.ArchiveError, *streams.DAMAGE) as error:
        raise Refusal("wrong_password" if password is not None else "corrupt_input") from error
    for info in infos:
        modified = info.creationtime.timestamp() if info.creationtime else float(_EPOCH_1980)
        if info.is_directory:
            yield Member(info.filename, 0, modified, None)
        elif info.filename not in special:
            with spool.open(info.filename) as content:
                yield Member(info.filename, info.uncompressed, modified, content)


class _Spool(WriterFactory):  # type: ignore[misc]
    """Where py7zr, which gives its files when it wants, puts them: numbered files of ours in `tmp/`."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._paths: dict[str, Path] = {}

    def create(self, filename: str) -> Py7zIO:
        """A new file of the spool for that member."""
        path = self._paths[filename] = _SPOOL / f"{len(self._paths):06}"
        return _SpoolFile(path, self._meter)

    def open(self, filename: str) -> IO[bytes]:
        """The content of a member; one that py7zr never asked a file for is empty."""
        path = self._paths.get(filename)
        return path.open("rb") if path is not None else BytesIO()


class _SpoolFile(Py7zIO):  # type: ignore[misc]
    def __init__(self, path: Path, meter: Meter) -> None:
        self._path = path
        self._meter = meter
        self._path.touch()

    def write(self, s: bytes | bytearray) -> int:
        """Append, and count."""
        self._meter.produced(len(s))
        with self._path.open("ab") as file:
            return file.write(s)

    def read(self, size: int | None = None) -> bytes:
        """Not asked for when unpacking."""
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Members are written front to back, so there is nowhere to go."""
        return offset

    def flush(self) -> None:
        """Nothing is held back."""

    def size(self) -> int:
        """Bytes so far."""
        return self._path.stat().st_size
