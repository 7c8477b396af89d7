"""What an RTF document says, and in which fonts.

Only the running text is wanted: not what is hidden or deleted, nor headers, notes, fields, pictures and lists' numbers,
of which a reader may make something else or nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from filewright.converter.conversion.inside.fidelity.told import NotMeasured, ScriptFonts, Told

_LARGEST = 12 << 20
_DEEPEST = 500
_TOKEN = re.compile(
    rb"(?P<open>\{)|(?P<close>\})|\\'(?P<byte>[0-9a-fA-F]{2})|\\(?P<word>[a-zA-Z]{1,32})(?P<value>-?\d{1,10})? ?"
    rb"|\\(?P<sign>[^a-zA-Z'])|(?P<text>[^{}\\\r\n]+)",
    re.DOTALL,
)
_LEFT_OUT = frozenset(
    {
        b"colortbl", b"stylesheet", b"info", b"pict", b"header", b"headerl", b"headerr", b"headerf", b"footer",
        b"footerl", b"footerr", b"footerf", b"footnote", b"annotation", b"field", b"listtext", b"pntext", b"object",
        b"nonshppict", b"shp", b"do", b"xe", b"tc", b"rxe", b"bkmkstart", b"bkmkend", b"filetbl", b"revtbl", b"title",
        b"generator", b"listtable", b"listoverridetable", b"rsidtbl", b"themedata", b"datastore",
    }
)  # fmt: skip
_ENDS = frozenset({b"par", b"cell", b"nestcell", b"row", b"sect", b"page", b"line"})
_SIGNS = {
    b"emdash": "\u2014", b"endash": "\u2013", b"lquote": "\u2018", b"rquote": "\u2019", b"ldblquote": "\u201c",
    b"rdblquote": "\u201d", b"bullet": "\u2022", b"tab": "\t", b"emspace": " ", b"enspace": " ", b"qmspace": " ",
}  # fmt: skip
_CODE_PAGES = {
    128: "cp932", 129: "cp949", 134: "gbk", 136: "big5", 161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255",
    178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip
_SYMBOLS = 2
"""The set of letters of fonts that have none: their text is signs, drawn from a font of their own."""


@dataclass(frozen=True)
class _State:
    """What a group inherits and gives back at its end."""

    font: int | None = None
    hidden: bool = False
    left_out: bool = False
    in_fonts: bool = False
    skips: int = 1
    """Letters that stand in for one of Unicode, for readers that know none."""


def read(path: Path, told: Told) -> None:
    """All of it; raises NotMeasured for what is no RTF, or far too large."""
    if path.stat().st_size > _LARGEST:
        raise NotMeasured
    data = path.read_bytes()
    if not data.startswith(b"{\\rtf"):
        raise NotMeasured
    _Reader(told).read(data)


class _Reader:
    """One document, read once."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._state = _State()
        self._outer: list[_State] = []
        self._usual: int | None = None
        self._page = "cp1252"
        self._names: dict[int, str] = {}
        self._sets: dict[int, int] = {}
        self._declared: int | None = None
        self._bytes = b""
        self._skip = 0
        self._run = ""
        self._paragraph: list[str] = []

    def read(self, data: bytes) -> None:
        for number, token in enumerate(_TOKEN.finditer(data)):
            if number % 1000 == 0:
                self._told.patience.ask()
            self._take(token)
        self._end_paragraph()

    def _take(self, token: re.Match[bytes]) -> None:
        if token["byte"]:
            self._raw(bytes.fromhex(token["byte"].decode()))
        elif token["text"] is not None:
            self._raw(token["text"])
        elif token["open"]:
            self._flush()
            if len(self._outer) >= _DEEPEST:
                raise NotMeasured
            self._outer.append(self._state)
            self._skip = 0
        elif token["close"]:
            self._end_run()
            self._state = self._outer.pop() if self._outer else _State()
            self._skip = 0
        elif token["word"]:
            self._word(token["word"], int(token["value"]) if token["value"] else None)
        else:
            self._sign(token["sign"])

    def _raw(self, text: bytes) -> None:
        """Bytes in the code page of their font, but for those that stand in for a letter that was told already."""
        skipped = min(self._skip, len(text))
        self._skip -= skipped
        self._bytes += text[skipped:]

    def _sign(self, sign: bytes) -> None:
        self._flush()
        if sign == b"*":
            self._state = replace(self._state, left_out=True)
        elif sign in {b"{", b"}", b"\\"}:
            self._add(sign.decode())
        elif sign == b"~":
            self._add("\u00a0")
        elif sign == b"_":
            self._add("\u2011")
        elif sign in {b"\n", b"\r"}:
            self._end_paragraph()

    def _word(self, word: bytes, value: int | None) -> None:
        self._flush()
        if word == b"u" and value is not None:
            self._add(chr(value & 0xFFFF))
            self._skip = self._state.skips
        elif word == b"uc" and value is not None:
            self._state = replace(self._state, skips=max(0, min(value, 16)))
        elif word in _ENDS:
            self._end_paragraph()
        elif word in _SIGNS:
            self._add(_SIGNS[word])
        elif word in _LEFT_OUT:
            self._state = replace(self._state, left_out=True)
        elif word == b"fonttbl":
            self._state = replace(self._state, in_fonts=True)
        elif word in {b"v", b"deleted"}:
            self._end_run()
            self._state = replace(self._state, hidden=value != 0)
        elif word in {b"f", b"plain", b"deff", b"ansicpg", b"fcharset"}:
            self._choose(word, value)

    def _choose(self, word: bytes, value: int | None) -> None:
        """A font, a set of letters, or the usual ones again."""
        self._end_run()
        if word == b"plain":
            self._state = replace(self._state, font=self._usual, hidden=False)
        elif word == b"deff":
            self._usual = value
        elif word == b"ansicpg" and value is not None and 0 < value < 100_000:
            self._page = f"cp{value}"
        elif word == b"fcharset" and self._declared is not None:
            self._sets[self._declared] = value or 0
        elif word == b"f" and self._state.in_fonts:
            self._declared = value
        elif word == b"f":
            self._state = replace(self._state, font=value)

    def _add(self, text: str) -> None:
        state = self._state
        if state.in_fonts:
            if self._declared is not None and not state.left_out:
                self._names[self._declared] = self._names.get(self._declared, "") + text
        elif not state.hidden and not state.left_out:
            self._run += text

    def _flush(self) -> None:
        """The bytes that were gathered, as letters."""
        if self._bytes:
            data, self._bytes = self._bytes, b""
            font = self._state.font if self._state.font is not None else self._usual
            page = _CODE_PAGES.get(self._sets.get(font, 0) if font is not None else 0, self._page)
            try:
                self._add(data.decode(page, "replace"))
            except LookupError:
                self._add(data.decode("cp1252", "replace"))

    def _end_run(self) -> None:
        """Text in one font."""
        self._flush()
        text, self._run = _whole(self._run), ""
        font = self._state.font if self._state.font is not None else self._usual
        if text and (font is None or self._sets.get(font) != _SYMBOLS):
            self._paragraph.append(text)
            name = self._names.get(font, "").partition(";")[0] if font is not None else ""
            self._told.ask(ScriptFonts(name, name, name), text)

    def _end_paragraph(self) -> None:
        self._end_run()
        if self._paragraph:
            self._told.paragraphs.append("".join(self._paragraph))
            self._paragraph = []


def _whole(text: str) -> str:
    """What RTF writes as two halves of a letter, as one."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
