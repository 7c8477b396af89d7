"""Read what a workbook says in words, and in which fonts. Numbers, dates and truths are said as their format wills."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from filewright.converter.conversion.inside.fidelity.package import Package, local, space_of
from filewright.converter.conversion.inside.fidelity.told import NotMeasured, ScriptFonts, Told

_CELL = re.compile(r"\$?([A-Z]{1,3})?\$?([0-9]{1,7})?")
_PRINTED = "_xlnm.Print_Area"
_LAST_COLUMN, _LAST_ROW = 1 << 14, 1 << 20

Area = tuple[int, int, int, int]
"""Columns and rows: the first and the last of each."""


def read(package: Package, told: Told) -> None:
    """The sheets that are shown, of each the area that is printed."""
    found = package.first_related("", "officeDocument")
    if found is None or local(found[1]) != "workbook":
        raise NotMeasured
    name, workbook = found
    space = space_of(workbook)
    shared = package.first_related(name, "sharedStrings")
    texts = [] if shared is None else [_text(item, space) for item in shared[1].iter(f"{space}si")]
    fonts = _cell_fonts(package, name, space)
    printed = _printed(workbook, space)
    parts = package.related(name)
    for number, sheet in enumerate(workbook.iter(f"{space}sheet")):
        if sheet.get("state", "visible") != "visible":
            continue
        identity = next((value for key, value in sheet.attrib.items() if key.endswith("}id")), "")
        kind, part = parts.get(identity, ("", ""))
        root = package.xml(part) if kind == "worksheet" else None
        if root is not None:
            _Sheet(space, texts, fonts, printed.get(number, ())).read(root, told)


@dataclass(frozen=True)
class _Sheet:
    space: str
    texts: Sequence[str]
    fonts: Sequence[str | None]
    printed: Sequence[Area]

    def read(self, root: Any, told: Told) -> None:
        space = self.space
        hidden = [
            (int(column.get("min", "1")), int(column.get("max", "1")))
            for column in root.iter(f"{space}col")
            if column.get("hidden") in {"1", "true"}
        ]
        for row in root.iter(f"{space}row"):
            told.patience.ask()
            if row.get("hidden") in {"1", "true"}:
                continue
            for cell in row.iter(f"{space}c"):
                column, line = _place(cell.get("r", ""))
                if any(first <= column <= last for first, last in hidden) or not self._is_printed(column, line):
                    continue
                self._read_cell(cell, told)

    def _is_printed(self, column: int, line: int) -> bool:
        return not self.printed or any(
            left <= column <= right and top <= line <= bottom for left, right, top, bottom in self.printed
        )

    def _read_cell(self, cell: Any, told: Told) -> None:
        kind, value = cell.get("t", "n"), cell.findtext(f"{self.space}v") or ""
        text = ""
        if kind == "s":
            text = self.texts[int(value)] if value.isdecimal() and int(value) < len(self.texts) else ""
        elif kind == "str":
            text = value
        elif kind == "inlineStr":
            text = _text(cell, self.space)
        style = cell.get("s", "0")
        font = self.fonts[int(style)] if style.isdecimal() and int(style) < len(self.fonts) else None
        if text.strip():
            told.paragraphs.append(text)
            told.ask(ScriptFonts(font, font, font), text)
        elif value and font:
            told.asked.setdefault(font, [])


def _text(item: Any, space: str) -> str:
    """Of a string that is kept in runs or whole; how it is read aloud is no part of it."""
    return "".join(
        text.text or "" for text in item.iter(f"{space}t") if local(text.getparent()) in {"si", "is", "r", "c"}
    )


def _cell_fonts(package: Package, workbook: str, space: str) -> Sequence[str | None]:
    """By number of the cell's format."""
    found = package.first_related(workbook, "styles")
    if found is None:
        return ()
    root = found[1]
    fonts = root.find(f"{space}fonts")
    names = [] if fonts is None else [_font_name(font, space) for font in fonts.iter(f"{space}font")]
    formats = root.find(f"{space}cellXfs")
    chosen = [] if formats is None else [int(form.get("fontId", "0")) for form in formats.iter(f"{space}xf")]
    return [names[number] if number < len(names) else None for number in chosen]


def _font_name(font: Any, space: str) -> str | None:
    name = font.find(f"{space}name")
    return None if name is None else name.get("val")


def _printed(workbook: Any, space: str) -> Mapping[int, Sequence[Area]]:
    """By number of the sheet: the areas that are printed, where that is not all."""
    return {
        int(defined.get("localSheetId", "-1")): [_area(one.rpartition("!")[2]) for one in defined.text.split(",")]
        for defined in workbook.iter(f"{space}definedName")
        if defined.get("name") == _PRINTED and defined.text and "#REF" not in defined.text
    }


def _area(text: str) -> Area:
    first, _, last = text.partition(":")
    (left, top), (right, bottom) = _place(first), _place(last or first)
    return left, right or _LAST_COLUMN, top, bottom or _LAST_ROW


def _place(name: str) -> tuple[int, int]:
    """Column and row of `AB12`, or 0 for what it does not say."""
    found = _CELL.fullmatch(name)
    if found is None:
        return 0, 0
    column = 0
    for letter in found[1] or "":
        column = column * 26 + ord(letter) - 64
    return column, int(found[2] or 0)
