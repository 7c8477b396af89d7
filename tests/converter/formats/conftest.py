"""One small true file of nearly every format, made by the library or program that people make such files with."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import imageio_ffmpeg
import openpyxl
import pikepdf
import pillow_heif
import polars
import py7zr
import pytest
from backports import zstd
from docx import Document
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from PIL import Image

pillow_heif.register_heif_opener()

PICTURES = {
    "jpg": "JPEG",
    "png": "PNG",
    "webp": "WEBP",
    "gif": "GIF",
    "avif": "AVIF",
    "heic": "HEIF",
    "tiff": "TIFF",
    "bmp": "BMP",
    "ico": "ICO",
    "icns": "ICNS",
    "jp2": "JPEG2000",
    "tga": "TGA",
    "pcx": "PCX",
    "dds": "DDS",
    "ppm": "PPM",
}
SOUNDS = ("mp3", "wav", "flac", "m4a", "aac", "ogg", "opus", "aiff", "au", "ac3", "caf", "wv", "mka", "wma")
FILMS = ("mp4", "mkv", "webm", "mov", "avi", "wmv", "flv", "mpg", "ts", "3gp", "3g2", "ogv", "y4m")
OOXML = "application/vnd.openxmlformats-officedocument"
ODF = "application/vnd.oasis.opendocument"


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """Format id -> the bytes of a file."""
    return {
        **{name: picture(name) for name in PICTURES},
        **media(tmp_path_factory.mktemp("media")),
        **documents(),
        **packages(),
        **archives(),
        **tables(tmp_path_factory.mktemp("tables")),
        **fonts(),
        **{name: text.encode() for name, text in TEXTS.items()},
        **RAW,
    }


def picture(name: str) -> bytes:
    out = io.BytesIO()
    size = (32, 32) if name in {"ico", "icns"} else (20, 10)
    Image.effect_noise(size, 60).convert("RGB").save(out, PICTURES[name])
    return out.getvalue()


def media(folder: Path) -> dict[str, bytes]:
    sound = ["-f", "lavfi", "-i", "sine=frequency=440:duration=0.2:sample_rate=44100"]
    film = [*sound, "-f", "lavfi", "-i", "testsrc=duration=0.2:size=176x144:rate=25"]
    extra = {
        "3gp": ["-c:v", "mpeg4", "-c:a", "aac"],
        "3g2": ["-c:v", "mpeg4", "-c:a", "aac"],
        "y4m": ["-pix_fmt", "yuv420p"],
    }
    for names, inputs in ((SOUNDS, sound), (FILMS, film)):
        maps = ["-map", "0:a", *(["-map", "1:v"] if names is FILMS else [])]
        outputs = [
            part for name in names for part in (*extra.get(name, []), *_maps(name, maps), str(folder / f"a.{name}"))
        ]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *inputs, *outputs]
        subprocess.run(command, check=True)
    return {name: (folder / f"a.{name}").read_bytes() for name in (*SOUNDS, *FILMS)}


def _maps(name: str, maps: list[str]) -> list[str]:
    return ["-map", "1:v"] if name == "y4m" else maps


def documents() -> dict[str, bytes]:
    docx = io.BytesIO()
    Document().save(docx)
    xlsx = io.BytesIO()
    openpyxl.Workbook().save(xlsx)
    pdf = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page()
        document.save(pdf)
    return {"docx": docx.getvalue(), "xlsx": xlsx.getvalue(), "pdf": pdf.getvalue()}


def zipped(members: Mapping[str, str | bytes], **options: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in members.items():
            package.writestr(name, data, **options)
    return out.getvalue()


def ooxml(main: str, part: str) -> bytes:
    types = f'<Types><Override PartName="/{part}" ContentType="{main}"/></Types>'
    return zipped({"[Content_Types].xml": types, part: "<x/>"})


def odf(media_type: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr("mimetype", media_type)
        package.writestr("content.xml", "<x/>")
    return out.getvalue()


def packages() -> dict[str, bytes]:
    office, macros = f"{OOXML}.", "application/vnd.ms-"
    return {
        "docm": ooxml(f"{macros}word.document.macroEnabled.main+xml", "word/document.xml"),
        "dotx": ooxml(f"{office}wordprocessingml.template.main+xml", "word/document.xml"),
        "xlsm": ooxml(f"{macros}excel.sheet.macroEnabled.main+xml", "xl/workbook.xml"),
        "xlsb": ooxml(f"{macros}excel.sheet.binary.macroEnabled.main", "xl/workbook.bin"),
        "xltx": ooxml(f"{office}spreadsheetml.template.main+xml", "xl/workbook.xml"),
        "pptx": ooxml(f"{office}presentationml.presentation.main+xml", "ppt/presentation.xml"),
        "pptm": ooxml(f"{macros}powerpoint.presentation.macroEnabled.main+xml", "ppt/presentation.xml"),
        "ppsx": ooxml(f"{office}presentationml.slideshow.main+xml", "ppt/presentation.xml"),
        "potx": ooxml(f"{office}presentationml.template.main+xml", "ppt/presentation.xml"),
        "vsdx": ooxml(f"{macros}visio.drawing.main+xml", "visio/document.xml"),
        "3mf": ooxml(f"{macros}package.3dmanufacturing-3dmodel+xml", "3D/3dmodel.model"),
        "odt": odf(f"{ODF}.text"),
        "ott": odf(f"{ODF}.text-template"),
        "ods": odf(f"{ODF}.spreadsheet"),
        "odp": odf(f"{ODF}.presentation"),
        "odg": odf(f"{ODF}.graphics"),
        "epub": odf("application/epub+zip"),
        "kmz": zipped({"doc.kml": "<kml/>"}),
        "shp.zip": zipped({"a/x.shp": b"1", "a/x.shx": b"1", "a/x.dbf": b"1", "a/x.prj": "1"}),
        "zip": zipped({"one.txt": "one", "two.bin": bytes(9)}),
    }


def archives() -> dict[str, bytes]:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("one.txt")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"one"))
    tar, plain = out.getvalue(), b"just some bytes in a row"
    seven = io.BytesIO()
    with py7zr.SevenZipFile(seven, "w") as archive7:
        archive7.writestr("one", "one.txt")
    return {
        "7z": seven.getvalue(),
        "tar": tar,
        "tar.gz": gzip.compress(tar),
        "tar.bz2": bz2.compress(tar),
        "tar.xz": lzma.compress(tar),
        "tar.zst": zstd.compress(tar),
        "gz": gzip.compress(plain),
        "bz2": bz2.compress(plain),
        "xz": lzma.compress(plain),
        "zst": zstd.compress(plain),
    }


def tables(folder: Path) -> dict[str, bytes]:
    frame = polars.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    found = {}
    for name, write in (
        ("parquet", frame.write_parquet),
        ("arrow", frame.write_ipc),
        ("avro", frame.write_avro),
    ):
        out = io.BytesIO()
        write(out)
        found[name] = out.getvalue()
    database = sqlite3.connect(folder / "a.sqlite")
    database.execute("create table t (a)")
    database.commit()
    database.close()
    found["sqlite"] = (folder / "a.sqlite").read_bytes()
    found["gpkg"] = found["sqlite"][:68] + b"GPKG" + found["sqlite"][72:]
    field = b"NAME".ljust(11, b"\0") + b"C" + bytes(4) + bytes([5, 0]) + bytes(14)
    found["dbf"] = struct.pack("<4BIHH20x", 3, 124, 5, 6, 1, 32 + 32 + 1, 6) + field + b"\r" + b" hello\x1a"
    return found


def fonts() -> dict[str, bytes]:
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef"])
    builder.setupCharacterMap({})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph()})
    builder.setupHorizontalMetrics({".notdef": (500, 0)})
    builder.setupHorizontalHeader()
    builder.setupNameTable({"familyName": "Test", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    out = io.BytesIO()
    builder.save(out)
    found = {"ttf": out.getvalue()}
    for flavour in ("woff", "woff2"):
        font = TTFont(io.BytesIO(found["ttf"]))
        font.flavor = flavour
        out = io.BytesIO()
        font.save(out)
        found[flavour] = out.getvalue()
    return found


TEXTS: dict[str, str] = {
    "rtf": r"{\rtf1\ansi Hello}",
    "html": "<!DOCTYPE html><html><body><p>Hello</p></body></html>",
    "xml": '<?xml version="1.0"?><things><thing/></things>',
    "svg": '<?xml version="1.0"?><!-- by hand --><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    "fb2": '<?xml version="1.0"?><FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0"/>',
    "ttml": '<tt xmlns="http://www.w3.org/ns/ttml"><body/></tt>',
    "kml": '<kml xmlns="http://www.opengis.net/kml/2.2"/>',
    "gpx": '<gpx version="1.1" creator="x"/>',
    "gml": '<gml:FeatureCollection xmlns:gml="http://www.opengis.net/gml"/>',
    "opml": '<opml version="2.0"><body/></opml>',
    "rss": '<?xml version="1.0"?><rss version="2.0"><channel/></rss>',
    "docbook": '<book xmlns="http://docbook.org/ns/docbook" version="5.0"/>',
    "jats": '<!DOCTYPE article PUBLIC "-//NLM//DTD JATS v1.2//EN" "x.dtd"><article article-type="x"/>',
    "fodt": f'<office:document xmlns:office="urn:oasis:opendocument" office:mimetype="{ODF}.text"/>',
    "fods": f'<office:document xmlns:office="urn:oasis:opendocument" office:mimetype="{ODF}.spreadsheet"/>',
    "json": '{"name": "value", "list": [1, 2, 3]}',
    "ndjson": '{"a": 1}\n{"a": 2}\n',
    "geojson": '{"type": "FeatureCollection", "features": []}',
    "topojson": '{"type":"Topology","objects":{},"arcs":[]}',
    "ipynb": json.dumps({"cells": [{"cell_type": "markdown"}], "nbformat": 4}),
    "gltf": '{"asset": {"version": "2.0"}, "scenes": []}',
    "eml": "From: a@example.org\r\nTo: b@example.org\r\nSubject: Hello\r\nDate: now\r\n\r\nHello\r\n",
    "mbox": "From a@example.org Mon Jun  1 04:28:28 2009\nFrom: a@example.org\nSubject: Hello\n\nHello\n",
    "mhtml": "From: <Saved by Blink>\r\nSnapshot-Content-Location: x\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/related; boundary=b\r\n\r\n--b--\r\n",
    "ics": "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n",
    "vcf": "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:A\r\nEND:VCARD\r\n",
    "srt": "1\n00:00:01,000 --> 00:00:02,000\nHello\n",
    "vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n",
    "ass": "[Script Info]\nTitle: x\n\n[V4+ Styles]\n",
    "ssa": "[Script Info]\nTitle: x\n\n[V4 Styles]\n",
    "scc": "Scenarist_SCC V1.0\n\n00:00:00:00\t94ae 94ae\n",
    "smi": "<SAMI><BODY><SYNC Start=0><P>Hello</BODY></SAMI>",
    "ps": "%!PS-Adobe-3.0\nshowpage\n",
    "eps": "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "tex": "\\documentclass{article}\\begin{document}Hello\\end{document}",
    "dxf": "  0\nSECTION\n  2\nHEADER\n  0\nENDSEC\n  0\nEOF\n",
    "off": "OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n",
    "stl": "solid x\nfacet normal 0 0 1\nouter loop\nendloop\nendfacet\nendsolid x\n",
    "ply": "ply\nformat ascii 1.0\nend_header\n",
    "tsv": "a\tb\tc\n1\t2\t3\n4\t5\t6\n",
    "csv": "a,b,c\n1,2,3\n4,5,6\n",
    "txt": "Dear reader,\nthis is a letter, nothing else. It is short.\n",
}
RAW: dict[str, bytes] = {
    "psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 10, 20, 8, 3) + bytes(40),
    "exr": b"\x76\x2f\x31\x01\x02\0\0\0dataWindow\0box2i\0\x10\0\0\0" + struct.pack("<iiii", 0, 0, 19, 9) + bytes(40),
    "hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 10 +X 20\n" + bytes(99),
    "qoi": b"qoif" + struct.pack(">IIBB", 20, 10, 3, 0) + bytes(20),
    "jxl": bytes.fromhex("ff0a 4809 0010") + bytes(40),
    "emf": b"\x01\0\0\0" + bytes(36) + b" EMF" + bytes(60),
    "wmf": b"\xd7\xcd\xc6\x9a" + bytes(40),
    "amr": b"#!AMR\n" + bytes(40),
    "ape": b"MAC \x96\x0f" + bytes(70),
    "rar": b"Rar!\x1a\x07\x01\x00" + bytes(40),
    "z": bytes.fromhex("1f9d90 61c4 0800"),
    "sav": b"$FL2@(#) SPSS DATA FILE" + bytes(160),
    "dta": bytes([0x72, 2, 1, 0]) + bytes(200),
    "sas7bdat": bytes(12) + bytes.fromhex("c2ea8160b31411cfbd92080009c7318c181f1011") + bytes(300),
    "otf": b"OTTO" + bytes(60),
    "tnef": b"\x78\x9f\x3e\x22" + bytes(60),
    "mobi": b"book".ljust(60, b"\0") + b"BOOKMOBI" + bytes(90),
    "wpd": b"\xffWPC" + bytes(60),
    "glb": b"glTF\2\0\0\0" + bytes(40),
    "fgb": b"fgb\x03fgb\x00" + bytes(40),
    "ebu-stl": b"850STL25.0110009".ljust(1024) + bytes(128),
}
Write = Callable[[str, bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write bytes under a name; the path."""

    def written(name: str, data: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return written
