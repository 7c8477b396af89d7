"""Documents of our own, one of each kind, that a warm parent converts before anybody's come: they hold nobody's words.

Flat OpenDocument, so that they can be read here. In them is what most documents have (headings, a list, a table,
several fonts, a formula, a shape), because what was done once in the parent need not be done again in its children.
"""

from __future__ import annotations

from dataclasses import dataclass

_NAMES = (
    " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{urn}:1.0"'
        for name, urn in {
            "office": "office",
            "text": "text",
            "table": "table",
            "style": "style",
            "fo": "xsl-fo-compatible",
            "svg": "svg-compatible",
            "draw": "drawing",
            "presentation": "presentation",
        }.items()
    )
    + ' xmlns:of="urn:oasis:names:tc:opendocument:xmlns:of:1.2"'
)
_FONTS = ("Liberation Serif", "Liberation Sans", "Liberation Mono", "Carlito", "Caladea", "DejaVu Sans")
_STYLES = "".join(
    f'<style:style style:name="f{number}" style:family="text"><style:text-properties style:font-name="{font}" '
    f'fo:font-weight="{weight}" fo:font-style="{slant}"/></style:style>'
    for number, (font, weight, slant) in enumerate(
        (font, weight, slant) for font in _FONTS for weight in ("normal", "bold") for slant in ("normal", "italic")
    )
)
_FACES = "".join(f'<style:font-face style:name="{font}" svg:font-family="\'{font}\'"/>' for font in _FONTS)
_SPANS = "".join(f'<text:span text:style-name="f{number}">Every good word. </text:span>' for number in range(24))
_TABLE = (
    '<table:table table:name="Sheet1"><table:table-column table:number-columns-repeated="3"/>'
    "<table:table-row><table:table-cell office:value-type='string'><text:p>one</text:p></table:table-cell>"
    "<table:table-cell office:value-type='float' office:value='2'><text:p>2</text:p></table:table-cell>"
    "<table:table-cell {formula} office:value-type='float' office:value='4'><text:p>4</text:p></table:table-cell>"
    "</table:table-row></table:table>"
)
_PLACE = 'svg:x="2cm" svg:y="2cm" svg:width="12cm" svg:height="3cm"'
_SHAPES = (
    f"<draw:frame {_PLACE}><draw:text-box><text:p>Warm hands.</text:p></draw:text-box></draw:frame>"
    f"<draw:rect {_PLACE}/><draw:ellipse {_PLACE}/>"
)


@dataclass(frozen=True)
class Sample:
    """One of them, and how it goes out of LibreOffice and into it again."""

    name: str
    flat: str
    """The name of the filter for `document`."""
    document: str
    filter: str
    """Of the form that most documents of this kind come in."""
    extension: str
    pdf: str
    words: tuple[str, str]
    """Filter and options by which the words come out of it."""
    says: str
    """What is among them."""


def _flat(mime: str, body: str, styles: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {_NAMES} office:version="1.3" '
        f'office:mimetype="application/vnd.oasis.opendocument.{mime}">{styles}'
        f"<office:body>{body}</office:body></office:document>"
    )


_TEXT = _flat(
    "text",
    '<office:text><text:h text:outline-level="1">A heading</text:h>'
    f"<text:p>Warm words. {_SPANS}</text:p><text:p>Καλημέρα, доброе утро, 早安</text:p>"
    "<text:list><text:list-item><text:p>an item</text:p></text:list-item></text:list>"
    f"{_TABLE.format(formula='')}</office:text>",
    f"<office:font-face-decls>{_FACES}</office:font-face-decls>"
    f"<office:automatic-styles>{_STYLES}</office:automatic-styles>",
)
_SHEET = _flat(
    "spreadsheet",
    "<office:spreadsheet>" + _TABLE.format(formula='table:formula="of:=[.B1]*2"') + "</office:spreadsheet>",
)
_SHOW = _flat(
    "presentation",
    f'<office:presentation><draw:page draw:name="one">{_SHAPES}</draw:page></office:presentation>',
)
_DRAWING = _flat("graphics", f'<office:drawing><draw:page draw:name="one">{_SHAPES}</draw:page></office:drawing>')

_LEAST = _flat("text", "<office:text><text:p>a</text:p></office:text>")

SAMPLES = (
    Sample(
        "text", "OpenDocument Text Flat XML", _TEXT, "MS Word 2007 XML", "docx", "writer_pdf_Export",
        ("Text (encoded)", "UTF8,LF,,,FALSE"), "Warm words.",
    ),
    Sample(
        "sheet", "OpenDocument Spreadsheet Flat XML", _SHEET, "Calc MS Excel 2007 XML", "xlsx", "calc_pdf_Export",
        ("Text - txt - csv (StarCalc)", "44,34,76,1"), '"one",2,4',
    ),
    Sample(
        "show", "OpenDocument Presentation Flat XML", _SHOW, "Impress MS PowerPoint 2007 XML", "pptx",
        "impress_pdf_Export", ("OpenDocument Presentation Flat XML", ""), "Warm hands.",
    ),
    Sample(
        "drawing", "OpenDocument Drawing Flat XML", _DRAWING, "draw8", "odg", "draw_pdf_Export",
        ("OpenDocument Drawing Flat XML", ""), "Warm hands.",
    ),
)  # fmt: skip
LEAST = Sample(
    "least", "OpenDocument Text Flat XML", _LEAST, "MS Word 2007 XML", "docx", "writer_pdf_Export",
    ("Text (encoded)", "UTF8,LF,,,FALSE"), "a",
)  # fmt: skip
"""Of all documents the one with the least in it."""
