# ruff: noqa: E501 - a payload reads best in one piece
"""Messages that nest, attach and point outside (recipe 18)."""

from __future__ import annotations

import base64

from makers.attack import ANY, EITHER, Attack, Bait, Twin
from makers.packages import png

_HEAD = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: Harmless\r\nMIME-Version: 1.0\r\n"


def _html(bait: Bait) -> bytes:
    images = "".join(
        f"<img src='{link}'><iframe src='{link}'></iframe><link rel=stylesheet href='{link}'>" for link in bait.links
    )
    return (
        _HEAD
        + f"Content-Type: text/html\r\n\r\n<p>Harmless</p>{images}<script src='{bait.url}/s'></script>\r\n".encode()
    )


def _attachments(bait: Bait) -> bytes:
    names = [
        f"../../{bait.pwned_name}",
        str(bait.pwned),
        f"..\\{bait.pwned_name}",
        "CON",
        "",
        "a\\r\\nX: y",
        "x" * 5000,
        "..",
        "=?utf-8?q?=2E=2E=2Fx?=",
    ]
    parts = "".join(
        f'--b\r\nContent-Type: application/octet-stream; name="{name}"\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\nevil\r\n'
        for name in names
    )
    return (
        _HEAD
        + f"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHarmless\r\n{parts}--b--\r\n".encode()
    )


def _deep(bait: Bait) -> bytes:
    opened = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(3000))
    return _HEAD + opened.encode() + b"Content-Type: text/plain\r\n\r\nx\r\n"


def _messages(bait: Bait) -> bytes:
    return _HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 2000 + b"x\r\n"


def _partial(bait: Bait) -> bytes:
    return (
        _HEAD
        + f"Content-Type: message/external-body; access-type=local-file; name='{bait.file}'\r\n\r\n".encode()
        + b"Content-Type: text/plain\r\n\r\n\r\n"
    )


def _many(bait: Bait) -> bytes:
    return _HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000 + b"--b--\r\n"


def _cid_cycle(bait: Bait) -> bytes:
    body = "<p>Harmless</p><img src='cid:a'><iframe src='cid:b'></iframe>"
    return (
        _HEAD
        + (
            f"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\nContent-ID: <b>\r\n\r\n{body}\r\n--b\r\n"
            f"Content-Type: text/html\r\nContent-ID: <a>\r\n\r\n{body}\r\n--b--\r\n"
        ).encode()
    )


def _twin() -> bytes:
    picture = base64.b64encode(png()).decode()
    return (
        _HEAD
        + (
            "Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Harmless</p><img src='cid:p'>\r\n--b\r\n"
            f"Content-Type: image/png\r\nContent-ID: <p>\r\nContent-Transfer-Encoding: base64\r\n\r\n{picture}\r\n--b--\r\n"
        ).encode()
    )


ATTACKS = (
    Attack("eml-links", "a.eml", _html, ("html", "pdf", "txt"), ("B10", "B12")),
    Attack("eml-attachment-names", "a.eml", _attachments, ("zip", "json"), ("B26", "B33")),
    Attack("eml-deep", "a.eml", _deep, ("html", "zip"), ("B31",), ANY),
    Attack("eml-messages-in-messages", "a.eml", _messages, ("txt",), ("B31",), ANY),
    Attack("eml-external-body", "a.eml", _partial, ("html", "zip"), ("B9",), EITHER),
    Attack("eml-many-parts", "a.eml", _many, ("zip", "html"), ("B31", "B34"), ANY),
    Attack("eml-cycle", "a.eml", _cid_cycle, ("html", "pdf"), ("B31",)),
    Attack("eml-vast-header", "a.eml", lambda _: b"Subject: " + b"=?utf-8?q?x?= " * 400_000 + b"\r\nFrom: a@b.c\r\n\r\nx\r\n", ("html",), ("B31",), ANY),
)  # fmt: skip

TWINS = (Twin("eml with a picture inside", "a.eml", _twin, "html", "Harmless", ("B10",)),)
