"""The same file with other bytes: a service that remembers what it converted must convert it again.

A mark is where the format keeps remarks, so that what is converted stays what it was.
"""

from __future__ import annotations

import struct
import zlib

_ZIPPED = frozenset({"docx", "pptx", "xlsx", "epub", "zip"})
_END_OF_DIRECTORY = b"PK\x05\x06"
_LENGTH_OF_COMMENT = 20
_FIRST_CHUNK = 8 + 25


def marked(kind: str, data: bytes, number: int) -> bytes:
    """With a remark that says the number. `kind` is the extension; ValueError for one that has no place for it."""
    words = b"number %d" % number
    if kind in _ZIPPED:
        return _zip(data, words)
    if kind in {"svg", "html", "xml"}:
        return data + b"<!-- " + words + b" -->\n"
    if kind in {"md", "txt"}:
        return data + b"\n" + words + b"\n"
    if kind in {"pdf", "eps", "ps"}:
        return data + b"\n% " + words + b"\n"
    if kind == "typ":
        return b"// " + words + b"\n" + data
    if kind == "png":
        return _png(data, words)
    if kind == "jpg":
        return data[:2] + b"\xff\xfe" + struct.pack(">H", len(words) + 2) + words + data[2:]
    if kind == "wav":
        return _wav(data, words)
    if kind == "srt":
        return data + b"\n9999\n01:00:00,000 --> 01:00:01,000\n" + words + b"\n"
    if kind == "csv":
        return data + b"0,2020-01-01,%d,x,1.00,0.5,true\n" % number
    if kind == "json":
        return data.replace(b"{", b'{"number": %d, ' % number, 1)
    raise ValueError(kind)


def _zip(data: bytes, words: bytes) -> bytes:
    end = data.rindex(_END_OF_DIRECTORY) + _LENGTH_OF_COMMENT
    return data[:end] + struct.pack("<H", len(words)) + words


def _png(data: bytes, words: bytes) -> bytes:
    body = b"tEXtComment\0" + words
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:_FIRST_CHUNK] + chunk + data[_FIRST_CHUNK:]


def _wav(data: bytes, words: bytes) -> bytes:
    words += b" " * (len(words) % 2)
    remark = b"INFOICMT" + struct.pack("<I", len(words)) + words
    whole = data + b"LIST" + struct.pack("<I", len(remark)) + remark
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:]
