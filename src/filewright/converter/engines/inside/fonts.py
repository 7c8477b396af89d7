"""Runs in the sandbox: a font in another wrapper, or with its outlines redrawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import brotli
from fontTools.cu2qu.errors import Error as CurveError
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.reverseContourPen import ReverseContourPen
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont, newTable, woff2

from filewright.chassis.sandbox.child import Refusal, Report

_FLAVOURS: Mapping[str, str | None] = {"ttf": None, "otf": None, "woff": "woff", "woff2": "woff2"}
_PER_EM = 1000
"""Curves may move by one part in so many of an em when they are redrawn."""
_MAX_UNPACKED = 512 << 20
_BROTLI_QUALITY = 9
"""The library's own 11 takes four times as long for about 2 % less."""
_COLOUR = frozenset({"COLR", "CBDT", "sbix", "SVG "})


def convert(
    source: str,
    source_format: str,
    target: str,
    options: Mapping[str, Any],
    report: Report,
    password: str | None = None,
) -> list[str]:
    """Write `out/output.<target>`. Refuses a font that cannot be read, or whose outlines cannot be redrawn."""
    font = _opened(source)
    if target == "ttf" and "CFF " in font:
        _draw_quadratic(font, report)
    elif target == "otf" and "glyf" in font:
        _draw_cubic(font, report)
    elif target in {"ttf", "otf"} and not {"glyf", "CFF ", "CFF2"} & set(font.keys()):
        raise Refusal("unsupported_conversion")
    font.flavor = _FLAVOURS[target]
    woff2.brotli = _Brotli
    font.save(f"out/output.{target}", reorderTables=False if target == "woff2" else None)
    report(1.0)
    return [f"output.{target}"]


class _Brotli:
    """What the library asks of its compressor, at a quality worth its time."""

    MODE_FONT = brotli.MODE_FONT
    decompress = staticmethod(brotli.decompress)

    @staticmethod
    def compress(data: bytes, mode: int = brotli.MODE_FONT) -> bytes:
        packed: bytes = brotli.compress(data, mode=mode, quality=_BROTLI_QUALITY)
        return packed


def _opened(source: str) -> TTFont:
    """The font, with the tables that every reader needs proven to be readable."""
    try:
        font = TTFont(source, lazy=False, recalcTimestamp=False)
        if sum(entry.length for entry in font.reader.tables.values()) > _MAX_UNPACKED:
            raise Refusal("resource_limit")
        glyphs = font["maxp"].numGlyphs
        if len(font.getGlyphOrder()) != glyphs or font["head"].unitsPerEm <= 0:
            raise Refusal("corrupt_input")
        font.getBestCmap()
        if "name" in font:
            font["name"].getDebugName(1)
    except Refusal:
        raise
    except Exception as error:
        raise Refusal("corrupt_input") from error
    return font


def _refuse_what_would_be_lost(font: TTFont) -> None:
    """Variations and colours hang on the outlines' exact points."""
    if {"fvar", "gvar", "CFF2"} & set(font.keys()) or _COLOUR & set(font.keys()):
        raise Refusal("unsupported_conversion")


def _draw_quadratic(font: TTFont, report: Report) -> None:
    """Replace the CFF outlines by TrueType ones."""
    _refuse_what_would_be_lost(font)
    order, drawn = font.getGlyphOrder(), font.getGlyphSet()
    error = font["head"].unitsPerEm / _PER_EM
    glyphs = {}
    for number, name in enumerate(order):
        pen = TTGlyphPen(drawn)
        try:
            drawn[name].draw(Cu2QuPen(pen, max_err=error, reverse_direction=True))
        except CurveError as failure:
            raise Refusal("output_invalid") from failure
        glyphs[name] = pen.glyph()
        report(number / len(order))
    glyf = font["glyf"] = newTable("glyf")
    glyf.glyphOrder, glyf.glyphs = order, glyphs
    font["loca"] = newTable("loca")
    del font["CFF "]
    for tag in ("VORG",):
        if tag in font:
            del font[tag]
    maxp = font["maxp"]
    maxp.tableVersion = 0x00010000
    for field in (
        "maxZones", "maxTwilightPoints", "maxStorage", "maxFunctionDefs", "maxInstructionDefs", "maxStackElements",
        "maxSizeOfInstructions", "maxComponentElements", "maxPoints", "maxContours", "maxCompositePoints",
        "maxCompositeContours", "maxComponentDepth",
    ):  # fmt: skip
        setattr(maxp, field, 1 if field == "maxZones" else 0)
    post = font["post"]
    post.formatType, post.extraNames, post.mapping, post.glyphOrder = 2.0, [], {}, order
    font.sfntVersion = "\000\001\000\000"


def _draw_cubic(font: TTFont, report: Report) -> None:
    """Replace the TrueType outlines by the same curves as CFF; hints are dropped with them."""
    _refuse_what_would_be_lost(font)
    order, drawn = font.getGlyphOrder(), font.getGlyphSet()
    strings = {}
    for number, name in enumerate(order):
        pen = T2CharStringPen(font["hmtx"][name][0], drawn)
        drawn[name].draw(ReverseContourPen(pen))
        strings[name] = pen.getCharString()
        report(number / len(order))
    builder = FontBuilder(font=font)
    builder.isTTF = False
    for tag in ("glyf", "loca", "cvt ", "fpgm", "prep", "gasp", "hdmx", "VDMX", "LTSH"):
        if tag in font:
            del font[tag]
    names = font["name"]
    builder.setupCFF(
        psName=names.getDebugName(6) or "Font",
        fontInfo={"FullName": names.getDebugName(4) or "", "FamilyName": names.getDebugName(1) or ""},
        charStringsDict=strings,
        privateDict={},
    )
    maxp = font["maxp"] = newTable("maxp")
    maxp.tableVersion, maxp.numGlyphs = 0x00005000, len(order)
    font["post"].formatType = 3.0
    font.sfntVersion = "OTTO"
