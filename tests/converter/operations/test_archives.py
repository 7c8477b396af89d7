"""Files into archives and out of them; archives are read and made by 7z, unzip and tar here."""

import io
import os
import struct
import subprocess
import tarfile
import zipfile
import zlib

import pytest

from filewright.converter.errors import (
    ArchiveBomb,
    CorruptInput,
    InvalidOptions,
    PasswordRequired,
    UnsupportedConversion,
    WrongPassword,
)

NAMES = ["report.txt", "report.txt", "CON.txt", "-rf.txt", "übung.txt"]


def run(*command, cwd=None):
    return subprocess.run(command, check=True, capture_output=True, cwd=cwd, timeout=60).stdout


def a_zip(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def there(products):
    """What a caller is shown, and the bytes."""
    return {product.name: product.path.read_bytes() for product in products}


@pytest.mark.requirement("B26")
async def test_many_files_become_one_zip_with_harmless_names(operate_on, tmp_path):
    contents = [f"content {number}\n".encode() * 50 for number in range(5)]
    [product] = await operate_on("archive", contents, "txt", "zip", names=NAMES)
    run("unzip", "-q", product.path, "-d", tmp_path / "got")
    run("7z", "t", product.path)
    got = {path.relative_to(tmp_path / "got").as_posix(): path.read_bytes() for path in (tmp_path / "got").rglob("*.*")}
    assert got["report.txt"] == contents[0]
    assert got["report (2).txt"] == contents[1]
    assert got["übung.txt"] == contents[4]
    assert sorted(got) == ["-rf.txt", "_CON.txt", "report (2).txt", "report.txt", "übung.txt"]


@pytest.mark.parametrize("target", ["tar.gz", "7z", "tar.zst"])
async def test_other_archives_hold_the_same(operate_on, tmp_path, target):
    [product] = await operate_on("archive", [b"one", b"two" * 99], "txt", target, names=["a.txt", "b.txt"])
    run("bsdtar", "-xf", product.path, "-C", tmp_path)
    assert (tmp_path / "a.txt").read_bytes() == b"one"
    assert (tmp_path / "b.txt").read_bytes() == b"two" * 99


async def test_each_member_comes_out_with_its_name(operate_on):
    members = {"docs/a.txt": b"a" * 10, "docs/b.bin": bytes(range(256)), "a.txt": b"x", "nothing.txt": b""}
    products = await operate_on("unarchive", a_zip(members), "zip")
    assert there(products) == {
        "a.txt": b"a" * 10, "b.bin": bytes(range(256)), "a (2).txt": b"x", "nothing.txt": b"",
    }  # fmt: skip
    assert [product.format for product in products] == ["txt", None, "txt", "txt"]


@pytest.mark.parametrize("kind", ["7z", "tar.gz"])
async def test_archives_of_other_programs_are_taken_apart(operate_on, tmp_path, kind):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/one.txt").write_bytes(b"first")
    (tmp_path / "two.txt").write_bytes(b"second")
    packer = ("7z", "a") if kind == "7z" else ("tar", "-czf")
    run(*packer, f"made.{kind}", "deep", "two.txt", cwd=tmp_path)
    products = await operate_on("unarchive", tmp_path / f"made.{kind}", kind)
    assert there(products) == {"one.txt": b"first", "two.txt": b"second"}


async def test_members_are_chosen_by_name_or_pattern(operate_on):
    archive = a_zip({"a.txt": b"1", "b.txt": b"2", "c.bin": b"3"})
    some = {"members": ["b.txt", "*.bin"]}
    assert there(await operate_on("unarchive", archive, "zip", options=some)) == {"b.txt": b"2", "c.bin": b"3"}
    assert there(await operate_on("extract", archive, "zip", options=some)) == {"b.txt": b"2", "c.bin": b"3"}
    with pytest.raises(InvalidOptions):
        await operate_on("extract", archive, "zip", options={"members": ["d.txt"]})


@pytest.mark.requirement("B26")
async def test_links_are_left_out_and_names_stay_inside(operate_on):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, kind, link in (
            ("../../up.txt", tarfile.REGTYPE, ""),
            ("/etc/abs.txt", tarfile.REGTYPE, ""),
            ("link", tarfile.SYMTYPE, "/etc/passwd"),
            ("hard", tarfile.LNKTYPE, "/etc/passwd"),
            ("pipe", tarfile.FIFOTYPE, ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, 3 if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(b"abc"))
    products = await operate_on("unarchive", file.getvalue(), "tar")
    assert there(products) == {"up.txt": b"abc", "abs.txt": b"abc"}


async def test_a_bomb_ends_while_it_unpacks(operate_on):
    with pytest.raises(ArchiveBomb):
        await operate_on("unarchive", a_zip({"zeros": bytes(130 << 20)}), "zip")


async def test_damage_and_passwords_are_named(operate_on, tmp_path):
    whole = a_zip({"a.txt": os.urandom(5000)})
    with pytest.raises(CorruptInput):
        await operate_on("unarchive", whole[:2000], "zip")
    spoiled = whole[:300] + bytes((whole[300] ^ 1,)) + whole[301:]
    with pytest.raises(CorruptInput):
        await operate_on("unarchive", spoiled, "zip")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    run("7z", "a", "-pright", "locked.7z", "secret.txt", cwd=tmp_path)
    locked = (tmp_path / "locked.7z").read_bytes()
    with pytest.raises(PasswordRequired):
        await operate_on("unarchive", locked, "7z")
    with pytest.raises(WrongPassword):
        await operate_on("unarchive", locked, "7z", password="wrong")
    assert there(await operate_on("unarchive", locked, "7z", password="right")) == {"secret.txt": b"secret"}


async def test_what_is_no_rar_is_damaged(operate_on):
    with pytest.raises(CorruptInput):
        await operate_on("unarchive", b"Rar!\x1a\x07\x01\x00" + bytes(100), "rar")


def _number(value):
    """As RAR 5 writes one: seven bits a byte."""
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _number(value >> 7)


def _block_4(kind, flags, body, data=b""):
    rest = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
    return struct.pack("<H", zlib.crc32(rest) & 0xFFFF) + rest + data


def _block_5(*fields, data=b""):
    body = b"".join(_number(field) if isinstance(field, int) else field for field in fields)
    header = _number(len(body)) + body
    return struct.pack("<I", zlib.crc32(header)) + header + data


def a_locked_rar(version, *, whole):
    """With one member, of which the content is encrypted, or of which even the name is."""
    data, name = b"\x11" * 16, b"a.txt"
    if version == 4:
        member = struct.pack("<IIBIIBBHI", len(data), 5, 3, zlib.crc32(b"hello"), 0, 29, 0x30, len(name), 0o100644)
        rest = bytes(64) if whole else _block_4(0x74, 0x8004, member + name, data) + _block_4(0x7B, 0x4000, b"")
        return b"Rar!\x1a\x07\x00" + _block_4(0x73, 0x80 if whole else 0, bytes(6)) + rest
    mark = b"Rar!\x1a\x07\x01\x00"
    if whole:
        return mark + _block_5(4, 0, 0, 0, 15, bytes(16)) + bytes(64)
    record = bytes((1, 0, 0, 15)) + bytes(32)
    extra = _number(len(record)) + record
    member = (2, 3, len(extra), len(data), 4, 5, 0o100644, struct.pack("<I", zlib.crc32(b"hello")), 0, 1, len(name))
    return mark + _block_5(1, 0, 0) + _block_5(*member, name, extra, data=data) + _block_5(5, 0, 0)


@pytest.mark.parametrize("whole", [False, True], ids=["content", "names"])
@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("password", [None, "right"])
async def test_a_rar_with_a_password_is_said_to_be_one_that_nobody_here_opens(operate_on, version, whole, password):
    with pytest.raises(UnsupportedConversion, match="protected by a password"):
        await operate_on("unarchive", a_locked_rar(version, whole=whole), "rar", password=password)
