"""Fields of Word and formulas of Excel that start or fetch something: what they showed last stays, they go."""

from __future__ import annotations

import re

from lxml import etree

from filewright.converter.operations.inside.sanitizing.packages import remove, unwrap

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STRICT_W = "{http://purl.oclc.org/ooxml/wordprocessingml/main}"
_SAFE = frozenset(
    {
        "PAGE", "NUMPAGES", "SECTION", "SECTIONPAGES", "NUMWORDS", "NUMCHARS", "REF", "PAGEREF", "NOTEREF", "STYLEREF",
        "TOC", "TOA", "TC", "XE", "INDEX", "SEQ", "LISTNUM", "AUTONUM", "AUTONUMLGL", "AUTONUMOUT", "SYMBOL", "EQ",
        "ADVANCE", "DATE", "TIME", "FORMTEXT", "FORMCHECKBOX", "FORMDROPDOWN", "MERGEFIELD", "CITATION",
        "BIBLIOGRAPHY", "=", "IF", "COMPARE", "SET",
    }
)  # fmt: skip
"""Fields that look at nothing but the document itself, and the clock."""
_INNER_LINK = re.compile(r'^\s*HYPERLINK\s+\\l\s+"[^"\\]*"\s*(\\[ho]\s*)*$', re.IGNORECASE)
_ACTIVE_FORMULA = re.compile(
    r"\b(?:WEBSERVICE|HYPERLINK|RTD|CALL|REGISTER(?:\.ID)?|EXEC|FOPEN|IMAGE|STOCKHISTORY|SQL\.REQUEST|DDE)\s*\(|"
    r"\[\d+\]|\|\s*'|\|[^|&<>=]+!|https?:|\\\\\\\\|file:",
    re.IGNORECASE,
)
_WITH_FORMULA = frozenset({"dataValidation", "cfRule", "definedName"})


def disarm(root: etree._Element) -> None:
    """Whichever of the two this part has."""
    for word in (_W, _STRICT_W):
        if root.tag.startswith(word):
            _simple_fields(root, word)
            _long_fields(root, word)
    if etree.QName(root).localname in {"worksheet", "workbook", "chartsheet", "table", "macrosheet"}:
        _formulas(root)


def is_active(formula: str | None) -> bool:
    """Whether a formula looks at anything but its own workbook."""
    return bool(formula and _ACTIVE_FORMULA.search(formula))


def _is_safe(instruction: str) -> bool:
    words = instruction.split()
    return not words or words[0].upper() in _SAFE or bool(_INNER_LINK.match(instruction))


def _simple_fields(root: etree._Element, word: str) -> None:
    for field in list(root.iter(f"{word}fldSimple")):
        if not _is_safe(field.get(f"{word}instr", "")):
            unwrap(field)


class _Open:
    """A field that has begun: its marks, and what stands in its instruction."""

    def __init__(self) -> None:
        self.marks: list[etree._Element] = []
        self.words: list[str] = []
        self.nested = False
        self.has_result = False

    @property
    def is_safe(self) -> bool:
        """One whose instruction is put together by other fields may say anything."""
        return not self.nested and _is_safe("".join(self.words))


def _long_fields(root: etree._Element, word: str) -> None:
    """Fields of many runs: begin, instruction, separator, result, end; they may stand in each other."""
    open_fields: list[_Open] = []
    gone: list[etree._Element] = []
    for run in list(root.iter(f"{word}r")):
        for element in list(run):
            if element.tag == f"{word}fldChar":
                _mark(element, element.get(f"{word}fldCharType", ""), open_fields, gone)
            elif open_fields:
                _within(element, word, open_fields)
    for field in open_fields:  # never ended: no field for anybody
        gone.extend(field.marks)
    for element in gone:
        remove(element)


def _mark(element: etree._Element, kind: str, open_fields: list[_Open], gone: list[etree._Element]) -> None:
    if kind == "begin":
        for field in open_fields:
            field.nested = field.nested or not field.has_result
        open_fields.append(_Open())
    if not open_fields:
        gone.append(element)
        return
    # A mark in the instruction of a field around goes with that one.
    for field in open_fields[:-1]:
        if not field.has_result:
            field.marks.append(element)
    field = open_fields[-1]
    field.marks.append(element)
    if kind == "separate":
        field.has_result = True
    elif kind == "end":
        open_fields.pop()
        if not field.is_safe:
            gone.extend(field.marks)


def _within(element: etree._Element, word: str, open_fields: list[_Open]) -> None:
    """Text of an instruction, which nobody sees, goes with its field; text of a result stays."""
    for field in open_fields:
        if not field.has_result and element.tag != f"{word}rPr":
            field.marks.append(element)
    if element.tag in {f"{word}instrText", f"{word}delInstrText"} and not open_fields[-1].has_result:
        open_fields[-1].words.append(element.text or "")


def _formulas(root: etree._Element) -> None:
    shared: set[str] = set()
    formulas = [
        one for one in root.iter(etree.Element) if etree.QName(one).localname in {"f", "calculatedColumnFormula"}
    ]
    for formula in formulas:
        if is_active(formula.text):
            if formula.get("t") == "shared":
                shared.add(formula.get("si", ""))
            remove(formula)
    for formula in formulas:
        if formula.getparent() is not None and formula.get("t") == "shared" and formula.get("si", "") in shared:
            remove(formula)
    for element in list(root.iter(etree.Element)):
        if etree.QName(element).localname in _WITH_FORMULA:
            macro = any(element.get(key) for key in ("xlm", "function", "vbProcedure", "macro"))
            if macro or any(is_active(text) for text in element.itertext()):
                remove(element)
