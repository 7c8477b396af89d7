"""Decode text of unknown encoding: a byte order mark, UTF-8, then the likeliest legacy code page.

The bytes decide. What cannot be text at all (it holds NUL bytes and is no UTF-16) is refused as damaged.
"""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

from filewright.chassis.sandbox.child import Refusal

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LEGACY = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874",
    "cp932", "gb18030", "big5", "cp949", "euc_jp", "koi8_r", "cp850", "cp866",
]  # fmt: skip
_OTHER_LATIN = {"cp1250", "cp1254", "cp1257", "cp1258", "cp850"}
_ODD_IN_WORDS = re.compile(r"[^\W\d_][¡-©¬-¯²-´¶-¹»-¿×÷†‡‰]|[¡-¨¬-¯²-´¶-¸¼-¾×÷†‡‰][^\W\d_]")
"""Signs of cp1252 that stand beside a letter only when the text was written in another code page."""
_SAMPLE = 256 << 10


def decode(data: bytes) -> str:
    """The text, without its byte order mark. Line ends stay as they are."""
    name = encoding_of(data)
    return data.decode(name, "replace" if name in _LEGACY else "strict")


def encoding_of(data: bytes) -> str:
    """The name of a Python codec that decodes `data`; refuses what is no text."""
    for mark, name in _MARKS:
        if data.startswith(mark) and _decodes(data, name):
            return name
    if b"\0" in data:
        return _unmarked_utf16(data)
    if _decodes(data, "utf-8"):
        return "utf-8"
    return _legacy(data[:_SAMPLE])


def _unmarked_utf16(data: bytes) -> str:
    """Latin text in UTF-16 has a zero in every second byte; which half tells the order."""
    sample = data[: _SAMPLE & ~1]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    name = "utf-16-le" if odd > even else "utf-16-be"
    zeros, others = max(even, odd), min(even, odd)
    if zeros < len(sample) // 8 or others > zeros // 8 or not _decodes(data, name):
        raise Refusal("corrupt_input")
    return name


def _legacy(sample: bytes) -> str:
    """The best guess; among Latin pages cp1252, the commonest, unless it would put odd signs into words."""
    best = from_bytes(sample, cp_isolation=_LEGACY, threshold=0.5).best()
    if best is None:
        return "cp1252"
    if best.encoding in _OTHER_LATIN and not _ODD_IN_WORDS.search(sample.decode("cp1252", "replace")):
        return "cp1252"
    return best.encoding


def _decodes(data: bytes, name: str) -> bool:
    try:
        data.decode(name)
    except UnicodeDecodeError:
        return False
    return True
