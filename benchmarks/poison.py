"""Files that hurt whoever opens them: some never end, some grow without bound, some are not what they say.

Each must end, by its own deadline, and nobody else's conversion may notice.
"""

from __future__ import annotations

import io
import random
import zipfile
import zlib
from dataclasses import dataclass

from documents import letter, picture


@dataclass(frozen=True)
class Poison:
    """One file. `kind` is its extension."""

    name: str
    kind: str
    target: str
    data: bytes


def poisons() -> tuple[Poison, ...]:
    """All of them; those that run until they are stopped stand among those that are refused at sight."""
    good = letter(random.Random(1))
    return (
        Poison("postscript that never ends", "eps", "pdf", _POSTSCRIPT + b"{ } loop\nshowpage\n"),
        Poison("docx cut off in the middle", "docx", "pdf", good[: len(good) // 2]),
        Poison("picture of 4,000 million pixels", "png", "jpg", _vast_picture()),
        Poison("docx with a broken part", "docx", "pdf", _with_part(good, b"<w:document><w:body>")),
        Poison("typst that never ends", "typ", "pdf", b"#for a in range(100000) { for b in range(100000) { } }\n"),
        Poison("zip of a thousand million zeros", "zip", "tar.gz", _bomb()),
        Poison("docx of 300 MB of spaces", "docx", "pdf", _with_part(good, _DOCUMENT % (b" " * (300 << 20)))),
        Poison("postscript that fills memory", "eps", "pdf", _POSTSCRIPT + b"[ { 65000 string } loop ] showpage\n"),
        Poison("json of a million brackets", "json", "yaml", b"[" * 1_000_000),
        Poison("drawing that doubles thirty times", "svg", "png", _doubling()),
        Poison("noise that says it is a jpeg", "jpg", "webp", picture("JPEG", (64, 48))[:300] + bytes(range(256)) * 40),
        Poison("nothing", "md", "html", b""),
    )


_POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\n"
_WORDS = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_DOCUMENT = (
    b'<?xml version="1.0"?><w:document xmlns:w="' + _WORDS + b'"><w:body><w:p><w:r>'
    b'<w:t xml:space="preserve">%s</w:t></w:r></w:p></w:body></w:document>'
)


def _with_part(document: bytes, part: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(document)) as given, zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        for name in given.namelist():
            made.writestr(name, part if name == "word/document.xml" else given.read(name))
    return held.getvalue()


def _vast_picture() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    side = (65_000).to_bytes(4, "big")
    packed = zlib.compress(bytes(65_001 * 200))
    head = chunk(b"IHDR", side + side + b"\x08\x00\x00\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def _bomb() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made, made.open("zeros", "w") as zeros:
        for _ in range(1000):
            zeros.write(bytes(1_000_000))
    return held.getvalue()


def _doubling() -> bytes:
    steps = "".join(f'<g id="a{n}"><use href="#a{n - 1}"/><use href="#a{n - 1}" x="1"/></g>' for n in range(1, 31))
    body = f'<defs><rect id="a0" width="1" height="1"/>{steps}</defs><use href="#a30"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="60">{body}</svg>'.encode()
