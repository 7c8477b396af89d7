"""What a PDF shows: its words, the fonts that they are drawn in, and the letters for which no font had a shape.

A letter without a shape is drawn as its font's `.notdef`, mostly an empty box. In the piece of a font that a PDF holds
the box is there twice then, once more as a letter of the text; that is how it is told, without reading the page.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium_c

from filewright.converter.conversion.inside.fidelity.told import NotMeasured, Patience
from filewright.converter.conversion.inside.fidelity.truetype import boxes

_MOST_PAGES = 200
_MOST_OBJECTS = 20_000
_NAME_BYTES = 128
_DEEPEST_FORM = 4


class Drawn:
    """All pages of a PDF, read once; `close` it."""

    def __init__(self, path: Path, patience: Patience) -> None:
        self._document = pypdfium2.PdfDocument(path)
        if len(self._document) > _MOST_PAGES:
            raise NotMeasured
        self._page: tuple[int, pypdfium2.PdfPage, pypdfium2.PdfTextPage] | None = None
        self.pages: list[str] = []
        seen = _Fonts()
        for number in range(len(self._document)):
            patience.ask()
            page, text = self._read(number)
            self.pages.append(text.get_text_range(errors="replace"))
            seen.look_at(page)
        self.fonts = seen.names
        """Family and style in one word, as PDFs write them: `LiberationSerif-Bold`."""
        self.has_boxes = seen.has_boxes

    @property
    def text(self) -> str:
        return "\n".join(self.pages)

    def font_of(self, word: str) -> str | None:
        """The font in which a word is drawn where it is first found."""
        for number, text in enumerate(self.pages):
            if (at := text.find(word)) >= 0:
                return self._font_at(number, len(text[:at].encode("utf-16-le", "replace")) // 2)
        return None

    def close(self) -> None:
        self._close_page()
        self._document.close()

    def _read(self, number: int) -> tuple[pypdfium2.PdfPage, pypdfium2.PdfTextPage]:
        """A page and its text, which stay open until another is read: most documents have one page or two."""
        if self._page is None or self._page[0] != number:
            self._close_page()
            page = self._document[number]
            self._page = number, page, page.get_textpage()
        return self._page[1:]

    def _close_page(self) -> None:
        if self._page is not None:
            self._page[2].close()
            self._page[1].close()
            self._page = None

    def _font_at(self, number: int, index: int) -> str | None:
        name, flags = ctypes.create_string_buffer(_NAME_BYTES), ctypes.c_int()
        known = pdfium_c.FPDFText_GetFontInfo(self._read(number)[1], index, name, _NAME_BYTES, flags)
        return name.value.decode("utf-8", "replace") or None if known else None


class _Fonts:
    """The fonts of text objects, each looked at once."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.has_boxes = False
        self._known: set[int] = set()
        self._left = _MOST_OBJECTS

    def look_at(self, page: pypdfium2.PdfPage) -> None:
        count = pdfium_c.FPDFPage_CountObjects(page)
        for item in self._within(page, count, pdfium_c.FPDFPage_GetObject, 0):
            font = pdfium_c.FPDFTextObj_GetFont(item)
            address = ctypes.addressof(font.contents) if font else 0
            if font and address not in self._known:
                self._known.add(address)
                self.names.add(_base_name(font))
                self.has_boxes = self.has_boxes or bool(boxes(_program(font)))

    def _within(self, holder: Any, count: int, get: Any, depth: int) -> Iterator[Any]:
        """Text objects, also those of forms."""
        for number in range(count):
            self._left -= 1
            if self._left < 0:
                return
            item = get(holder, number)
            kind = pdfium_c.FPDFPageObj_GetType(item)
            if kind == pdfium_c.FPDF_PAGEOBJ_TEXT:
                yield item
            elif kind == pdfium_c.FPDF_PAGEOBJ_FORM and depth < _DEEPEST_FORM:
                below = pdfium_c.FPDFFormObj_CountObjects(item)
                yield from self._within(item, below, pdfium_c.FPDFFormObj_GetObject, depth + 1)


def _base_name(font: Any) -> str:
    size = pdfium_c.FPDFFont_GetBaseFontName(font, None, 0)
    name = ctypes.create_string_buffer(size)
    pdfium_c.FPDFFont_GetBaseFontName(font, name, size)
    plain = name.value.decode("utf-8", "replace")
    return plain[7:] if plain[6:7] == "+" else plain


def _program(font: Any) -> bytes:
    """The font itself, as the PDF holds it; nothing for one that it does not hold."""
    if not pdfium_c.FPDFFont_GetIsEmbedded(font):
        return b""
    size = ctypes.c_size_t()
    pdfium_c.FPDFFont_GetFontData(font, None, 0, size)
    data = (ctypes.c_uint8 * size.value)()
    pdfium_c.FPDFFont_GetFontData(font, data, size.value, size)
    return bytes(data)
