"""The test file in the clothes in which malware comes."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from email.message import EmailMessage

import pikepdf

from filewright.chassis.testing.servers.clamd import EICAR


def zipped(content: bytes, name: str = "inner.txt") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def tarred(content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        member = tarfile.TarInfo("inner.txt")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def document(content: bytes) -> bytes:
    """A Word document with the content as an embedded part."""
    types = (
        '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="bin" ContentType="application/octet-stream"/>'
        '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        'wordprocessingml.document.main+xml"/></Types>'
    )
    relations = (
        '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
        'officeDocument" Target="word/document.xml"/></Relationships>'
    )
    text = (
        '<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        "<w:body><w:p><w:r><w:t>A letter.</w:t></w:r></w:p></w:body></w:document>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", types)
        archive.writestr("_rels/.rels", relations)
        archive.writestr("word/document.xml", text)
        archive.writestr("word/embeddings/object1.bin", content)
    return out.getvalue()


def mail(content: bytes) -> bytes:
    """A message with the content attached, as Base64."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.com", "A letter"
    message.set_content("See what is attached.")
    message.add_attachment(content, maintype="application", subtype="octet-stream", filename="inner.bin")
    assert base64.b64encode(content)[:20] in bytes(message)
    return bytes(message)


def pdf(content: bytes) -> bytes:
    """A page with the content attached, in a compressed stream."""
    made = pikepdf.new()
    made.add_blank_page()
    made.attachments["inner.bin"] = pikepdf.AttachedFileSpec(made, content, filename="inner.bin")
    out = io.BytesIO()
    made.save(out, compress_streams=True)
    assert content not in out.getvalue()
    return out.getvalue()


DRESSINGS: Mapping[str, tuple[str, Callable[[bytes], bytes]]] = {
    "plain": ("note.txt", lambda content: content),
    "zip": ("note.zip", zipped),
    "tar.gz": ("note.tar.gz", tarred),
    "docx": ("note.docx", document),
    "eml": ("note.eml", mail),
    "pdf": ("note.pdf", pdf),
    "zip in zip in zip": ("note.zip", lambda content: zipped(zipped(zipped(content), "a.zip"), "b.zip")),
    "bz2 in gz": ("note.gz", lambda content: gzip.compress(bz2.compress(content))),
    "zip in pdf": ("note.pdf", lambda content: pdf(zipped(content))),
    "zip in mail": ("note.eml", lambda content: mail(zipped(content))),
}
"""A name to send it by, and what puts the clothes on."""


def infected(dressing: str) -> tuple[str, bytes]:
    """The test file in that dressing."""
    name, dress = DRESSINGS[dressing]
    return name, dress(EICAR)


def harmless(dressing: str) -> tuple[str, bytes]:
    """Its twin."""
    name, dress = DRESSINGS[dressing]
    return name, dress(b"Nothing to see here, and a good many words to say so.\n" * 3)
