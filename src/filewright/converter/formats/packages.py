"""Which of the many formats that are ZIP files inside: Office, OpenDocument, EPUB, 3MF, KMZ, shapefiles."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from filewright.converter.formats.catalogue import FORMATS, by_name
from filewright.converter.formats.sample import Detection, Sample
from filewright.converter.formats.zips import Entry, entries, find_end, local_entries, read_member

_LOOK_AT = 4096
"""Entries of the directory that detection looks at."""
_MANIFEST_BYTES = 256 << 10
_SHAPE = frozenset({"shp", "shx", "dbf", "prj", "cpg", "sbn", "sbx", "qix", "qmd", "xml", "txt", "html", "ain", "aih"})

# Content type of the main part -> format. The texts are those of ECMA-376 and [MS-OFFMACRO]; the first match counts.
_MAIN_PARTS: Sequence[tuple[bytes, str]] = (
    (b"ms-word.document.macroEnabled.main+xml", "docm"),
    (b"wordprocessingml.template.main+xml", "dotx"),
    (b"ms-word.template.macroEnabledTemplate.main+xml", "docm"),
    (b"wordprocessingml.document.main+xml", "docx"),
    (b"ms-excel.sheet.macroEnabled.main+xml", "xlsm"),
    (b"ms-excel.sheet.binary.macroEnabled.main", "xlsb"),
    (b"ms-excel.template.macroEnabled.main+xml", "xlsm"),
    (b"spreadsheetml.template.main+xml", "xltx"),
    (b"spreadsheetml.sheet.main+xml", "xlsx"),
    (b"ms-powerpoint.presentation.macroEnabled.main+xml", "pptm"),
    (b"ms-powerpoint.slideshow.macroEnabled.main+xml", "pptm"),
    (b"ms-powerpoint.template.macroEnabled.main+xml", "pptm"),
    (b"presentationml.template.main+xml", "potx"),
    (b"presentationml.slideshow.main+xml", "ppsx"),
    (b"presentationml.presentation.main+xml", "pptx"),
    (b"ms-visio.drawing.main+xml", "vsdx"),
    (b"ms-package.3dmanufacturing-3dmodel+xml", "3mf"),
)
_TEXTS = (".xml", ".xhtml", ".html", ".htm", ".model", ".kml")
_BY_FOLDER = (("word/", "docx"), ("xl/", "xlsx"), ("ppt/", "pptx"), ("visio/", "vsdx"), ("3d/", "3mf"))


def recognise(sample: Sample, hint: str | None) -> Detection | None:
    """The type of a ZIP file; a cut-off one is known by the first members that are still there."""
    end = find_end(sample)
    starts = sample.head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"))
    if not starts and (end is None or not _is_tail_of_zip(sample, hint)):
        return None
    if end is None:
        members = list(local_entries(sample.head))
        return Detection(_package(sample, members) or "zip", damaged=True, note="a ZIP file whose end is missing")
    if end.disks > 0 or not starts:
        return Detection("zip", damaged=True, note="one volume of a split ZIP archive")
    members = list(islice(entries(sample, end), _LOOK_AT))
    if not members and hint is not None and hint != "zip":
        claimed = FORMATS[hint]
        if _is_zipped(hint):
            return Detection(hint, damaged=True, note=f"an empty ZIP file, no {claimed.name}")
    found = _package(sample, members)
    if found is None or hint == "zip":
        return Detection("zip", encrypted=any(entry.encrypted for entry in members))
    texts = sum(entry.unpacked for entry in members if entry.name.endswith(_TEXTS))
    return Detection(found, encrypted=_is_encrypted(sample, members, found), texts=texts or None)


def _is_tail_of_zip(sample: Sample, hint: str | None) -> bool:
    """The last volume of a split archive starts in the middle of a member, so only its name and its end tell."""
    return hint == "zip" and not sample.head.startswith((b"MZ", b"\x7fELF", b"%PDF"))


def _is_zipped(format_id: str) -> bool:
    odf_or_ooxml = ("vnd.openxmlformats", "vnd.oasis", "macroEnabled", "+zip", "kmz", "3mf")
    return any(mark in FORMATS[format_id].media_type for mark in odf_or_ooxml)


def _package(sample: Sample, members: Sequence[Entry]) -> str | None:
    by_member = {member.name: member for member in members}
    return (
        _by_mimetype(sample, by_member.get("mimetype"))
        or _by_content_types(sample, members, by_member.get("[Content_Types].xml"))
        or _by_names(members, by_member)
    )


def _by_mimetype(sample: Sample, member: Entry | None) -> str | None:
    if member is None:
        return None
    media_type = read_member(sample, member, 128).decode("ascii", "replace").strip()
    found = by_name(media_type)
    return found.id if found is not None else None


def _by_content_types(sample: Sample, members: Sequence[Entry], member: Entry | None) -> str | None:
    if member is None:
        return None
    manifest = read_member(sample, member, _MANIFEST_BYTES)
    for mark, format_id in _MAIN_PARTS:
        if mark in manifest:
            return format_id
    names = [entry.name.lower() for entry in members]
    return next((fmt for folder, fmt in _BY_FOLDER if any(name.startswith(folder) for name in names)), None)


def _by_names(members: Sequence[Entry], by_member: dict[str, Entry]) -> str | None:
    if "META-INF/container.xml" in by_member and any(entry.name.endswith(".opf") for entry in members):
        return "epub"
    files = [entry.name.lower() for entry in members if not entry.is_directory]
    endings = {name.rpartition(".")[2] for name in files}
    if "3d/3dmodel.model" in files:
        return "3mf"
    if "shp" in endings and "dbf" in endings and endings <= _SHAPE:
        return "shp.zip"
    if any(name.endswith(".kml") and "/" not in name for name in files) and len(files) < _LOOK_AT:
        return "kmz"
    return None


def _is_encrypted(sample: Sample, members: Sequence[Entry], found: str) -> bool:
    if any(entry.encrypted for entry in members):
        return True
    if not FORMATS[found].media_type.startswith("application/vnd.oasis"):
        return False
    manifest = next((entry for entry in members if entry.name == "META-INF/manifest.xml"), None)
    return manifest is not None and b"encryption-data" in read_member(sample, manifest, _MANIFEST_BYTES)
