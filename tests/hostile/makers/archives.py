# ruff: noqa: E501 - a payload reads best in one piece
"""Archives that swell, nest, and name places outside (recipes 1, 2 and 12)."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
import zlib

from makers.attack import ANY, CONVERTED, EITHER, Attack, Bait, Twin, ends
from makers.packages import gzipped_zeros, zip_of_a_bomb, zipped


def _names(bait: Bait) -> list[str]:
    mark = bait.pwned_name
    return [
        f"../{mark}", f"../../../../../../tmp/{mark}", f"/tmp/{mark}", str(bait.pwned), f"C:\\{mark}", f"..\\..\\{mark}", f"a/../../{mark}",
        f"a\0/../{mark}", f"./{mark}/../../{mark}", "CON", "a.", "A", "a", "x" * 5000, "\u202egnp", "", "/", "..", ".", "\\\\host\\x", "~/x",
    ]  # fmt: skip


def _zip_names(bait: Bait) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("good.txt", "Harmless")
        for name in _names(bait):
            info = zipfile.ZipInfo("placeholder")
            info.filename = name
            archive.writestr(info, "evil")
        for name, to in (("link", bait.file), ("dir", "/")):
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, to)
        archive.writestr(f"dir/tmp/{bait.pwned_name}", "evil")
    return made.getvalue()


def _tar_names(bait: Bait) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, "good.txt", b"Harmless")
        for name in _names(bait):
            if name and "\0" not in name:
                _add(archive, name, b"evil")
        for name, kind, to in (
            ("a", tarfile.SYMTYPE, "/"), ("b", tarfile.LNKTYPE, bait.file), ("c", tarfile.SYMTYPE, bait.file), ("d", tarfile.CHRTYPE, ""),
            ("e", tarfile.FIFOTYPE, ""), ("f", tarfile.LNKTYPE, "../../../canary.txt"), ("g", tarfile.BLKTYPE, ""),
        ):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.devmajor, info.devminor, info.mode = kind, to, 1, 3, 0o6777
            archive.addfile(info)
        _add(archive, f"a/tmp/{bait.pwned_name}", b"evil")
        _add(archive, "c", b"evil")
    return made.getvalue()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o6777
    archive.addfile(info, io.BytesIO(data))


def _sparse_tar() -> bytes:
    """A member that says it has a tebibyte of holes."""
    header = bytearray(tarfile.TarInfo("hole").tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"S"
    header[124:136] = b"%011o\0" % 512
    header[386:398], header[398:410] = b"%011o\0" % 0, b"%011o\0" % 512
    header[483:495] = b"\x80" + b"\0" * 6 + struct.pack(">Q", 1 << 40)[3:]
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + b"x" * 512 + b"\0" * 1024


def _bomb() -> bytes:
    return zip_of_a_bomb({}, "zeros", 256 << 20, b"", b"")


def _overlapping(entries: int = 2000) -> bytes:
    """Many names for the same compressed bytes, each in its place in the directory."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    kernel = packed.compress(b"\0" * (10 << 20)) + packed.flush()
    crc = zlib.crc32(b"\0" * (10 << 20))
    sizes = struct.pack("<III", crc, len(kernel), 10 << 20)
    local = b"PK\3\4" + struct.pack("<HHHHH", 20, 0, 8, 0, 0) + sizes + struct.pack("<HH", 1, 0) + b"a"
    central = b"".join(
        b"PK\1\2"
        + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 0)
        + sizes
        + struct.pack("<HHHHHII", 6, 0, 0, 0, 0, 0, 0)
        + b"%06d" % n
        for n in range(entries)
    )
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, entries, entries, len(central), len(local + kernel), 0)
    return local + kernel + central + end


def _nested(levels: int) -> bytes:
    inner = zip_of_a_bomb({}, "zeros", 8 << 20, b"", b"")
    for _ in range(levels):
        inner = zipped({f"{n}.zip": inner for n in range(10)})
    return inner


def _two_names() -> bytes:
    """The name before the bytes is another than the one in the directory."""
    data = zipped({"inner.txt": "Harmless", "other.txt": "Harmless"})
    return data.replace(b"inner.txt", b"../in.txt", 1)


def _gzip_in_gzip() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(gzipped_zeros(1 << 30)) + packer.flush()


_BOMB = ends("archive_bomb", "resource_limit", "too_large", "corrupt_input")

ATTACKS = (
    Attack("zip-names", "a.zip", _zip_names, ("tar", "7z", "json"), ("B26",), EITHER | ends("archive_bomb")),
    Attack("tar-names", "a.tar", _tar_names, ("zip", "tar.gz", "7z"), ("B26",), EITHER | ends("archive_bomb")),
    Attack("zip-two-names", "a.zip", lambda _: _two_names(), ("tar",), ("B26",), EITHER),
    Attack("tar-sparse", "a.tar", lambda _: _sparse_tar(), ("zip", "7z"), ("B25",), _BOMB | {CONVERTED}),
    Attack("zip-bomb", "a.zip", lambda _: _bomb(), ("tar", "7z"), ("B24",), ends("archive_bomb")),
    Attack("zip-overlapping", "a.zip", lambda _: _overlapping(), ("tar",), ("B25",), ends("archive_bomb")),
    Attack("zip-nested", "a.zip", lambda _: _nested(6), ("tar", "7z"), ("B25",), _BOMB | {CONVERTED}),
    Attack("gzip-bomb", "a.gz", lambda _: gzipped_zeros(1 << 30), ("zip", "xz"), ("B24",), _BOMB),
    Attack("gzip-in-gzip", "a.tar.gz", lambda _: _gzip_in_gzip(), ("zip",), ("B25",), ANY | _BOMB),
)  # fmt: skip

TWINS = (
    Twin(
        "zip of a normal ratio",
        "a.zip",
        lambda: zipped({"a/b.txt": "Harmless " * 500, "c.txt": "x"}),
        "tar",
        "Harmless",
        ("B24", "B25"),
    ),
    Twin(
        "zip in a zip", "a.zip", lambda: zipped({"a.zip": zipped({"b.txt": "Harmless"})}), "tar", "Harmless", ("B25",)
    ),
)
