"""What people usually want to make of a file, per family and format: the first choices of a person who is asked.

A list of habits, not of abilities; whoever shows it leaves out what no route leads to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from filewright.converter.formats.catalogue import FORMATS, Family

_BY_FORMAT: Mapping[str, Sequence[str]] = {
    "heic": ("jpg", "png", "pdf", "webp"),
    "svg": ("png", "pdf", "jpg", "webp"),
    "gif": ("mp4", "webp", "png", "jpg"),
    "ps": ("pdf", "png", "jpg", "eps"),
    "md": ("html", "pdf", "docx", "epub"),
    "html": ("pdf", "docx", "md", "txt"),
    "json": ("csv", "yaml", "xlsx", "toml"),
    "csv": ("xlsx", "json", "parquet", "pdf"),
    "msg": ("eml", "pdf", "html", "txt"),
}
_BY_FAMILY: Mapping[Family, Sequence[str]] = {
    Family.DOCUMENT: ("pdf", "docx", "odt", "txt", "html", "epub", "md"),
    Family.MARKUP: ("pdf", "docx", "html", "md", "txt", "epub"),
    Family.SHEET: ("pdf", "xlsx", "csv", "ods", "json", "html"),
    Family.SLIDES: ("pdf", "pptx", "odp", "png", "jpg"),
    Family.PDF: ("docx", "jpg", "png", "txt", "html"),
    Family.EBOOK: ("pdf", "epub", "mobi", "azw3", "docx", "txt"),
    Family.IMAGE: ("jpg", "png", "webp", "pdf", "avif", "gif"),
    Family.AUDIO: ("mp3", "wav", "m4a", "flac", "ogg", "opus"),
    Family.VIDEO: ("mp4", "webm", "gif", "mp3", "mov", "mkv"),
    Family.SUBTITLE: ("srt", "vtt", "ass", "txt"),
    Family.DATA: ("csv", "json", "xlsx", "parquet", "yaml"),
    Family.ARCHIVE: ("zip", "tar.gz", "7z", "tar"),
    Family.EMAIL: ("pdf", "html", "txt", "eml"),
    Family.FONT: ("woff2", "ttf", "otf", "woff"),
    Family.GEO: ("geojson", "kml", "gpkg", "shp.zip", "csv"),
    Family.CAD: ("stl", "obj", "glb", "ply", "3mf"),
}


def habits(source: str) -> Sequence[str]:
    """What people usually make of it, likeliest first, whether or not it can be made here."""
    entry = FORMATS.get(source)
    usual = (*_BY_FORMAT.get(source, ()), *(_BY_FAMILY[entry.family] if entry is not None else ()))
    return [target for target in dict.fromkeys(usual) if target != source]


def usual_targets(source: str, possible: Collection[str], count: int = 6) -> Sequence[str]:
    """The likeliest of the possible targets first, then others in the order in which they are given."""
    ordered = dict.fromkeys((*habits(source), *possible))
    return [target for target in ordered if target in possible and target != source][:count]
