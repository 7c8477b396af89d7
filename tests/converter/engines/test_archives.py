from __future__ import annotations

import gzip
import hashlib
import io
import json
import struct
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from filewright.converter.engines.archives import ARCHIVES, BSDTAR
from filewright.converter.errors import (
    ArchiveBomb,
    ConversionError,
    CorruptInput,
    LimitError,
    PasswordRequired,
    WrongPassword,
)

TARGETS = ["zip", "7z", "tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst"]
NOON = 1_700_000_000


def members_of(archive: Path) -> dict[str, bytes]:
    """Names and bytes as bsdtar sees them: not the program that packed them."""
    command = ["bsdtar", "--format=ustar", "-cf", "-", f"@{archive}"]
    plain = subprocess.run(command, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isreg()}


def a_zip(*names: str, content: bytes = b"x") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def a_tar(*infos: tuple[str, bytes, str]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, kind, link in infos:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mtime = kind, link, NOON
            info.size = 3 if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(b"abc"))
    return file.getvalue()


def packed_by_7z(tmp_path: Path, name: str, *switches: str) -> bytes:
    (tmp_path / "secret.txt").write_bytes(b"the content")
    subprocess.run(["7z", "a", *switches, name, "secret.txt"], cwd=tmp_path, check=True, capture_output=True)
    return (tmp_path / name).read_bytes()


@pytest.mark.parametrize("target", TARGETS[1:])
async def test_members_keep_their_names_bytes_and_times(convert, target):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in {"a/b.txt": b"hello", "empty": b"", "ü/名.bin": bytes(range(256)) * 999}.items():
            archive.writestr(zipfile.ZipInfo(name, time.gmtime(NOON)[:6]), content)
    [there] = await convert(ARCHIVES, file.getvalue(), "zip", target)
    assert members_of(there) == {"a/b.txt": b"hello", "empty": b"", "ü/名.bin": bytes(range(256)) * 999}
    [back] = await convert(ARCHIVES, there, target, "zip")
    with zipfile.ZipFile(back) as archive:
        assert archive.testzip() is None
        assert archive.getinfo("a/b.txt").date_time == time.gmtime(NOON)[:6]


async def test_times_are_kept_to_the_second_in_a_zip(convert):
    [product] = await convert(ARCHIVES, a_tar(("f", tarfile.REGTYPE, "")), "tar", "zip")
    seen = subprocess.run(["bsdtar", "-tvf", product], env={"TZ": "UTC"}, capture_output=True, check=True).stdout
    assert b"Nov 14  2023" in seen


@pytest.mark.parametrize("target", ["gz", "bz2", "xz", "zip"])
async def test_a_compressed_file_is_compressed_another_way(convert, target):
    content = b"some text\n" * 1000
    [first] = await convert(ARCHIVES, gzip.compress(content), "gz", "zst")
    [product] = await convert(ARCHIVES, first, "zst", target)
    seen = subprocess.run(["7z", "x", "-so", product], capture_output=True, check=True).stdout
    assert seen == content


@pytest.mark.requirement("B26")
async def test_names_that_would_leave_the_folder_are_made_harmless(convert):
    names = ["../../x", "/abs", "C:\\win", "..\\y", "CON", "a\x01b", "x" * 5000 + ".txt", "\u202egpj.exe"]
    [product] = await convert(ARCHIVES, a_zip(*names), "zip", "tar")
    with tarfile.open(product) as archive:
        written = archive.getnames()
    assert written[:6] == ["x", "abs", "win", "y", "_CON", "a_b"]
    assert len(written) == len(names)
    assert all(len(part.encode()) <= 255 for name in written for part in name.split("/"))
    assert all(character.isprintable() for name in written for character in name)


@pytest.mark.requirement("B26")
async def test_names_that_clash_are_told_apart(convert):
    source = a_tar(*((name, tarfile.REGTYPE, "") for name in ("a.txt", "A.TXT", "a.txt", "ß", "SS")))
    [product] = await convert(ARCHIVES, source, "tar", "zip")
    with zipfile.ZipFile(product) as archive:
        names = archive.namelist()
    assert len({name.casefold() for name in names}) == 5
    assert names[0] == "a.txt"


@pytest.mark.requirement("B26")
async def test_links_and_devices_are_left_out_and_a_hard_link_inside_is_a_file(convert):
    source = a_tar(
        ("a", tarfile.SYMTYPE, "/"),
        ("a/etc/x", tarfile.REGTYPE, ""),
        ("hard", tarfile.LNKTYPE, "a/etc/x"),
        ("outside", tarfile.LNKTYPE, "/etc/passwd"),
        ("itself", tarfile.LNKTYPE, "itself"),
        ("device", tarfile.CHRTYPE, ""),
        ("pipe", tarfile.FIFOTYPE, ""),
    )
    [product] = await convert(ARCHIVES, source, "tar", "zip")
    assert members_of(product) == {"a/etc/x": b"abc", "hard": b"abc"}


@pytest.mark.requirement("B26")
async def test_a_symbolic_link_in_a_zip_is_left_out(convert):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("file", "x")
    [product] = await convert(ARCHIVES, file.getvalue(), "zip", "tar")
    assert members_of(product) == {"file": b"x"}


@pytest.mark.requirement("B24")
@pytest.mark.parametrize("packed", ["zip", "gz", "tar.xz"])
@pytest.mark.sampled(3)
async def test_a_bomb_is_refused(convert, packed, tmp_path):
    zeros = bytes(1 << 20)
    if packed == "zip":
        with zipfile.ZipFile(tmp_path / "b", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("0", "w") as member:
            for _ in range(160):
                member.write(zeros)
    elif packed == "gz":
        with gzip.open(tmp_path / "b", "wb") as file:
            for _ in range(160):
                file.write(zeros)
    else:
        with tarfile.open(tmp_path / "b", "w:xz") as archive:
            info = tarfile.TarInfo("0")
            info.size = 160 << 20
            archive.addfile(info, io.BytesIO(bytes(info.size)))
    with pytest.raises(ArchiveBomb):
        await convert(ARCHIVES, tmp_path / "b", packed, "zst" if packed == "gz" else "tar")


@pytest.mark.requirement("B25")
async def test_members_that_share_their_bytes_are_refused(convert):
    one = bytearray(a_zip("0", "1", content=bytes(100_000)))
    first = one.index(b"PK\x01\x02")
    second = one.index(b"PK\x01\x02", first + 4)
    one[second + 42 : second + 46] = one[first + 42 : first + 46]
    with pytest.raises(ArchiveBomb):
        await convert(ARCHIVES, bytes(one), "zip", "tar")


@pytest.mark.requirement("B25")
async def test_an_absurd_number_of_members_is_refused_before_they_are_read(convert):
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 65535, 65535, 60_000_000, 0, 0)
    with pytest.raises((ArchiveBomb, CorruptInput)):
        await convert(ARCHIVES, a_zip("x")[:-22] + end, "zip", "tar")


@pytest.mark.requirement("B25")
async def test_an_archive_in_an_archive_stays_as_it_is(convert):
    inner = a_zip("deep")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("inner.zip", inner)
    [product] = await convert(ARCHIVES, file.getvalue(), "zip", "7z")
    assert members_of(product) == {"inner.zip": inner}


@pytest.mark.parametrize(
    ("name", "switches"),
    [
        ("a.zip", ("-tzip", "-mem=AES256", "-pS3cret")),
        ("b.zip", ("-tzip", "-mem=ZipCrypto", "-pS3cret")),
        ("c.7z", ("-pS3cret",)),
        ("d.7z", ("-pS3cret", "-mhe=on")),
    ],
)
async def test_an_encrypted_archive_opens_with_its_password_only(convert, tmp_path, name, switches):
    source = packed_by_7z(tmp_path, name, *switches)
    source_format = name.partition(".")[2]
    with pytest.raises(PasswordRequired):
        await convert(ARCHIVES, source, source_format, "tar")
    with pytest.raises(WrongPassword):
        await convert(ARCHIVES, source, source_format, "tar", password="wrong")
    [product] = await convert(ARCHIVES, source, source_format, "tar", password="S3cret")
    assert members_of(product) == {"secret.txt": b"the content"}


async def test_a_wrong_password_that_gets_through_the_check_of_the_old_encryption_is_still_wrong(convert, tmp_path):
    source = packed_by_7z(tmp_path, "b.zip", "-tzip", "-mem=ZipCrypto", "-pS3cret")
    with zipfile.ZipFile(io.BytesIO(source)) as archive:
        [member] = archive.infolist()
        through = next(guess for guess in map(str, range(100_000)) if gets_through(archive, member, guess))
    with pytest.raises(WrongPassword):
        await convert(ARCHIVES, source, "zip", "tar", password=through)


def gets_through(archive, member, guess: str) -> bool:
    try:
        archive.open(member, pwd=guess.encode()).close()
    except RuntimeError:
        return False
    return True


async def test_names_in_an_old_code_page_are_read(convert):
    for encoding, name in {
        "cp932": "文章1.txt",
        "cp866": "Документ.txt",
        "gb2312": "文档.txt",
        "cp437": "Grüße.txt",
    }.items():
        raw = name.encode(encoding)
        source = a_zip("x" * len(raw)).replace(b"x" * len(raw), raw)
        [listing] = await convert(ARCHIVES, source, "zip", "json")
        assert [row["name"] for row in json.loads(listing.read_bytes())] == [name]


@pytest.mark.requirement("B31")
async def test_a_truncated_archive_is_never_taken_for_a_whole_one(convert, tmp_path):
    content = {f"{n}.bin": hashlib.sha256(bytes([n])).digest() * 40 for n in range(6)}
    with tarfile.open(tmp_path / "t.tar", "w") as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    for source_format in ("zip", "7z", "tar.gz", "tar.xz", "tar"):
        whole = (tmp_path / "t.tar").read_bytes()[:-8192]
        if source_format != "tar":
            [product] = await convert(ARCHIVES, whole, "tar", source_format)
            whole = product.read_bytes()
        for part in (1, 6, 11, 15):
            try:
                [product] = await convert(ARCHIVES, whole[: len(whole) * part // 16], source_format, "tar.zst")
            except (CorruptInput, LimitError):
                continue
            except ConversionError as error:
                pytest.fail(f"{part}/16 of a {source_format}: {error.code}")
            assert members_of(product) == content, f"{part}/16 of a {source_format}"


@pytest.mark.corpus
async def test_the_facts_of_the_corpus_hold(convert, corpus_facts):
    formats = {".zip": "zip", ".7z": "7z", ".tgz": "tar.gz", ".Z": "tar.z", ".rar": "rar"}
    checked = 0
    for path, source_format, facts in corpus_facts("archives", formats):
        engine = BSDTAR if source_format == "rar" else ARCHIVES
        [product] = await convert(engine, path, source_format, "tar.zst")
        found = members_of(product)
        assert len(found) == facts["files"], path
        assert set(facts["names_sample"]) <= set(found), path
        wanted = facts.get("member_sha256")
        if wanted:
            assert wanted["sha256"] in {hashlib.sha256(content).hexdigest() for content in found.values()}, path
        checked += 1
    assert checked == 7


@pytest.mark.corpus
async def test_a_zstandard_file_of_the_corpus_holds_what_it_should(convert, corpus_facts):
    [(path, _, facts)] = corpus_facts("archives", {".zst": "zst"})
    [product] = await convert(ARCHIVES, path, "zst", "gz")
    assert hashlib.sha256(gzip.decompress(product.read_bytes())).hexdigest() == facts["sha256_decompressed"]


@pytest.mark.corpus
async def test_what_the_corpus_rejects_is_rejected(convert, corpus):
    with pytest.raises(PasswordRequired):
        await convert(ARCHIVES, corpus / "archives/encrypted.zip", "zip", "7z")
    with pytest.raises(PasswordRequired):
        await convert(ARCHIVES, corpus / "archives/encrypted.7z", "7z", "zip")
    with pytest.raises(CorruptInput):
        await convert(ARCHIVES, corpus / "archives/spanned-missing-volume.zip", "zip", "7z")
    [product] = await convert(ARCHIVES, corpus / "archives/encrypted.7z", "7z", "zip", password="Tika")
    assert members_of(product)
