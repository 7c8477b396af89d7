"""EBU STL (EBU Tech 3264): a block of 1,024 bytes about the programme, then one of 128 bytes per subtitle or part."""

from __future__ import annotations

import unicodedata

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.captions.cue import Cue

_GENERAL_BLOCK, _TEXT_BLOCK, _TEXT_AT = 1024, 128, 16
_LAST_PART, _USER_DATA = 0xFF, 0xFE
_NEW_LINE, _UNUSED = 0x8A, 0x8F
_CODE_PAGES = {b"01": "iso8859-5", b"02": "iso8859-6", b"03": "iso8859-7", b"04": "iso8859-8"}

# ISO 6937, the Latin table: what differs from ASCII, and marks that stand before their letter.
_LATIN = {
    0xA1: "¡", 0xA2: "¢", 0xA3: "£", 0xA4: "$", 0xA5: "¥", 0xA7: "§", 0xA8: "¤", 0xA9: "‘", 0xAA: "“", 0xAB: "«",
    0xAC: "←", 0xAD: "↑", 0xAE: "→", 0xAF: "↓", 0xB0: "°", 0xB1: "±", 0xB2: "²", 0xB3: "³", 0xB4: "×", 0xB5: "µ",
    0xB6: "¶", 0xB7: "·", 0xB8: "÷", 0xB9: "’", 0xBA: "”", 0xBB: "»", 0xBC: "¼", 0xBD: "½", 0xBE: "¾", 0xBF: "¿",
    0xD0: "―", 0xD1: "¹", 0xD2: "®", 0xD3: "©", 0xD4: "™", 0xD5: "♪", 0xE0: "Ω", 0xE1: "Æ", 0xE2: "Đ", 0xE3: "ª",
    0xE4: "Ħ", 0xE6: "Ĳ", 0xE7: "Ŀ", 0xE8: "Ł", 0xE9: "Ø", 0xEA: "Œ", 0xEB: "º", 0xEC: "Þ", 0xED: "Ŧ", 0xEE: "Ŋ",
    0xEF: "ŉ", 0xF0: "ĸ", 0xF1: "æ", 0xF2: "đ", 0xF3: "ð", 0xF4: "ħ", 0xF5: "ı", 0xF6: "ĳ", 0xF7: "ŀ", 0xF8: "ł",
    0xF9: "ø", 0xFA: "œ", 0xFB: "ß", 0xFC: "þ", 0xFD: "ŧ", 0xFE: "ŋ",
}  # fmt: skip
_MARKS = {
    0xC1: "\u0300", 0xC2: "\u0301", 0xC3: "\u0302", 0xC4: "\u0303", 0xC5: "\u0304", 0xC6: "\u0306", 0xC7: "\u0307",
    0xC8: "\u0308", 0xCA: "\u030a", 0xCB: "\u0327", 0xCD: "\u030b", 0xCE: "\u0328", 0xCF: "\u030c",
}  # fmt: skip


def read(data: bytes) -> list[Cue]:
    """All subtitles in order. Refuses a file that is cut short or holds none."""
    if len(data) < _GENERAL_BLOCK + _TEXT_BLOCK or data[3:6] != b"STL":
        raise Refusal("corrupt_input")
    rate = 30 if data[6:8] == b"30" else 25
    code_page = _CODE_PAGES.get(data[12:14])
    cues, parts = [], b""
    for at in range(_GENERAL_BLOCK, len(data) - _TEXT_BLOCK + 1, _TEXT_BLOCK):
        block = data[at : at + _TEXT_BLOCK]
        if block[3] == _USER_DATA:
            continue
        parts += block[_TEXT_AT:]
        if block[3] == _LAST_PART:
            text = _decode(parts, code_page)
            if text:
                cues.append(Cue(_milliseconds(block[5:9], rate), _milliseconds(block[9:13], rate), text))
            parts = b""
    if not cues:
        raise Refusal("corrupt_input")
    return cues


def _milliseconds(code: bytes, rate: int) -> int:
    hours, minutes, seconds, frames = code
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + frames * 1000 // rate


def _decode(data: bytes, code_page: str | None) -> str:
    text, mark = "", ""
    for byte in data:
        if byte == _NEW_LINE:
            text += "\n"
        elif byte == _UNUSED or byte < 0x20 or 0x7F <= byte < 0xA0:
            continue
        elif code_page is not None:
            text += bytes([byte]).decode(code_page, errors="ignore")
        elif byte in _MARKS:
            mark = _MARKS[byte]
        else:
            text += (chr(byte) if byte < 0x80 else _LATIN.get(byte, "")) + mark
            mark = ""
    lines = [" ".join(line.split()) for line in unicodedata.normalize("NFC", text).split("\n")]
    return "\n".join(line for line in lines if line)
