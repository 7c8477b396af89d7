"""What a virus scanner overlooks in a file, brought to light for it.

clamd reads the dictionary of a PDF's stream up to the first `>>`, so it takes a compressed attachment whose dictionary
holds another one (as qpdf and many others write them) for plain bytes, and says OK of what is inside. Here every
compressed stream of a PDF is inflated, whatever its dictionary says of it, and handed over as a member of an archive,
which scanners do open. Nothing is parsed: what inflates is a stream.
"""

from __future__ import annotations

import io
import mmap
import re
import tarfile
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path

from filewright.converter.errors import NotScannable

_HEAD_BYTES = 1024
_BEGINS = re.compile(rb"(?<!end)stream[ \t]*(?:\r\n|\n|\r)")
_READ_BYTES = 1 << 16
_LEAST_BYTES = 16
MEMBERS_AT_ONCE = 1000
BYTES_AT_ONCE = 32 << 20
MAX_BYTES = 1 << 30


def revealed(path: Path, folder: Path) -> Generator[Path, None, None]:
    """Archives of what lies hidden in the file, each gone when the next one is asked for. None for most files.

    Blocking. Raises NotScannable when there is too much.
    """
    with path.open("rb") as file:
        if b"%PDF" not in file.read(_HEAD_BYTES):
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for number, members in enumerate(_portions(_streams(content))):
                archive = folder / f"revealed-{number}.tar"
                _pack(members, archive)
                try:
                    yield archive
                finally:
                    archive.unlink()


def _streams(content: mmap.mmap) -> Iterator[bytes]:
    left = MAX_BYTES
    for begin in _BEGINS.finditer(content):
        stream = _inflated(content, begin.end(), left)
        left -= len(stream)
        if left <= 0:
            raise NotScannable("The file unpacks to more than a virus scanner can look through; split it first")
        if len(stream) >= _LEAST_BYTES:
            yield stream


def _inflated(content: mmap.mmap, start: int, most: int) -> bytes:
    """What the bytes from here on inflate to, as far as they do; nothing when they were never deflated."""
    head = content[start : start + 2]
    if len(head) < 2 or head[0] & 0x0F != zlib.DEFLATED or int.from_bytes(head, "big") % 31:
        return b""
    inflating, found = zlib.decompressobj(), bytearray()
    try:
        for at in range(start, len(content), _READ_BYTES):
            found += inflating.decompress(content[at : at + _READ_BYTES], max(1, most - len(found)))
            if inflating.eof or len(found) >= most:
                break
    except zlib.error:
        pass  # what came out before is what a reader would see, too
    return bytes(found)


def _portions(streams: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Few enough at once for the limits that scanners have."""
    portion: list[bytes] = []
    size = 0
    for stream in streams:
        portion.append(stream)
        size += len(stream)
        if len(portion) >= MEMBERS_AT_ONCE or size >= BYTES_AT_ONCE:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _pack(members: list[bytes], archive: Path) -> None:
    with tarfile.open(archive, "w") as packed:
        for number, member in enumerate(members):
            entry = tarfile.TarInfo(str(number))
            entry.size = len(member)
            packed.addfile(entry, io.BytesIO(member))
