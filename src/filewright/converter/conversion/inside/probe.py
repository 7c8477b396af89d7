"""Open products with a second pair of eyes, inside the sandbox: a conversion that ended well may still have written
something that nothing can open.

`probe` gets paths and the format that they should have, and gives a fact sheet for each. To say that a product is
broken it raises `Refusal("output_invalid")`. Formats that nobody here can open but their own engine pass unseen.
`compare` and `compare_pages` do the same for one product, and hold it against its originals besides.
"""

# ruff: noqa: PLC0415 - a child loads only what its format needs
from __future__ import annotations

import bz2
import gzip
import lzma
import sqlite3
import tarfile
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from filewright.chassis.sandbox.child import Refusal, Report

Facts = dict[str, int | float]
_BLOCK = 1 << 20


def probe(*, paths: Sequence[str], format_id: str, report: Report) -> list[Facts]:
    """A fact sheet per path: `pages`, `width`, `height`, `duration`, as far as the format has them."""
    look = _LOOKS.get(format_id)
    if look is None:
        return [{} for _ in paths]
    sheets = []
    for number, path in enumerate(paths, 1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                sheets.append(look(Path(path)))
            except Exception:  # noqa: BLE001 - whatever a reader raises means that it could not open the product
                raise Refusal("output_invalid") from None
        report(number / len(paths))
    return sheets


def compare(
    *,
    paths: Sequence[str],
    format_id: str,
    original: str,
    original_format: str,
    fonts: Mapping[str, Sequence[str]],
    report: Report,
) -> dict[str, Any]:
    """`sheets` as of `probe`, and `fidelity`; a measurement that does not come about says nothing of the product."""
    from filewright.converter.conversion.inside.fidelity.measure import measure

    sheets = probe(paths=paths, format_id=format_id, report=report)
    try:
        fidelity = measure(Path(original), original_format, Path(paths[0]), fonts)
    except Exception:  # noqa: BLE001 - whatever it trips over, the product was opened and is whole
        fidelity = None
    return {"sheets": sheets, "fidelity": fidelity}


def compare_pages(
    *,
    paths: Sequence[str],
    format_id: str,
    originals: Sequence[str],
    password: str | None,
    seconds: float,
    looks: bool,
    report: Report,
) -> dict[str, Any]:
    """As `compare`, for a PDF that was made of PDFs."""
    from filewright.converter.conversion.inside.fidelity.pages import measure

    sheets = probe(paths=paths, format_id=format_id, report=report)
    try:
        fidelity = measure(originals, Path(paths[0]), password=password, seconds=seconds, looks=looks)
    except Exception:  # noqa: BLE001 - as in `compare`
        fidelity = None
    return {"sheets": sheets, "fidelity": fidelity}


def _pdf(path: Path) -> Facts:
    import pypdfium2

    document = pypdfium2.PdfDocument(path)
    pages = len(document)
    _demand(pages > 0)
    width, height = document.get_page_size(0)
    document.close()
    _demand(width > 0 and height > 0)
    return {"pages": pages}


def _picture(path: Path) -> Facts:
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    with Image.open(path) as picture:
        width, height = picture.size
        frames = int(getattr(picture, "n_frames", 1))
        picture.verify()
    _demand(width > 0 and height > 0)
    facts: Facts = {"width": width, "height": height}
    return {**facts, "pages": frames} if frames > 1 else facts


def _heic(path: Path) -> Facts:
    import pillow_heif

    pillow_heif.register_heif_opener()
    return _picture(path)


def _media(path: Path) -> Facts:
    from pymediainfo import MediaInfo

    tracks = MediaInfo.parse(path, parse_speed=0).tracks  # by what the file says of itself, not by all of its packets
    played = [track for track in tracks if track.track_type in {"Audio", "Video", "Image"}]
    _demand(bool(played))
    facts: Facts = {}
    durations = [float(track.duration) for track in tracks if track.duration]
    if durations:
        facts["duration"] = round(max(durations) / 1000, 3)
    for track in played:
        if track.track_type == "Video" and track.width and track.height:
            facts |= {"width": int(track.width), "height": int(track.height)}
    return facts


_PACKET = 188
_TOO_FEW_PACKETS = 64
"""Of a transport stream, in which MediaInfo may still see none: the film of a few pictures."""


def _transport(path: Path) -> Facts:
    size = path.stat().st_size
    if size > _TOO_FEW_PACKETS * _PACKET:
        return _media(path)
    data = path.read_bytes()
    _demand(size > 0 and size % _PACKET == 0 and set(data[::_PACKET]) == {0x47})
    return {}


def _font(path: Path) -> Facts:
    from fontTools.ttLib import TTFont

    with path.open("rb") as file, TTFont(file, lazy=True) as font:
        _demand(font["maxp"].numGlyphs > 0)
        _demand("head" in font and "cmap" in font)
    return {}


def _package(path: Path) -> Facts:
    with zipfile.ZipFile(path) as package:
        _demand(package.testzip() is None and bool(package.namelist()))
        slides = sum(name.startswith("ppt/slides/slide") and name.endswith(".xml") for name in package.namelist())
    return {"pages": slides} if slides else {}


def _zip(path: Path) -> Facts:
    with zipfile.ZipFile(path) as archive:
        encrypted = any(info.flag_bits & 1 for info in archive.infolist())
        _demand(encrypted or archive.testzip() is None)
    return {}


def _tar(mode: str) -> Callable[[Path], Facts]:
    def look(path: Path) -> Facts:
        with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
            for _ in archive:
                pass
        return {}

    return look


def _zst_tar(path: Path) -> Facts:
    from backports import zstd

    with zstd.open(path) as stream, tarfile.open(fileobj=cast("BinaryIO", stream), mode="r|") as archive:
        for _ in archive:
            pass
    return {}


def _stream(opener: Callable[[Path], Any]) -> Callable[[Path], Facts]:
    def look(path: Path) -> Facts:
        with opener(path) as stream:
            while stream.read(_BLOCK):
                pass
        return {}

    return look


def _zst(path: Path) -> Facts:
    from backports import zstd

    return _stream(zstd.open)(path)


def _7z(path: Path) -> Facts:
    import py7zr

    with path.open("rb") as file, py7zr.SevenZipFile(file) as archive:
        _demand(archive.needs_password() or archive.testzip() is None)
    return {}


def _sqlite(path: Path) -> Facts:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        _demand(connection.execute("pragma quick_check(1)").fetchone() == ("ok",))
    finally:
        connection.close()
    return {}


def _columns(reader: str) -> Callable[[Path], Facts]:
    def look(path: Path) -> Facts:
        import polars

        getattr(polars, reader)(path)
        return {}

    return look


def _demand(truth: bool) -> None:
    if not truth:
        raise Refusal("output_invalid")


_LOOKS: Mapping[str, Callable[[Path], Facts]] = {
    "pdf": _pdf,
    **dict.fromkeys(("jpg", "png", "webp", "gif", "avif", "tiff", "bmp", "ico", "jp2", "tga", "pcx", "ppm"), _picture),
    "heic": _heic,
    **dict.fromkeys(("mp3", "wav", "flac", "m4a", "aac", "ogg", "opus", "aiff", "wma", "ac3", "mka"), _media),
    **dict.fromkeys(("mp4", "mkv", "webm", "mov", "avi", "wmv", "flv", "mpg", "3gp", "3g2", "ogv"), _media),
    "ts": _transport,
    **dict.fromkeys(("ttf", "otf", "woff", "woff2"), _font),
    **dict.fromkeys(("docx", "docm", "dotx", "xlsx", "xlsm", "xlsb", "xltx", "pptx", "pptm", "ppsx", "potx"), _package),
    **dict.fromkeys(("odt", "ott", "ods", "odp", "odg", "epub", "3mf", "kmz", "shp.zip", "vsdx"), _package),
    "zip": _zip,
    "tar": _tar("r:"),
    "tar.gz": _tar("r:gz"),
    "tar.bz2": _tar("r:bz2"),
    "tar.xz": _tar("r:xz"),
    "tar.zst": _zst_tar,
    "gz": _stream(gzip.open),
    "bz2": _stream(bz2.open),
    "xz": _stream(lzma.open),
    "zst": _zst,
    "7z": _7z,
    **dict.fromkeys(("sqlite", "gpkg"), _sqlite),
    "parquet": _columns("read_parquet_schema"),
    "geoparquet": _columns("read_parquet_schema"),
    "arrow": _columns("read_ipc_schema"),
}
LOOKED_AT = frozenset(_LOOKS)
"""Formats that are worth a child of their own."""
