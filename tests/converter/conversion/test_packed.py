from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from filewright.chassis.testing.effort import cpu_seconds
from filewright.converter.conversion.inspection import Inspection, inspect
from filewright.converter.errors import ArchiveBomb, ConversionError, CorruptInput, PasswordRequired
from filewright.converter.tiers import ANONYMOUS

MEBIBYTE = 1 << 20
DOCX = {
    "[Content_Types].xml": b'<Types><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats'
    b'-officedocument.wordprocessingml.document.main+xml"/></Types>',
    "_rels/.rels": b"<Relationships/>",
}


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., Inspection]:
    def looked(data: bytes, name: str = "x.zip", **more: str) -> Inspection:
        path = tmp_path / "input"
        path.write_bytes(data)
        return inspect(path, name, tier=ANONYMOUS, **more)

    return looked


def cpu_seconds_until_refused(look: Callable[..., Inspection], data: bytes, name: str = "x.zip") -> float:
    def refused() -> None:
        with pytest.raises(ArchiveBomb) as refusal:
            look(data, name)
        assert refusal.value.exit_code == 5

    return cpu_seconds(refused, enough=0.1)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def handmade(members: list[tuple[bytes, bytes, int, int]]) -> bytes:
    """A ZIP from (name, packed bytes, declared size, offset or -1 for "behind the last")."""
    body, directory = bytearray(), bytearray()
    for name, packed, size, offset in members:
        at = len(body) if offset < 0 else offset
        if offset < 0:
            body += struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(packed), size, len(name), 0)
            body += name + packed
        directory += struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, len(packed), size, len(name), 0, 0, 0, 0, 0, at
        )
        directory += name
    count = len(members)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body + directory + end)


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def zeros(size: int) -> bytes:
    """The deflated form of that many zeros: one flushed mebibyte, again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(MEBIBYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * (size // MEBIBYTE) + packer.flush()


@pytest.fixture(scope="session")
def gibibyte_of_zeros() -> bytes:
    return zeros(1024 * MEBIBYTE)


@pytest.mark.requirement("B24", "B25")
@pytest.mark.parametrize("name", ["x.zip", "x.docx", "x.epub", "x.odt"])
def test_a_gibibyte_in_a_megabyte_is_refused_at_once(
    look: Callable[..., Inspection], gibibyte_of_zeros: bytes, name: str
) -> None:
    parts = [(key.encode(), deflated(data), len(data), -1) for key, data in DOCX.items()] if name == "x.docx" else []
    mimetypes = {"x.epub": b"application/epub+zip", "x.odt": b"application/vnd.oasis.opendocument.text"}
    if name in mimetypes:
        parts = [(b"mimetype", deflated(mimetypes[name]), len(mimetypes[name]), -1)]
    data = handmade([*parts, (b"word/document.xml", gibibyte_of_zeros, 1024 * MEBIBYTE, -1)])
    assert cpu_seconds_until_refused(look, data, name) < 0.1


@pytest.mark.requirement("B25")
def test_members_that_share_their_bytes_are_refused_at_once(look: Callable[..., Inspection]) -> None:
    kernel = deflated(bytes(MEBIBYTE))
    members = [(b"a", kernel, MEBIBYTE, -1), *((f"b{n}".encode(), kernel, MEBIBYTE, 0) for n in range(100))]
    assert cpu_seconds_until_refused(look, handmade(members)) < 0.1


@pytest.mark.requirement("B25")
@pytest.mark.parametrize("step", [0, 31])
def test_an_overlap_of_thousands_of_members_is_refused_at_once(look: Callable[..., Inspection], step: int) -> None:
    kernel = deflated(bytes(4 * MEBIBYTE))
    members = [(b"a", kernel * 1000, 1000, -1), *((f"b{n}".encode(), kernel, 1000, n * step) for n in range(65_000))]
    assert cpu_seconds_until_refused(look, handmade(members)) < 0.1


@pytest.mark.requirement("B25")
@pytest.mark.parametrize("depth", [10, 22])
def test_archives_within_archives_are_refused_at_once(look: Callable[..., Inspection], depth: int) -> None:
    data = b"the bottom"
    for level in range(depth):
        data = zipped({f"{level}-{copy}.zip": data for copy in range(10)})
    assert cpu_seconds_until_refused(look, data) < 0.1


@pytest.mark.requirement("B25")
def test_few_levels_that_unpack_to_petabytes_are_refused(
    look: Callable[..., Inspection], gibibyte_of_zeros: bytes
) -> None:
    inner = handmade([(b"zeros", zeros(64 * MEBIBYTE), 64 * MEBIBYTE, -1)])
    data = zipped({f"{n}.zip": inner for n in range(16)})
    assert cpu_seconds_until_refused(look, zipped({f"{n}.zip": data for n in range(16)})) < 0.1


@pytest.mark.requirement("B25")
def test_a_million_members_are_refused_at_once(look: Callable[..., Inspection]) -> None:
    entry = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * 1_000_000
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"a"
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 20, 20, 0, 0, 10**6, 10**6, len(directory), len(local))
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(local) + len(directory), 1)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert cpu_seconds_until_refused(look, local + directory + end64 + locator + end) < 0.1


@pytest.mark.requirement("B24", "B25")
def test_a_member_that_unpacks_to_more_than_it_declares_is_refused_at_once(look: Callable[..., Inspection]) -> None:
    data = handmade([(b"small.txt", zeros(100 * MEBIBYTE), 110_000, -1)])
    assert cpu_seconds_until_refused(look, data) < 0.1


@pytest.mark.requirement("B31")
def test_a_member_that_is_a_little_longer_than_it_declares_is_damaged(look: Callable[..., Inspection]) -> None:
    with pytest.raises(CorruptInput):
        look(handmade([(b"a.txt", deflated(bytes(5000)), 4000, -1)]))


@pytest.mark.requirement("B31")
def test_a_zip_cut_off_anywhere_is_damaged(look: Callable[..., Inspection]) -> None:
    data = zipped({**DOCX, "word/document.xml": b"<x/>" * 500})
    for cut in range(1, 64):
        with pytest.raises(ConversionError) as refused:
            look(data[: len(data) * cut // 64], "x.docx")
        assert refused.value.exit_code == 4, cut


def test_an_encrypted_archive_asks_for_its_password_and_takes_one(look: Callable[..., Inspection]) -> None:
    data = bytearray(zipped({"one.txt": b"one"}))
    data[6] |= 1
    data[data.rindex(b"PK\1\2") + 8] |= 1
    with pytest.raises(PasswordRequired):
        look(bytes(data))
    assert look(bytes(data), password="guess").format == "zip"


def test_an_honest_archive_passes(look: Callable[..., Inspection]) -> None:
    honest = {f"folder/{n}.txt": b"line of a log file, over and over again\n" * 20_000 for n in range(12)}
    nested = zipped({"inner.zip": zipped({"innermost.zip": zipped(honest)})})
    assert look(zipped(honest)).format == "zip"
    assert look(nested).format == "zip"
    assert look(zipped({**DOCX, "word/document.xml": b"<w:t>text</w:t>" * 9999}), "x.docx").format == "docx"
