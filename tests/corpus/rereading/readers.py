"""Is a product what its name says? Asked of a program or a reader that did not make it, one for each target format.

What the product says of its source's facts is for `facts`.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tomllib
from collections.abc import Mapping
from pathlib import Path

from corpus.facts.delivery import run
from corpus.rereading import data, documents, seen_and_heard
from corpus.rereading.common import Reader, must


def reread(path: Path, target: str) -> str:
    """Empty when the product is of the target's type and holds something, else what is wrong with it."""
    reader = READERS.get(target)
    if reader is None:
        return f"nothing here reads {target}"
    if not path.stat().st_size:
        return "it is empty"
    try:
        reader(path)
    except Exception as error:  # a reader that stumbles, in whatever way, has found something
        said = getattr(error, "stderr", b"") or b""
        return f"{type(error).__name__}: {str(error)[:160]} {said.decode('utf-8', 'replace')[-160:]}".strip()
    return ""


READERS: Mapping[str, Reader] = {
    # documents, sheets, slides
    "docx": documents.office("word/document.xml", "wordprocessingml.document"),
    "dotx": documents.office("word/document.xml", "wordprocessingml.template"),
    "xlsx": documents.office("xl/workbook.xml", "spreadsheetml.sheet"),
    "xltx": documents.office("xl/workbook.xml", "spreadsheetml.template"),
    "pptx": documents.office("ppt/presentation.xml", "presentationml.presentation"),
    "ppsx": documents.office("ppt/presentation.xml", "presentationml.slideshow"),
    "potx": documents.office("ppt/presentation.xml", "presentationml.template"),
    "odt": documents.open_document("text"),
    "ott": documents.open_document("text-template"),
    "ods": documents.open_document("spreadsheet"),
    "odp": documents.open_document("presentation"),
    "odg": documents.open_document("graphics"),
    "fodt": documents.flat("text"),
    "fods": documents.flat("spreadsheet"),
    "fodp": documents.flat("presentation"),
    "doc": documents.ole("WordDocument"),
    "xls": documents.ole("Workbook"),
    "ppt": documents.ole("PowerPoint Document"),
    "rtf": documents.rtf,
    # mark-up and books
    "html": documents.html_page,
    **dict.fromkeys(("md", "txt", "rst", "adoc", "org", "typ", "textile", "mediawiki"), documents.words()),
    "tex": documents.words(r"^\\begin\{document\}"),
    "man": documents.words(r"^\.(TH|SH|PP|TS)\b"),
    "ipynb": documents.notebook,
    "docbook": documents.xml("article", "book"),
    "jats": documents.xml("article"),
    "opml": documents.xml("opml"),
    "fb2": documents.xml("FictionBook"),
    "epub": documents.epub,
    "pdf": documents.pdf,
    "ps": documents.postscript,
    # pictures
    "jpg": seen_and_heard.picture(r"^JPEG image", "jpg"),
    "png": seen_and_heard.picture(r"^PNG image", "png"),
    "webp": seen_and_heard.picture(r"RIFF.*Web/P", "webp"),
    "gif": seen_and_heard.picture(r"^GIF image", "gif"),
    "avif": seen_and_heard.picture(r"AVIF", "avif"),
    "heic": seen_and_heard.picture(r"HEIF", "heic"),
    "tiff": seen_and_heard.picture(r"^(Big )?TIFF image", "tiff"),
    "bmp": seen_and_heard.picture(r"^PC bitmap", "bmp"),
    "ico": seen_and_heard.picture(r"^MS Windows icon", "ico"),
    "icns": seen_and_heard.apple_icon,
    "jp2": seen_and_heard.picture(r"^JPEG 2000", "jp2"),
    "jxl": seen_and_heard.picture(r"^JPEG XL", "jxl"),
    "exr": seen_and_heard.picture(r"^OpenEXR", "exr"),
    "tga": seen_and_heard.picture(r"^Targa image", "tga"),
    "pcx": seen_and_heard.picture(r"^PCX ver", "pcx"),
    "dds": seen_and_heard.picture(r"DirectDraw Surface", "dds"),
    "ppm": seen_and_heard.picture(r"^Netpbm image", "ppm"),
    "qoi": seen_and_heard.qoi,
    "svg": seen_and_heard.svg,
    "eps": documents.eps,
    # sound and film
    **{name: seen_and_heard.playing(container, "audio") for name, container in {
        "mp3": "mp3", "wav": "wav", "flac": "flac", "m4a": "mp4", "aac": "aac", "ogg": "ogg", "opus": "ogg",
        "aiff": "aiff", "amr": "amr", "wma": "asf", "ac3": "ac3", "au": "au", "caf": "caf", "wv": "wv",
        "mka": "matroska"}.items()},
    **{name: seen_and_heard.playing(container, "video") for name, container in {
        "mp4": "mp4", "mkv": "matroska", "webm": "webm", "mov": "mov", "avi": "avi", "wmv": "asf", "flv": "flv",
        "mpg": "mpeg", "ts": "mpegts", "3gp": "3gp", "3g2": "3g2", "ogv": "ogg"}.items()},
    # subtitles
    "srt": documents.words(r"^\d\d:\d\d:\d\d,\d{3} --> "),
    "vtt": documents.words(r"\AWEBVTT\b[\s\S]* --> "),
    "ass": documents.words(r"^\[V4\+ Styles\][\s\S]*^Dialogue:"),
    "ssa": documents.words(r"^\[V4 Styles\][\s\S]*^Dialogue:"),
    "ttml": documents.xml("tt"),
    "sub": documents.words(r"^\{\d+\}\{\d+\}"),
    # data
    **{name: data.grid(name) for name in ("csv", "tsv")},
    "json": data.json_text,
    "ndjson": data.ndjson_text,
    "yaml": data.yaml_text,
    "toml": lambda path: must(tomllib.loads(path.read_text(encoding="utf-8")), "nothing in it"),
    "xml": documents.xml(),
    "parquet": data.marked(b"PAR1", b"PAR1", "parquet"),
    "arrow": data.marked(b"ARROW1", b"ARROW1", "arrow"),
    "avro": data.marked(b"Obj\x01", b"", "avro"),
    "sqlite": data.sqlite_file,
    # archives
    "zip": data.archive(r"^Zip archive"),
    "7z": data.archive(r"^7-zip archive"),
    "tar": data.archive(r"tar archive"),
    "tar.gz": data.archive(r"^gzip"),
    "tar.bz2": data.archive(r"^bzip2"),
    "tar.xz": data.archive(r"^XZ"),
    "tar.zst": data.archive(r"^Zstandard"),
    "gz": data.unpacked(gzip.decompress),
    "bz2": data.unpacked(bz2.decompress),
    "xz": data.unpacked(lzma.decompress),
    "zst": lambda path: run("zstd", "-q", "-t", path),
    # letters, fonts, maps, models
    "eml": data.letter,
    "ttf": data.font(r"^TrueType"),
    "otf": data.font(r"^OpenType"),
    "woff": data.font(r"^Web Open Font Format,"),
    "woff2": data.font(r"^Web Open Font Format \(Version 2\)"),
    "geojson": data.map_of("GeoJSON"),
    "kml": data.map_of("LIBKML"),
    "kmz": data.map_of("LIBKML"),
    "gpkg": data.map_of("GPKG"),
    "shp.zip": data.map_of("ESRI Shapefile"),
    "gpx": data.map_of("GPX"),
    "gml": data.map_of("GML"),
    "fgb": data.map_of("FlatGeobuf"),
    "geoparquet": data.geoparquet,
    **{name: data.mesh(name) for name in ("stl", "obj", "ply", "glb", "gltf", "3mf", "off")},
}  # fmt: skip
