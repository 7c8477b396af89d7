"""Fonts that no machine has: made here, of boxes."""

from __future__ import annotations

import io
from typing import Any

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont

_LETTERS = "".join(map(chr, range(0x20, 0x7F)))


def made(family: str, *, style: str = "Regular", postscript: str | None = None, fs_type: int = 0) -> TTFont:
    """A font with a box for each letter of ASCII."""
    names = [".notdef", *(f"u{ord(letter):04X}" for letter in _LETTERS)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): f"u{ord(letter):04X}" for letter in _LETTERS})
    builder.setupGlyf({name: _box(40 + 5 * number) for number, name in enumerate(names)})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (600, 40)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable(
        {
            "familyName": family,
            "styleName": style,
            "uniqueFontIdentifier": f"{family} {style}",
            "fullName": f"{family} {style}",
            "psName": postscript or f"{family.replace(' ', '')}-{style}",
        }
    )
    builder.setupOS2(sTypoAscender=800, sTypoDescender=-200, usWinAscent=800, usWinDescent=200, fsType=fs_type)
    builder.setupPost()
    return builder.font


def font(family: str, **more: Any) -> bytes:
    """As `made`, as a file."""
    return saved(made(family, **more))


def collection(*fonts: TTFont) -> bytes:
    """Several in one file."""
    whole = TTCollection()
    whole.fonts.extend(fonts)
    buffer = io.BytesIO()
    whole.save(buffer)
    return buffer.getvalue()


def wrapped(one: TTFont, flavour: str) -> bytes:
    """As a `woff` or `woff2`."""
    one.flavor = flavour
    return saved(one)


def saved(one: TTFont) -> bytes:
    buffer = io.BytesIO()
    one.save(buffer)
    return buffer.getvalue()


def _box(size: int) -> Any:
    pen = TTGlyphPen(None)
    pen.moveTo((40, 0))
    for corner in ((40, size), (500, size), (500, 0)):
        pen.lineTo(corner)
    pen.closePath()
    return pen.glyph()
