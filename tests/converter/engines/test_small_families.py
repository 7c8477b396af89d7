"""Fonts, subtitles, meshes and technical drawings."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from filewright.converter.engines.drawings import DRAWINGS
from filewright.converter.engines.fonts import FONTS
from filewright.converter.engines.meshes import MESHES
from filewright.converter.engines.subtitles import SUBTITLES
from filewright.converter.errors import ConversionError, CorruptInput, UnsupportedConversion

SANS = Path("/usr/share/fonts/truetype/liberation2/LiberationSans-Regular.ttf")
SRT = (
    "1\n00:00:01,000 --> 00:00:02,500\nGrüße <i>schräg</i>\n\n2\n00:00:03,000 --> 00:00:04,000\nzwei\nZeilen\n".encode()
)


# --- fonts -----------------------------------------------------------------------------------------------------------


def facts_of_font(path: Path) -> tuple[str, str]:
    """Family and format by fontconfig, which reads fonts with FreeType."""
    answer = subprocess.run(
        ["fc-scan", "--format", "%{family[0]}|%{fontformat}", str(path)], capture_output=True, check=True
    )
    family, _, kind = answer.stdout.decode().partition("|")
    return family, kind


@pytest.mark.parametrize("target", ["woff", "woff2"])
async def test_a_font_is_packed_for_the_web_and_back_unchanged(convert, target: str):
    [packed] = await convert(FONTS, SANS, "ttf", target)
    assert facts_of_font(packed)[0] == "Liberation Sans"
    [back] = await convert(FONTS, packed, target, "ttf")
    before, after = TTFont(SANS), TTFont(back)
    assert after.getBestCmap() == before.getBestCmap()
    for name in ("A", "g", "Adieresis"):
        assert after["glyf"][name].getCoordinates(after["glyf"]) == before["glyf"][name].getCoordinates(before["glyf"])


async def test_outlines_are_redrawn_in_both_directions(convert):
    [cubic] = await convert(FONTS, SANS, "ttf", "otf")
    assert facts_of_font(cubic) == ("Liberation Sans", "CFF")
    [quadratic] = await convert(FONTS, cubic, "otf", "ttf")
    assert facts_of_font(quadratic) == ("Liberation Sans", "TrueType")
    before, after = TTFont(SANS), TTFont(quadratic)
    assert after["maxp"].numGlyphs == before["maxp"].numGlyphs
    for name in ("A", "g", "ampersand"):
        assert after["hmtx"][name][0] == before["hmtx"][name][0]
        assert abs(after["glyf"][name].xMax - before["glyf"][name].xMax) <= 4


@pytest.mark.requirement("B35")
@pytest.mark.parametrize("cut", [4, 11, 100, 5000, 100_000])
async def test_a_font_cut_short_is_refused(convert, cut: int):
    with pytest.raises(CorruptInput):
        await convert(FONTS, SANS.read_bytes()[:cut], "ttf", "woff")


@pytest.mark.requirement("B35")
async def test_a_font_whose_glyphs_hold_one_another_without_end_is_refused(convert, tmp_path: Path):
    font = TTFont(SANS, recalcBBoxes=False)
    glyphs = font["glyf"]
    composite = next(name for name in font.getGlyphOrder() if glyphs[name].isComposite())
    glyphs[composite].components[0].glyphName = composite
    font.save(tmp_path / "cycle.ttf", reorderTables=None)
    with pytest.raises(ConversionError):
        await convert(FONTS, tmp_path / "cycle.ttf", "ttf", "otf")


# --- subtitles -------------------------------------------------------------------------------------------------------


def cues_by_ffprobe(path: Path) -> int:
    answer = subprocess.run(
        [
            "ffprobe",
            "-v",
            "error",
            "-count_packets",
            "-show_entries",
            "stream=nb_read_packets",
            "-of",
            "json",
            str(path),
        ],
        capture_output=True,
        check=True,
    )
    return int(json.loads(answer.stdout)["streams"][0]["nb_read_packets"])


@pytest.mark.parametrize("target", ["vtt", "ass", "ssa", "srt"])
async def test_subtitles_keep_cues_and_words(convert, target: str):
    [ttml] = await convert(SUBTITLES, SRT, "srt", "ttml")
    source, name = (ttml, "ttml") if target == "srt" else (SRT, "srt")
    [product] = await convert(SUBTITLES, source, name, target)
    assert "Grüße" in product.read_text(encoding="utf-8")
    if target != "ssa":
        assert cues_by_ffprobe(product) == 2


async def test_subtitles_in_a_legacy_code_page_keep_their_words(convert):
    words = "1\r\n00:00:01,000 --> 00:00:02,000\r\nПривет, как дела? Это субтитры.\r\n\r\n".encode("cp1251")
    [product] = await convert(SUBTITLES, words, "srt", "txt")
    assert "Привет, как дела?" in product.read_text(encoding="utf-8")


async def test_scenarist_captions_are_decoded(convert):
    # RCL RCL, PAC PAC, "Hello", EOC EOC at 1 s; EDM EDM at 3 s. Each byte has odd parity.
    words = (
        b"Scenarist_SCC V1.0\n\n00:00:01:00\t9420 9420 9470 9470 c8e5 ecec ef80 942f 942f\n\n00:00:03:00\t942c 942c\n"
    )
    [product] = await convert(SUBTITLES, words, "scc", "json")
    [cue] = json.loads(product.read_text(encoding="utf-8"))
    assert cue["text"] == "Hello"
    assert 1.0 <= cue["start"] <= 1.4
    assert 2.9 <= cue["end"] <= 3.2


async def test_ebu_subtitles_are_decoded(convert):
    general = (b"850STL25.011" + b"00").ljust(1024, b" ")
    text = b"Caf\xc2e\x8anoir".ljust(112, b"\x8f")
    block = bytes([0, 1, 0, 0xFF, 0, 0, 0, 1, 0, 0, 0, 2, 12, 20, 2, 0]) + text
    [product] = await convert(SUBTITLES, general + block, "ebu-stl", "json")
    assert json.loads(product.read_text(encoding="utf-8")) == [{"start": 1.0, "end": 2.48, "text": "Café\nnoir"}]


ASS_IN_ITS_OWN_ORDER = """[Script Info]
ScriptType: v4.00+
[V4+ Styles]
Format: Name, Bold, Fontname
Style: Loud,-1,Arial
[Events]
Format: Start, End, Style, Text
Dialogue: 0:00:01.00,0:00:02.50,Loud,Eins, zwei
"""
SAMI = """<SAMI><BODY><SYNC Start=1000><P Class=DE>Eins, zwei
<SYNC Start=2500><P Class=DE>&nbsp;
</BODY></SAMI>"""


@pytest.mark.parametrize(
    ("source_format", "content"),
    [("ass", ASS_IN_ITS_OWN_ORDER), ("smi", SAMI), ("sub", "{1}{1}50.000\n{50}{125}Eins, zwei\n")],
)
async def test_what_a_subtitle_file_says_of_itself_is_heard(convert, source_format, content):
    """The order of its fields, what ends a cue, how many frames make a second."""
    [product] = await convert(SUBTITLES, content.encode(), source_format, "json")
    assert json.loads(product.read_text(encoding="utf-8")) == [{"start": 1.0, "end": 2.5, "text": "Eins, zwei"}]


async def test_a_style_whose_fields_stand_in_another_order_stays_what_it_is(convert):
    [product] = await convert(SUBTITLES, ASS_IN_ITS_OWN_ORDER.encode(), "ass", "ssa")
    [style] = [line for line in product.read_text(encoding="utf-8").splitlines() if line.startswith("Style: Loud")]
    assert style.startswith("Style: Loud,Arial,20,")
    assert style.split(",")[7] == "-1"


@pytest.mark.requirement("B31")
@pytest.mark.parametrize(
    ("source_format", "content"),
    [
        ("vtt", b"WEBVT\n\n00:01.000 --> 00:02.000\nx\n"),
        ("srt", b"no cue in here"),
        ("ttml", b"<tt>"),
        ("scc", b"Scenarist_SCC V1.0\n\nnothing\n"),
        ("ebu-stl", b"850STL25.01" + b"\0" * 50),
    ],
)
async def test_what_is_no_subtitle_is_refused(convert, source_format: str, content: bytes):
    with pytest.raises(CorruptInput):
        await convert(SUBTITLES, content, source_format, "srt" if source_format != "srt" else "vtt")


# --- meshes and drawings ---------------------------------------------------------------------------------------------


def a_pyramid() -> bytes:
    corners = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
    faces = [(0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2)]
    body = b"".join(
        struct.pack("<12fH", 0, 0, 0, *(value for corner in face for value in corners[corner]), 0) for face in faces
    )
    return b"a pyramid".ljust(80, b"\0") + struct.pack("<I", len(faces)) + body


@pytest.mark.parametrize("target", ["obj", "ply", "off", "gltf"])
async def test_a_mesh_keeps_its_triangles(convert, target: str):
    [product] = await convert(MESHES, a_pyramid(), "stl", target)
    text = product.read_bytes()
    if target == "obj":
        assert len(re.findall(rb"^f ", text, re.MULTILINE)) == 4
    elif target == "ply":
        assert b"element face 4" in text
    elif target == "off":
        assert text.split()[1:3] == [b"4", b"4"]
    else:
        assert json.loads(text)["accessors"][0]["count"] == 12


@pytest.mark.parametrize("through", ["3mf", "glb"])
async def test_a_mesh_comes_back_from_a_package(convert, through: str):
    [packed] = await convert(MESHES, a_pyramid(), "stl", through)
    [product] = await convert(MESHES, packed, through, "stl")
    assert struct.unpack_from("<I", product.read_bytes(), 80)[0] == 4


async def test_a_mesh_cut_short_keeps_its_whole_triangles(convert):
    [product] = await convert(MESHES, a_pyramid()[:-60], "stl", "ply")
    assert b"element face 2" in product.read_bytes()


@pytest.mark.requirement("B31")
async def test_a_mesh_without_triangles_is_refused(convert):
    for source_format, content in (
        ("stl", b"x" * 90),
        ("obj", b"v 0 0 0\n"),
        ("glb", b"glTF\x02"),
        ("3mf", b"PK\x03\x04"),
    ):
        with pytest.raises(CorruptInput):
            await convert(MESHES, content, source_format, "ply")


async def test_a_drawing_becomes_lines(convert, tmp_path: Path):
    assert shutil.which("rsvg-convert") or shutil.which("convert")
    drawing = (
        "0\nSECTION\n2\nENTITIES\n0\nLINE\n8\n0\n10\n0\n20\n0\n11\n40\n21\n20\n0\nCIRCLE\n8\n0\n10\n20\n20\n10\n40\n5\n"
        "0\nENDSEC\n0\nEOF\n"
    )
    [product] = await convert(DRAWINGS, drawing.encode(), "dxf", "svg")
    text = product.read_text(encoding="utf-8")
    assert 'width="40' in text
    assert text.count("<path") >= 2


@pytest.mark.requirement("B31")
async def test_an_empty_drawing_is_refused(convert):
    with pytest.raises((CorruptInput, UnsupportedConversion)):
        await convert(DRAWINGS, b"0\nSECTION\n2\nENTITIES\n0\nENDSEC\n0\nEOF\n", "dxf", "svg")
