"""Which of the formats that are OLE compound files: Word, Excel, PowerPoint 97, Outlook, Visio, encrypted Office.

`olefile` reads the structure, through a window that only gives so many bytes.
"""

from __future__ import annotations

import struct
from typing import Final

import olefile

from filewright.converter.formats.sample import Detection, Sample

MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OOXML = frozenset({"docx", "docm", "dotx", "xlsx", "xlsm", "xlsb", "xltx", "pptx", "pptm", "ppsx", "potx"})
_STREAMS = (
    ("WordDocument", "doc"),
    ("Workbook", "xls"),
    ("Book", "xls"),
    ("PowerPoint Document", "ppt"),
    ("VisioDocument", "vsd"),
    ("__properties_version1.0", "msg"),
    ("Quill", "pub"),
    ("MatOST", "wps"),
)
_FILEPASS = 0x2F
_ENCRYPTED_TOKEN = 0xF3D1C4DF


def recognise(sample: Sample, hint: str | None) -> Detection | None:
    """The type of a compound file by its streams; a damaged one keeps the type that its name says."""
    if not sample.head.startswith(MAGIC):
        return None
    try:
        with olefile.OleFileIO(_Window(sample)) as ole:
            return _by_streams(ole, hint)
    except Exception:  # noqa: BLE001 - a hostile file can break the reader in any way; then it is damaged
        claimed = hint if hint in {"doc", "xls", "ppt", "msg", "vsd", "pub", "wps"} else None
        return Detection(claimed, damaged=True, note="a damaged Office 97 file")


def _by_streams(ole: olefile.OleFileIO, hint: str | None) -> Detection:
    if ole.exists("EncryptedPackage"):
        known = hint in _OOXML
        return Detection(hint if known else "docx", encrypted=True, confident=known, note="an encrypted Office file")
    for stream, format_id in _STREAMS:
        if ole.exists(stream):
            return Detection(format_id, encrypted=_is_encrypted(ole, format_id))
    if ole.exists("CONTENTS") and hint == "wps":
        return Detection("wps")
    return Detection(None, note="an OLE compound file of no known kind")


def _is_encrypted(ole: olefile.OleFileIO, format_id: str) -> bool:
    if format_id == "doc":
        head = _head(ole, "WordDocument", 12)
        return len(head) == 12 and bool(head[11] & 0x01)
    if format_id == "xls":
        return _has_filepass(_head(ole, "Workbook" if ole.exists("Workbook") else "Book", 4096))
    if format_id == "ppt" and ole.exists("Current User"):
        head = _head(ole, "Current User", 16)
        return len(head) == 16 and struct.unpack_from("<I", head, 12)[0] == _ENCRYPTED_TOKEN
    return False


def _has_filepass(stream: bytes) -> bool:
    """Excel writes the record that says "encrypted" among the first of the globals."""
    at = 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        if kind == _FILEPASS:
            return True
        at += 4 + length
    return False


def _head(ole: olefile.OleFileIO, stream: str, length: int) -> bytes:
    with ole.openstream(stream) as opened:
        return bytes(opened.read(length))


class _Window:
    """The part of a file object that `olefile` uses. Reads past the sample's budget come back short."""

    closed = False

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._at = 0
        self._left = (2 << 20) + sample.size // 100

    def read(self, length: int = -1) -> bytes:
        length = min(self._left, self._sample.size - self._at if length < 0 else length)
        piece = self._sample.read(self._at, length)
        self._at += len(piece)
        self._left -= len(piece)
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, (0, self._at, self._sample.size)[whence] + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        """Nothing: the sample closes its file."""
