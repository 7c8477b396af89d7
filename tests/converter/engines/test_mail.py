"""Mail engines: what a person wrote and attached comes out, whatever the mail program did to it."""

from __future__ import annotations

import json
import mailbox
import struct
import zipfile
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from filewright.converter.engines.mail import Mail
from filewright.converter.errors import CorruptInput

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf500f0003860180"
    "5a346b6c0000000049454e44ae426082"
)


def a_message(subject: str = "Größe 5 📊", *, attach: str | None = "../bild.png") -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "Jürgen <j@example.org>"
    message["To"] = "someone@example.org"
    message.set_content("Plain words.")
    message.add_alternative('<p>Fancy <b>words</b> <img src="cid:pic"></p><script>alert(1)</script>', subtype="html")
    if attach:
        message.add_attachment(PNG, maintype="image", subtype="png", filename=attach, cid="<pic>")
    return message


def tnef(name: bytes, content: bytes) -> bytes:
    def attribute(level: int, number: int, value: bytes) -> bytes:
        return struct.pack("<BHHI", level, number, 1, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)

    return (
        struct.pack("<IH", 0x223E9F78, 1)
        + attribute(1, 0x8004, b"A subject\0")
        + attribute(2, 0x9002, b"\0" * 14)
        + attribute(2, 0x8010, name + b"\0")
        + attribute(2, 0x800F, content)
    )


async def test_a_message_becomes_a_page_with_its_headers_and_inline_picture(convert):
    [page] = await convert(Mail(), a_message().as_bytes(), "eml", "html")
    text = page.read_text(encoding="utf-8")
    assert "Größe 5 📊" in text
    assert "Jürgen &lt;j@example.org&gt;" in text
    assert "Fancy <b>words</b>" in text
    assert "data:image/png;base64," in text


async def test_a_script_in_a_message_does_not_reach_the_page(convert):
    [page] = await convert(Mail(), a_message().as_bytes(), "eml", "html")
    assert "<script" not in page.read_text(encoding="utf-8")


@pytest.mark.requirement("B33")
async def test_attachments_are_archived_under_harmless_names(convert):
    [archive] = await convert(Mail(), a_message(attach="../../etc/passwd").as_bytes(), "eml", "zip")
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
        assert all(not name.startswith(("/", ".")) and ".." not in name and "\n" not in name for name in names)
        assert opened.read(names[-1]) == PNG


async def test_a_mailbox_gives_every_message(convert, tmp_path: Path):
    box = mailbox.mbox(tmp_path / "box")
    for number in range(3):
        box.add(a_message(f"Number {number}"))
    box.close()
    [summary] = await convert(Mail(), tmp_path / "box", "mbox", "json")
    assert [row["subject"] for row in json.loads(summary.read_text(encoding="utf-8"))] == [
        "Number 0",
        "Number 1",
        "Number 2",
    ]
    [archive] = await convert(Mail(), tmp_path / "box", "mbox", "zip")
    with zipfile.ZipFile(archive) as opened:
        first = message_from_bytes(opened.read("message-0001.eml"), policy=policy.default)
    assert first["Subject"] == "Number 0"


async def test_winmail_dat_gives_its_attachments(convert):
    [archive] = await convert(Mail(), tnef(b"report.txt", b"the words"), "tnef", "zip")
    with zipfile.ZipFile(archive) as opened:
        assert opened.read("report.txt") == b"the words"


async def test_winmail_dat_becomes_a_message(convert):
    [message] = await convert(Mail(), tnef(b"report.txt", b"the words"), "tnef", "eml")
    parsed = message_from_bytes(message.read_bytes(), policy=policy.default)
    assert parsed["Subject"] == "A subject"
    assert [part.get_filename() for part in parsed.iter_attachments()] == ["report.txt"]


async def test_a_saved_page_comes_out_whole(convert):
    saved = (
        b"From: saved\r\nSubject: Page\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/related; boundary="XX"\r\n\r\n--XX\r\nContent-Type: text/html; charset="utf-8"\r\n'
        b'Content-Location: http://example.org/\r\n\r\n<h1>Saved</h1><img src="http://example.org/a.png">\r\n'
        b"--XX\r\nContent-Type: image/png\r\nContent-Location: http://example.org/a.png\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--XX--\r\n"
    )
    [page] = await convert(Mail(), saved, "mhtml", "html")
    text = page.read_text(encoding="utf-8")
    assert "Saved" in text
    assert "http://example.org/a.png" not in text


@pytest.mark.requirement("B31")
@pytest.mark.parametrize(
    ("source_format", "content"),
    [
        ("eml", b"\n\nno header at all"),
        ("mbox", b"nothing like a mailbox"),
        ("msg", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600),
        ("tnef", tnef(b"a", b"b" * 100)[:-60]),
        ("mhtml", b"Subject: x\r\n\r\nno page"),
    ],
)
async def test_a_broken_message_is_refused(convert, source_format: str, content: bytes):
    with pytest.raises(CorruptInput):
        await convert(Mail(), content, source_format, "html")


@pytest.mark.requirement("B31")
async def test_a_thousand_levels_of_multipart_are_refused(convert):
    deep = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level) for level in range(1000)
    )
    with pytest.raises(CorruptInput):
        await convert(Mail(), b"Subject: deep\r\n" + deep + b"Content-Type: text/plain\r\n\r\nx", "eml", "html")
