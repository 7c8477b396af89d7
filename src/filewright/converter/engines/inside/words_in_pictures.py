"""Repeat behind the last page of a Word document the words of its PDF that only pictures in it show.

What stands within a drawing, runs down the page or is turned becomes part of a picture when a PDF is made into Word:
it can be seen, but neither found nor copied nor edited.
"""

from __future__ import annotations

import unicodedata
import zipfile
from collections.abc import Iterator

import docx
import pypdfium2
from lxml import etree

_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}t"
_SHORT = 2
"""Marks of lists and numbers of pages are words of that length, and may have become numbering."""


def repeat(document: pypdfium2.PdfDocument, made: str) -> None:
    """Add the lines of `document` that have words which the Word file `made` does not have as text."""
    written = _letters(" ".join(_text_of(made)))
    missing = [line for line in _lines(document) if not _is_written(line, written)]
    if not missing:
        return
    word = docx.Document(made)
    word.add_page_break()
    for line in missing:
        word.add_paragraph(line)
    word.save(made)


def _is_written(line: str, written: str) -> bool:
    if _letters(line) in written:
        return True
    words = (_letters(word) for word in line.split())
    return all(word in written for word in words if len(word) > _SHORT or not word.isascii())


def _lines(document: pypdfium2.PdfDocument) -> Iterator[str]:
    for number in range(len(document)):
        page = document[number]
        text = page.get_textpage()
        for line in text.get_text_range(errors="ignore").splitlines():
            printable = "".join(c for c in line if c == "\t" or unicodedata.category(c)[0] != "C").strip()
            if printable:
                yield printable
        text.close()
        page.close()


def _text_of(made: str) -> Iterator[str]:
    with zipfile.ZipFile(made) as package:
        for name in package.namelist():
            if name.startswith("word/") and name.endswith(".xml"):
                root = etree.fromstring(package.read(name), etree.XMLParser(resolve_entities=False, huge_tree=True))
                yield from (text.text or "" for text in root.iter(_WORD))


def _letters(text: str) -> str:
    """Letters and digits alone, ligatures undone: what neither layout nor punctuation changes."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c)[0] in "LN")
