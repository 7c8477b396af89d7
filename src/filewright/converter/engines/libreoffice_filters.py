"""What LibreOffice reads and writes, as data: formats, its own filter names, and the options people may choose.

LibreOffice is always told which import filter to use. Left to guess, it opens any bytes as plain text and "converts"
them; told what to expect, it refuses what is something else. Adding a format here is one line of a table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from filewright.converter.engines.port import Conversion, FormatId, Loss

_ZIP = (b"PK\x03\x04",)
_OLE = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)


class Kind(StrEnum):
    """Which application of the suite holds the document once it is open."""

    WRITER = "writer"
    CALC = "calc"
    IMPRESS = "impress"
    DRAW = "draw"
    PAGES = "pages"
    """Of a PDF, each laid on a slide piece by piece."""
    PICTURE = "picture"
    """A metafile, which Draw lays on a page; only the picture is wanted, not the page."""


@dataclass(frozen=True)
class Reader:
    """How a format is opened: the filters to try, in order, and what every such file begins with."""

    kind: Kind
    filters: tuple[str, ...]
    beginnings: tuple[bytes, ...] = ()
    """None given: the filter itself refuses what is not its own."""


@dataclass(frozen=True)
class Writer:
    """How a format is made: the filter, its fixed options, and what the step costs and loses."""

    filter: str
    options: str = ""
    loss: Loss = Loss.SMALL
    cost: int = 300
    many: bool = False
    facsimile: bool = False
    choices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Export:
    """What to make of a document. Holds no text of the caller's, only checked values."""

    extension: str
    filter: str
    options: str = ""
    """The filter's own string; one that begins with a brace is filter data as LibreOffice writes it in JSON."""

    @property
    def argument(self) -> str:
        """What `--convert-to` takes."""
        return ":".join(part for part in (self.extension, self.filter, self.options) if part)


def export(conversion: Conversion, options: Mapping[str, Any]) -> Export:
    """The export that carries the conversion out."""
    writer = WRITERS[READERS[conversion.source].kind][conversion.target]
    return Export(conversion.target, writer.filter, _export_options(conversion, writer, options))


def _export_options(conversion: Conversion, writer: Writer, options: Mapping[str, Any]) -> str:
    if conversion.target == "pdf":
        return _pdf_options(_of_first_page(conversion, options) if options.get("preview") else options)
    if conversion.target == "csv":
        return f"{writer.options},{-1 if options.get('sheets') == 'all' else int(options.get('sheet', 0))}"
    return writer.options


def _of_first_page(conversion: Conversion, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """A show's first slide may be hidden, and then nothing is page 1; of a show, all pages are made."""
    pages = "" if READERS[conversion.source].kind is Kind.IMPRESS else "1"
    return {**options, "pages": pages, "tagged": False}


_RANGE = r"[1-9][0-9]{0,5}(-[1-9][0-9]{0,5})?"
_PDF_VERSION = {"none": 0, "1b": 1, "2b": 2, "3b": 3}
_PDF_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "pages": {
        "type": "string",
        "pattern": f"^({_RANGE}(,{_RANGE}){{0,99}})?$",
        "default": "",
        "description": "Only these pages, such as 1-3,7; empty for all",
    },
    "pdfa": {
        "type": "string",
        "enum": list(_PDF_VERSION),
        "default": "none",
        "description": "Make an archival file, PDF/A of this part and level",
    },
    "quality": {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "default": 90,
        "description": "Quality of JPEG pictures in the PDF; 100 keeps every picture as it is",
    },
    "max_dpi": {
        "type": "integer",
        "enum": [0, 75, 150, 300, 600, 1200],
        "default": 0,
        "description": "Shrink pictures that are finer than this; 0 leaves them",
    },
    "tagged": {
        "type": "boolean",
        "default": True,
        "description": "Keep headings, lists and tables readable for screen readers",
    },
    "preview": {
        "type": "boolean",
        "default": False,
        "description": "Only the first page, soon: what comes after it is not read where that can be told beforehand. "
        "`pages` and `tagged` do not count, and what speaks of the whole document (how many pages) may say less",
    },
}
_DOCUMENT_PDF: Mapping[str, Mapping[str, Any]] = {
    **_PDF_OPTIONS,
    "comments": {"type": "boolean", "default": False, "description": "Print comments in the margin"},
}
_SHEET_PDF: Mapping[str, Mapping[str, Any]] = {
    **_PDF_OPTIONS,
    "one_page_per_sheet": {"type": "boolean", "default": False, "description": "Put each sheet on one page"},
}
_SLIDE_PDF: Mapping[str, Mapping[str, Any]] = {
    **_PDF_OPTIONS,
    "notes": {"type": "boolean", "default": False, "description": "Add a page with the notes of each slide"},
    "hidden_slides": {"type": "boolean", "default": False, "description": "Print hidden slides too"},
}
_SWITCHES = {
    "tagged": "UseTaggedPDF",
    "comments": "ExportNotesInMargin",
    "one_page_per_sheet": "SinglePageSheets",
    "notes": "ExportNotesPages",
    "hidden_slides": "ExportHiddenSlides",
}
_CSV_CHOICES: Mapping[str, Mapping[str, Any]] = {
    "sheets": {
        "type": "string",
        "enum": ["one", "all"],
        "default": "one",
        "description": "One sheet, or every sheet as a file of its own",
    },
    "sheet": {
        "type": "integer",
        "minimum": 0,
        "maximum": 10_000,
        "default": 0,
        "description": "Number of the sheet, from 1; 0 for the one that shows when the file is opened",
    },
}


def _pdf_options(options: Mapping[str, Any]) -> str:
    """Filter data as LibreOffice's JSON; every value is a number, a truth or a range rebuilt from numbers."""
    data: dict[str, tuple[str, object]] = {}
    if options.get("pages"):
        data["PageRange"] = ("string", _page_range(options["pages"]))
    if pdfa := _PDF_VERSION[options.get("pdfa", "none")]:
        data["SelectPdfVersion"] = ("long", pdfa)
    quality = int(options.get("quality", 90))
    data["UseLosslessCompression"] = ("boolean", quality == 100)
    data["Quality"] = ("long", quality)
    data["ReduceImageResolution"] = ("boolean", bool(options.get("max_dpi")))
    if options.get("max_dpi"):
        data["MaxImageResolution"] = ("long", int(options["max_dpi"]))
    data.update({name: ("boolean", bool(options[key])) for key, name in _SWITCHES.items() if key in options})
    return json.dumps({name: {"type": kind, "value": _word(value)} for name, (kind, value) in data.items()})


def _page_range(text: str) -> str:
    spans = ([int(end) for end in span.split("-")] for span in text.split(","))
    return ",".join("-".join(map(str, span)) for span in spans)


def _word(value: object) -> str:
    return str(value).lower()


READERS: Mapping[FormatId, Reader] = {
    "docx": Reader(Kind.WRITER, ("MS Word 2007 XML",), _ZIP),
    "docm": Reader(Kind.WRITER, ("MS Word 2007 XML VBA",), _ZIP),
    "dotx": Reader(Kind.WRITER, ("MS Word 2007 XML Template",), _ZIP),
    "doc": Reader(Kind.WRITER, ("MS Word 97", "MS WinWord 6.0", "MS Word 95"), _OLE),
    "odt": Reader(Kind.WRITER, ("writer8",), _ZIP),
    "ott": Reader(Kind.WRITER, ("writer8_template",), _ZIP),
    "fodt": Reader(Kind.WRITER, ("OpenDocument Text Flat XML",)),
    "rtf": Reader(Kind.WRITER, ("Rich Text Format",), (b"{\\rtf",)),
    "wps": Reader(Kind.WRITER, ("MS_Works",)),
    "wpd": Reader(Kind.WRITER, ("WordPerfect",)),
    "xlsx": Reader(Kind.CALC, ("Calc MS Excel 2007 XML",), _ZIP),
    "xlsm": Reader(Kind.CALC, ("Calc MS Excel 2007 VBA XML",), _ZIP),
    "xlsb": Reader(Kind.CALC, ("Calc MS Excel 2007 Binary",), _ZIP),
    "xltx": Reader(Kind.CALC, ("Calc MS Excel 2007 XML Template",), _ZIP),
    "xls": Reader(Kind.CALC, ("MS Excel 97", "MS Excel 95", "MS Excel 4.0")),
    "ods": Reader(Kind.CALC, ("calc8",), _ZIP),
    "fods": Reader(Kind.CALC, ("OpenDocument Spreadsheet Flat XML",)),
    "pptx": Reader(Kind.IMPRESS, ("Impress MS PowerPoint 2007 XML",), _ZIP),
    "pptm": Reader(Kind.IMPRESS, ("Impress MS PowerPoint 2007 XML VBA",), _ZIP),
    "ppsx": Reader(Kind.IMPRESS, ("Impress MS PowerPoint 2007 XML AutoPlay",), _ZIP),
    "potx": Reader(Kind.IMPRESS, ("Impress MS PowerPoint 2007 XML Template",), _ZIP),
    "ppt": Reader(Kind.IMPRESS, ("MS PowerPoint 97",), _OLE),
    "odp": Reader(Kind.IMPRESS, ("impress8",), _ZIP),
    "fodp": Reader(Kind.IMPRESS, ("OpenDocument Presentation Flat XML",)),
    "pdf": Reader(Kind.PAGES, ("impress_pdf_import",), (b"%PDF",)),
    "odg": Reader(Kind.DRAW, ("draw8",), _ZIP),
    "vsdx": Reader(Kind.DRAW, ("Visio Document",), _ZIP),
    "vsd": Reader(Kind.DRAW, ("Visio Document",), _OLE),
    "pub": Reader(Kind.DRAW, ("Publisher Document",), _OLE),
    "emf": Reader(Kind.PICTURE, ("EMF - MS Windows Metafile",), (b"\x01\x00\x00\x00",)),
    "wmf": Reader(
        Kind.PICTURE,
        ("WMF - MS Windows Metafile",),
        (b"\xd7\xcd\xc6\x9a", b"\x01\x00\x09\x00", b"\x02\x00\x09\x00"),
    ),
}

# Comma, double quote, UTF-8, from line 1; quote only where needed; cells as they are shown.
_CSV = "44,34,76,1,,0,false,true,false,false,false"

_SLIDES: Mapping[FormatId, Writer] = {
    "pptx": Writer("Impress MS PowerPoint 2007 XML"),
    "ppsx": Writer("Impress MS PowerPoint 2007 XML AutoPlay"),
    "potx": Writer("Impress MS PowerPoint 2007 XML Template"),
    "ppt": Writer("MS PowerPoint 97"),
    "odp": Writer("impress8"),
    "fodp": Writer("OpenDocument Presentation Flat XML"),
}

WRITERS: Mapping[Kind, Mapping[FormatId, Writer]] = {
    Kind.WRITER: {
        "pdf": Writer("writer_pdf_Export", choices=_DOCUMENT_PDF),
        "docx": Writer("MS Word 2007 XML"),
        "dotx": Writer("MS Word 2007 XML Template"),
        "doc": Writer("MS Word 97"),
        "odt": Writer("writer8"),
        "ott": Writer("writer8_template"),
        "fodt": Writer("OpenDocument Text Flat XML"),
        "rtf": Writer("Rich Text Format"),
        "html": Writer("HTML (StarWriter)", "EmbedImages", loss=Loss.LARGE, cost=400),
        "epub": Writer("EPUB", loss=Loss.LARGE, cost=400),
        # UTF-8, line feeds, no byte order mark.
        "txt": Writer("Text (encoded)", "UTF8,LF,,,FALSE", loss=Loss.MOST),
    },
    Kind.CALC: {
        "pdf": Writer("calc_pdf_Export", choices=_SHEET_PDF),
        "xlsx": Writer("Calc MS Excel 2007 XML"),
        "xltx": Writer("Calc MS Excel 2007 XML Template"),
        "xls": Writer("MS Excel 97"),
        "ods": Writer("calc8"),
        "fods": Writer("OpenDocument Spreadsheet Flat XML"),
        "html": Writer("HTML (StarCalc)", "SkipImages", loss=Loss.LARGE),
        "csv": Writer("Text - txt - csv (StarCalc)", _CSV, loss=Loss.LARGE, many=True, choices=_CSV_CHOICES),
    },
    Kind.IMPRESS: {"pdf": Writer("impress_pdf_Export", choices=_SLIDE_PDF), **_SLIDES},
    Kind.DRAW: {
        "pdf": Writer("draw_pdf_Export", choices=_PDF_OPTIONS),
        "odg": Writer("draw8"),
    },
    Kind.PAGES: {
        target: replace(writer, loss=Loss.LARGE, cost=900, facsimile=True) for target, writer in _SLIDES.items()
    },
    Kind.PICTURE: {
        "svg": Writer("draw_svg_Export"),
    },
}


def conversions() -> tuple[Conversion, ...]:
    """Every format that is read, with every format that its kind of document can be written as."""
    return tuple(
        Conversion(
            source, target, writer.cost, writer.loss, writer.many, facsimile=writer.facsimile, options=writer.choices
        )
        for source, reader in READERS.items()
        for target, writer in WRITERS[reader.kind].items()
        if source != target
    )
