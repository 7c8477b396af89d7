"""One small file of every format that can be read, with facts about it: what the test of every pair begins with.

Three kinds: made here by hand or by the usual library, not by the engine that will convert it; made by the converter
of another of these files, where that is the usual way such a file comes about; and, of formats that nothing here
writes, a specimen of your own: `specimen.wpd` and so on in the folder that FILEWRIGHT_SPECIMENS names.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpus.bench import Bench
from corpus.cases import Case
from corpus.making import data, documents, media, parcels, pictures, shapes
from corpus.samples import PHRASE, samples
from filewright.converter.formats.catalogue import FORMATS

SPECIMENS = Path(os.environ.get("FILEWRIGHT_SPECIMENS", "/nonexistent"))


@dataclass(frozen=True)
class Source:
    """How to come by a file of a format; one of `make`, `made_of` and `sample`, or none of them for a specimen."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    make: Callable[[Path], object] | None = None
    made_of: str = ""
    """The format of another of these, of which the converter makes it."""
    sample: str = ""
    """One of `samples`, with its facts."""


def _made(made_of: str, **facts: Any) -> Source:
    return Source(facts, made_of=made_of)


def _sample(name: str) -> Source:
    return Source(_SAMPLES[name].facts, sample=name)


SPECIMEN = Source()


def _written(make: Callable[[Path], object], **facts: Any) -> Source:
    return Source(facts, make=make)


_SAMPLES: Mapping[str, Case] = {case.name: case for case in samples()}
_TEXT = {"text": PHRASE}
_SIZE = {"width": 64, "height": 40}
_SOUND = {"duration_s": 1.5, "audio": {"sample_rate": 44100, "channels": 1}}
_OPUS = {"duration_s": 1.5, "audio": {"sample_rate": 48000, "channels": 1}}
"""Opus knows no other rate."""
_FILM = {**_SOUND, "video": {"width": 160, "height": 120}}
_ROWS = {"rows": 2}
_CUES = {"cues": 2, "text": "Auf Wiedersehen"}
_MAP = {"layers": {"places": 3}}
_MEMBERS = _SAMPLES["archives/two.zip"].facts

SOURCES: Mapping[str, Source] = {
    # documents
    "docx": _sample("office-text/report.docx"),
    "docm": _written(documents.docm, **_TEXT),
    **{name: _made("docx", **_TEXT) for name in ("dotx", "doc", "ott", "fodt")},
    "odt": _sample("office-text/report.odt"),
    "rtf": _sample("office-text/report.rtf"),
    **dict.fromkeys(("wps", "wpd", "vsdx", "vsd", "pub"), SPECIMEN),
    # sheets and slides
    "xlsx": _sample("sheets/book.xlsx"),
    "xlsm": _written(documents.xlsm, sheets=["Zahlen"], cell={"ref": "B2", "value": 6.75}),
    "xlsb": SPECIMEN,
    **{name: _made("xlsx", sheets=["Zahlen", "Versteckt"]) for name in ("xltx", "xls", "ods", "fods")},
    "pptx": _sample("slides/show.pptx"),
    "pptm": _written(documents.pptm, slides=2, **_TEXT),
    **{name: _made("pptx", slides=2, **_TEXT) for name in ("ppsx", "potx", "ppt", "odp", "fodp")},
    "odg": _written(documents.odg, **_TEXT),
    # mark-up
    "html": _sample("markup/page.html"),
    "mhtml": _written(documents.mhtml, **_TEXT),
    "md": _sample("markup/notes.md"),
    "txt": _sample("markup/plain.txt"),
    **{name: _written(documents.markup(name), **_TEXT) for name in documents.MARKUP},
    # PDF and books
    "pdf": _sample("pdf/two-pages.pdf"),
    "ps": _made("pdf", pages=2, text="A quiet sentence stands here"),
    "epub": _sample("ebooks/book.epub"),
    "fb2": _sample("ebooks/book.fb2"),
    # pictures
    **{name: _written(pictures.picture(name), **_SIZE) for name in pictures.PICTURES},
    "ico": _written(pictures.windows_icon, width=64, height=64),
    "icns": _written(pictures.apple_icon, width=64, height=64),
    **{name: _written(pictures.magick, **_SIZE) for name in ("psd", "hdr")},
    "jxl": _written(pictures.jxl, **_SIZE),
    "exr": _written(pictures.exr, **_SIZE),
    "qoi": _written(pictures.qoi, **_SIZE),
    "gif": _sample("images/moving.gif"),
    "svg": _sample("images/drawing.svg"),
    "eps": _written(pictures.eps, viewBox="0 0 120 80"),
    "emf": _written(pictures.emf, viewBox="0 0 120 80"),
    "wmf": _written(pictures.wmf, viewBox="0 0 120 80"),
    # sound and film
    **{name: _written(media.sound, **_SOUND) for name in (
        "mp3", "wav", "flac", "m4a", "aac", "ogg", "aiff", "wma", "ac3", "au", "caf", "wv", "mka")},
    "opus": _written(media.sound, **_OPUS),
    "amr": _written(media.amr, duration_s=1.5, audio={"sample_rate": 8000, "channels": 1}),
    "ape": _written(media.ape, duration_s=1.0, audio={"sample_rate": 44100, "channels": 1}),
    **{name: _written(media.film, **_FILM) for name in (
        "mp4", "mkv", "mov", "mpg", "ts", "3gp", "3g2", "ogv")},
    # whose sound ends with a whole frame
    **{name: _written(media.film, **_FILM | {"duration_s": end}) for name, end in {
        "avi": 1.56, "wmv": 1.61, "flv": 1.55}.items()},
    "webm": _written(media.film, **_FILM | _OPUS),
    "y4m": _written(media.silent_film, duration_s=1.5, video=_FILM["video"]),
    # subtitles
    "srt": _sample("subtitles/film.srt"),
    "vtt": _sample("subtitles/film.vtt"),
    **{name: _written(media.subtitles, **_CUES) for name in ("ass", "ssa", "ttml", "sub")},
    "smi": _written(media.smi, **_CUES),
    "scc": _written(media.scc, cues=1, text="Hello"),
    "ebu-stl": _written(media.ebu, cues=1, text="Wiedersehen"),
    # data
    "csv": _sample("data/places.csv"),
    "json": _written(data.json_rows, **_ROWS),
    "yaml": _sample("data/places.yaml"),
    "parquet": _sample("data/places.parquet"),
    "sqlite": _sample("data/places.db"),
    **{name: _written(data.table(name), **_ROWS) for name in data.TABLES},
    "toml": _written(data.toml, keys=2, first=["ort", "Łódź"]),
    "xml": _written(data.xml),
    "dbf": _written(data.dbf, **_ROWS),
    "sas7bdat": SPECIMEN,
    "ics": _sample("email/meeting.ics"),
    "vcf": _written(data.vcf, text="Žofie"),
    # archives
    "zip": _sample("archives/two.zip"),
    "7z": _sample("archives/two.7z"),
    "tar.gz": _sample("archives/two.tar.gz"),
    **{name: _written(parcels.tar, **_MEMBERS) for name in ("tar", "tar.bz2", "tar.xz", "tar.zst", "tar.z")},
    "gz": _sample("archives/one.gz"),
    **{name: _written(parcels.pressed, **_SAMPLES["archives/one.gz"].facts) for name in ("bz2", "xz", "zst", "z")},
    "rar": _written(parcels.rar, **_MEMBERS),
    # letters
    "eml": _sample("email/letter.eml"),
    "mbox": _sample("email/letters.mbox"),
    "msg": SPECIMEN,
    "tnef": _written(parcels.tnef, attachment_names=["report.txt"]),
    # fonts, maps, models
    "ttf": _sample("fonts/sans.ttf"),
    "woff": _sample("fonts/sans.woff"),
    "woff2": _made("ttf", family="DejaVu Sans"),
    "otf": _made("ttf", family="DejaVu Sans"),
    "geojson": _sample("geo/places.geojson"),
    "gpx": _sample("geo/places.gpx"),
    "topojson": _written(shapes.topojson, **_MAP),
    "kml": _written(shapes.by_ogr("KML"), **_MAP),
    "kmz": _written(shapes.kmz, **_MAP),
    "gpkg": _written(shapes.by_ogr("GPKG"), **_MAP),
    "gml": _written(shapes.by_ogr("GML"), **_MAP),
    "fgb": _written(shapes.by_ogr("FlatGeobuf"), **_MAP),
    "shp.zip": _written(shapes.shapefile, **_MAP),
    "geoparquet": _made("geojson", **_MAP),
    "stl": _sample("cad/corner.stl"),
    "obj": _sample("cad/corner.obj"),
    "ply": _written(shapes.ply, triangles=4),
    "off": _written(shapes.off, triangles=4),
    **{name: _made("obj", triangles=4) for name in ("glb", "gltf", "3mf")},
    "dxf": _written(shapes.dxf),
}  # fmt: skip


def specimen(format_id: str) -> Path:
    """Where it would be."""
    return SPECIMENS / f"specimen.{FORMATS[format_id].extension}"


def is_here(format_id: str) -> bool:
    """Whether a file of the format can be had."""
    return SOURCES[format_id] is not SPECIMEN or specimen(format_id).exists()


async def source_of(bench: Bench, format_id: str, folder: Path) -> Case:
    """A file of the format, placed below the folder and made at most once there."""
    source = SOURCES[format_id]
    if source.sample:
        return _SAMPLES[source.sample]
    path = folder / f"source.{FORMATS[format_id].extension}"
    if not path.exists():
        if source is SPECIMEN:
            shutil.copyfile(specimen(format_id), path)
        elif source.make is not None:
            source.make(path)
        else:
            await _convert(bench, source.made_of, format_id, folder, path)
    return Case(path.name, str(FORMATS[format_id].family), lambda _: path, source.facts)


async def _convert(bench: Bench, made_of: str, format_id: str, folder: Path, path: Path) -> None:
    origin = await source_of(bench, made_of, folder)
    async with bench.converting(origin.place(folder), origin.filename, format_id) as ending:
        assert ending.converted, f"no {format_id} of {made_of}: {ending.code} {ending.detail}"
        shutil.copyfile(ending.products[0], path)
