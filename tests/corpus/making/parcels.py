"""Archives and letters."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from pathlib import Path

from corpus.making.tools import MEMBER, MEMBERS, run


def tar(path: Path) -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, data in MEMBERS.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    _press(plain.getvalue(), path)


def pressed(path: Path) -> None:
    _press(MEMBER, path)


def _press(data: bytes, path: Path) -> None:
    program = {".bz2": ("bzip2",), ".xz": ("xz",), ".zst": ("zstd", "-q"), ".Z": ("compress", "-f")}.get(path.suffix)
    path.write_bytes(run(*program, "-c", given=data) if program else data)


def rar(path: Path) -> None:
    """RAR 5 with stored members, from the published description of the format."""

    def number(value: int) -> bytes:
        out = bytearray()
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes([*out, value])

    def block(body: bytes, data: bytes = b"") -> bytes:
        sized = number(len(body)) + body
        return struct.pack("<I", zlib.crc32(sized)) + sized + data

    blocks = [block(number(1) + number(0) + number(0))]
    for name, data in MEMBERS.items():
        encoded = name.encode()
        fields = (2, 2, len(data), 4, len(data), 0o100644)
        body = b"".join(map(number, fields)) + struct.pack("<I", zlib.crc32(data))
        blocks.append(block(body + number(0) + number(1) + number(len(encoded)) + encoded, data))
    path.write_bytes(b"Rar!\x1a\x07\x01\x00" + b"".join(blocks) + block(number(5) + number(0) + number(0)))


def tnef(path: Path) -> None:
    def attribute(level: int, kind: int, value: bytes) -> bytes:
        return struct.pack("<BII", level, kind, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)

    path.write_bytes(
        struct.pack("<IH", 0x223E9F78, 1)
        + attribute(1, 0x00018004, b"A subject\0")
        + attribute(1, 0x0002800C, b"The words of the letter\0")
        + attribute(2, 0x00069002, bytes(14))
        + attribute(2, 0x00018010, b"report.txt\0")
        + attribute(2, 0x0006800F, MEMBER)
    )
