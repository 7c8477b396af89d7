# ruff: noqa: E501 - a payload reads best in one piece
"""Files that are two things at once: one type is decided, and nothing of the other is read (recipe 14)."""

from __future__ import annotations

from makers.attack import BAD, EITHER, Attack, Bait, Twin, ends
from makers.drawings import svg
from makers.packages import docx, png, zipped
from makers.pdfs import page

_ONE_TYPE = EITHER | ends("unsupported_conversion", "archive_bomb")
_GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00;"


def _gif_and_script(bait: Bait) -> bytes:
    return _GIF + f"/*\n*/=1;fetch('{bait.url}/g');open('{bait.pwned}','w')".encode()


def _pdf_and_html(bait: Bait) -> bytes:
    return b"<!--\n" + page() + f"--><img src='{bait.url}/h'><iframe src='file://{bait.file}'></iframe>".encode()


def _pdf_and_zip(bait: Bait) -> bytes:
    return page() + zipped({f"../{bait.pwned_name}": "evil"})


def _png_and_zip(bait: Bait) -> bytes:
    return png() + docx()


def _png_and_svg(bait: Bait) -> bytes:
    return png() + svg(f'<image href="{bait.url}/x"/>')


def _zip_and_exe(bait: Bait) -> bytes:
    return b"MZ" + b"\0" * 510 + zipped({"a.txt": "x"})


def _jpeg_named_html(bait: Bait) -> bytes:
    return b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + f"<html><img src='{bait.url}/j'></html>".encode()


def _bom(bait: Bait) -> bytes:
    return f"<html><img src='{bait.url}/b'></html>".encode("utf-7").replace(b"<", b"+ADw-")


ATTACKS = (
    Attack("gif-and-script", "a.gif", _gif_and_script, ("png",), ("B29",), EITHER),
    Attack("gif-and-script-named-js", "a.js", _gif_and_script, ("png",), ("B29",), _ONE_TYPE),
    Attack("pdf-and-html", "a.html", _pdf_and_html, ("pdf", "md"), ("B29",), _ONE_TYPE),
    Attack("pdf-and-zip", "a.pdf", _pdf_and_zip, ("png",), ("B29",), _ONE_TYPE),
    Attack("pdf-and-zip-named-zip", "a.zip", _pdf_and_zip, ("tar",), ("B29",), _ONE_TYPE),
    Attack("png-and-docx", "a.png", _png_and_zip, ("jpg",), ("B29",), _ONE_TYPE),
    Attack("png-and-docx-named-docx", "a.docx", _png_and_zip, ("pdf",), ("B29",), _ONE_TYPE),
    Attack("png-and-svg", "a.svg", _png_and_svg, ("pdf",), ("B29",), _ONE_TYPE),
    Attack("program-and-zip", "a.zip", _zip_and_exe, ("tar",), ("B29",), BAD | ends("unsupported_conversion")),
    Attack("jpeg-and-html", "a.html", _jpeg_named_html, ("pdf",), ("B29",), _ONE_TYPE),
    Attack("double-extension", "a.pdf.exe.docx", lambda _: page(), ("png",), ("B29", "B33"), _ONE_TYPE),
    Attack("utf-7", "a.html", _bom, ("pdf",), ("B29",), EITHER),
)  # fmt: skip

TWINS: tuple[Twin, ...] = (Twin("jpeg that is called png", "a.png", lambda: _GIF, "png", "", ("B29",)),)
