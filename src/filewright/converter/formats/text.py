"""Which kind of text. The content decides where it can (XML roots, headers, signatures); the name decides the rest.

Nearly every text could be called Markdown or CSV, so a name is believed unless the content speaks against it. All
searching is by plain `find` or by patterns without nested repetition, over the head of the file only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from filewright.converter.formats.catalogue import FORMATS
from filewright.converter.formats.sample import Detection, Sample

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\b\x1b\x1a") | {127})
_PROSE = frozenset({"txt", "md", "rst", "adoc", "org", "tex", "typ", "textile", "mediawiki", "man"})
_TABLES = frozenset({"csv", "tsv", "yaml", "toml"})
_JSON_KINDS = frozenset({"json", "ndjson", "geojson", "topojson", "ipynb", "gltf"})
_XML_KINDS = frozenset(
    {"xml", "svg", "fb2", "ttml", "docbook", "jats", "opml", "rss", "kml", "gpx", "gml", "fodt", "fods", "fodp"}
)
_MAIL_KINDS = frozenset({"eml", "mbox", "mhtml"})
_HEADER = re.compile(r"[!-9;-~]{1,76}:")
_MAIL_HEADERS = frozenset(
    {"from", "to", "cc", "subject", "date", "sender", "received", "message-id", "mime-version", "return-path"}
    | {"content-type", "delivered-to", "reply-to", "x-mailer", "dkim-signature", "in-reply-to"}
    | {"content-transfer-encoding", "content-location"}
)
_CUE = re.compile(r"^\s{0,8}\d{1,3}:\d{2}:\d{2}[,.]\d{1,3} {0,4}--> {0,4}\d", re.MULTILINE)
_FRAME_CUE = re.compile(r"^\{\d{1,9}\}\{\d{0,9}\}", re.MULTILINE)
_MESH_LINE = re.compile(r"^(v|vn|vt|f|o|g|mtllib|usemtl) ", re.MULTILINE)
_DXF_SECTION = re.compile(r"^ {0,8}0\r?\n {0,8}SECTION\r?$", re.MULTILINE)
_HTML_TAGS = ("<!doctype html", "<html", "<head", "<body", "<title", "<table", "<div", "<p>", "<h1", "<meta", "<script")
_JSON_START = re.compile(r'[\[{]\s{0,256}["\[\]{}\d\-tfn]|"|-?\d|true|false|null')
_JSON_ALONE = re.compile(r'(?:"[^"\\]{0,256}"|true|false|null)\s{0,8}')


class Root(NamedTuple):
    """The first element of an XML document."""

    name: str
    """Without its prefix, as written."""
    tag: str
    """The whole start tag."""
    prolog: str
    """What stands before it: declaration, comments, document type."""


def recognise(sample: Sample, hint: str | None) -> Detection | None:
    """None when the bytes are not text."""
    text = decode(sample.head, cut=not sample.whole)
    if text is None:
        return None
    found = signature(text, hint)
    if hint is None or not FORMATS[hint].text:
        return Detection(found or _guess(text), confident=found is not None)
    return _weighed(text, found, hint)


def decode(head: bytes, *, cut: bool = False) -> str | None:
    """The text in these bytes, whatever its encoding; None when they are no text."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            body = head[len(bom) :]
            width = {"utf-8": 1}.get(encoding, int(encoding[4:6]) // 8)
            return (
                None
                if width == 1 and b"\x00" in body
                else body[: len(body) // width * width].decode(encoding, "replace")
            )
    if b"\x00" in head:
        return _wide(head)
    try:
        text = (head[:-4] if cut and len(head) > 4 else head).decode("utf-8")
    except UnicodeDecodeError as error:
        if not (cut and error.start >= len(head) - 8):
            text = head.decode("latin-1")
        else:
            text = head[: error.start].decode("utf-8")
    controls = len(head) - len(head.translate(None, _CONTROLS))
    return text if controls * 100 <= len(head) else None


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: Western text has a zero in every second byte."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    for mine, other, encoding in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if mine * 2.5 > len(head) / 2 and other * 50 <= len(head):
            try:
                text = head[: len(head) // 2 * 2].decode(encoding)
            except UnicodeDecodeError:
                continue
            return text if text.isprintable() or all(c.isprintable() or c in "\t\r\n\f" for c in text) else None
    return None


def signature(text: str, hint: str | None) -> str | None:
    """The kind that the content proves, or nearly so; None for text that could be many things."""
    start = text.lstrip("\ufeff \t\r\n")
    upper = start[:64].upper()
    for mark, format_id in _SIGNATURES:
        if upper.startswith(mark):
            return format_id
    if start.startswith("<"):
        return _tagged(start, hint)
    if start.startswith("[Script Info]"):
        return "ssa" if "[V4 Styles]" in text else "ass"
    if start.startswith("From ") and _has_mail_header(start.partition("\n")[2]):
        return "eml" if hint == "eml" else "mbox"
    if _has_mail_header(start):
        return _mail_kind(start, hint)
    if _is_json(start):
        return _json_kind(start)
    if start.startswith(("solid ", "solid\n")) and "facet" in text[:2000]:
        return "stl"
    if _DXF_SECTION.search(text[:4096]):
        return "dxf"
    if _CUE.search(text[:4096]) and hint != "vtt":
        return "srt"
    return None


_SIGNATURES = (
    ("WEBVTT", "vtt"),
    ("BEGIN:VCALENDAR", "ics"),
    ("BEGIN:VCARD", "vcf"),
    ("SCENARIST_SCC", "scc"),
    ("<SAMI", "smi"),
    ("\\DOCUMENTCLASS", "tex"),
    ("OFF\n", "off"),
    ("OFF\r\n", "off"),
)


def xml_root(text: str) -> Root | None:
    """The root element, past declaration, comments and document type; None when there is none in sight."""
    at = 0
    for _ in range(64):
        at = text.find("<", at)
        if at < 0:
            return None
        if text.startswith("<?", at):
            at = _after(text, "?>", at)
        elif text.startswith("<!--", at):
            at = _after(text, "-->", at)
        elif text.startswith("<!", at):
            inner, close = text.find("[", at), text.find(">", at)
            at = _after(text, "]>", at) if 0 <= inner < close else _after(text, ">", at)
        else:
            end = text.find(">", at)
            tag = text[at + 1 : end if end >= 0 else at + 4096]
            name = re.split(r"[\s/>]", tag[:256], maxsplit=1)[0]
            return Root(name.rpartition(":")[2], tag, text[:at]) if re.match(r"[A-Za-z_]", name) else None
        if at < 0:
            return None
    return None


def _after(text: str, mark: str, at: int) -> int:
    found = text.find(mark, at)
    return found + len(mark) if found >= 0 else -1


def _tagged(start: str, hint: str | None) -> str | None:
    lower = start[:4096].lower()
    if lower.startswith(("<!doctype html", "<html")):
        return "html"
    root = xml_root(start)
    if root is not None:
        known = _by_root(root, hint)
        if known is not None:
            return known
    if lower.startswith("<?xml"):
        return "xml" if root is not None else None
    if any(tag in lower for tag in _HTML_TAGS):
        return "html"
    return "xml" if root is not None and f"</{root.tag.split(maxsplit=1)[0]}" in start else None


def _by_root(root: Root, hint: str | None) -> str | None:
    name = root.name
    if name == "document" and "opendocument" in root.tag:
        kinds = (
            ("opendocument.text", "fodt"),
            ("opendocument.spreadsheet", "fods"),
            ("opendocument.presentation", "fodp"),
        )
        return next((fmt for mark, fmt in kinds if mark in root.tag), "xml")
    if name in _DOCBOOK_ROOTS and ("docbook" in (root.tag + root.prolog).lower() or hint == "docbook"):
        return "docbook"
    if name == "article" and (
        hint == "jats" or any(mark in root.tag + root.prolog for mark in ("JATS", "NLM", "article-type", "dtd-version"))
    ):
        return "jats"
    if name == "FeatureCollection":
        return "gml" if "gml" in root.tag or hint == "gml" else None
    if name.lower() == "html":
        return "html"
    return _ROOTS.get(name)


_ROOTS: Mapping[str, str] = {
    "svg": "svg",
    "FictionBook": "fb2",
    "tt": "ttml",
    "kml": "kml",
    "gpx": "gpx",
    "opml": "opml",
    "rss": "rss",
    "feed": "rss",
    "RDF": "xml",
}
_DOCBOOK_ROOTS = frozenset({"article", "book", "chapter", "section", "part", "refentry", "set"})


def _has_mail_header(text: str) -> bool:
    """Whether the first lines are headers of a message, at least two of them well-known."""
    known, lines = 0, text[:16384].split("\n", 40)
    for line in lines[:40]:
        stripped = line.rstrip("\r")
        if not stripped:
            break
        if stripped[0] in " \t":
            continue
        if not _HEADER.match(stripped):
            return False
        known += stripped.partition(":")[0].lower() in _MAIL_HEADERS
    return known >= 2


def _mail_kind(start: str, hint: str | None) -> str:
    headers = start[:16384].replace("\r\n", "\n").partition("\n\n")[0].lower()
    related = "multipart/related" in headers
    saved = "snapshot-content-location:" in headers or "from: <saved by" in headers or hint == "mhtml"
    return "mhtml" if related and saved else "eml"


def _is_json(start: str) -> bool:
    """A structure by its beginning; a lone word or number only when it is all there is."""
    if start[:1] in {"[", "{"}:
        return _JSON_START.match(start) is not None
    return bool(start) and _JSON_ALONE.fullmatch(start) is not None


def _json_kind(start: str) -> str:
    head = start[:65536]
    if re.search(r'"type"\s{0,64}:\s{0,64}"Topology"', head[:4096]):
        return "topojson"
    if re.search(r'"type"\s{0,64}:\s{0,64}"Feature(Collection)?"', head[:4096]):
        return "geojson"
    if '"cells"' in head and ('"cell_type"' in head or '"nbformat"' in head):
        return "ipynb"
    if re.search(r'"asset"\s{0,64}:\s{0,64}\{[^{}]{0,512}"version"', head):
        return "gltf"
    lines = [line for line in head.split("\n", 3)[:3] if line.strip()]
    if len(lines) > 1 and all(line.lstrip().startswith("{") and line.rstrip().endswith("}") for line in lines[:2]):
        return "ndjson"
    return "json"


def _weighed(text: str, found: str | None, hint: str) -> Detection:
    """The name says a kind of text: believe it if the content allows it."""
    if hint in _PROSE:
        return Detection(hint, confident=False)
    if hint in _TABLES:
        against = found == "html"  # what a server sends instead of the table when something went wrong
        return Detection(found if against else hint, confident=against)
    if hint == "html":
        foreign = found is not None and found not in _XML_KINDS and found != "html"
        return Detection(found if foreign else "html", confident=foreign or found == "html")
    if found is not None and (found == hint or not _could_be(hint, text, found)):
        return Detection(found)
    if _could_be(hint, text, found):
        return Detection(hint, confident=False)
    return Detection(hint, damaged=True, note=f"text, but not well-formed {FORMATS[hint].name}")


def _could_be(hint: str, text: str, found: str | None) -> bool:
    if hint in _JSON_KINDS and found in _JSON_KINDS:
        # A GeoJSON file is also JSON; the other way round the name would promise what is not there.
        return hint in {"json", "ndjson"} or found == "json"
    if hint in _XML_KINDS and found in _XML_KINDS:
        return found == "xml" and hint not in {"svg", "fb2", "ttml", "kml", "gpx"}
    if hint in _MAIL_KINDS and found in _MAIL_KINDS:
        return False
    if found in {"ass", "ssa"} and hint in {"ass", "ssa"}:
        return True
    check = _PLAUSIBLE.get(hint)
    return check is not None and check(text)


_PLAUSIBLE: Mapping[str, Callable[[str], bool]] = {
    "srt": lambda text: _CUE.search(text) is not None or not text.strip(),
    "sub": lambda text: _FRAME_CUE.search(text) is not None or "[SUBTITLE]" in text,
    "smi": lambda text: "<sync" in text.lower() or "<sami" in text.lower(),
    "obj": lambda text: _MESH_LINE.search(text) is not None,
    "dxf": lambda text: "SECTION" in text,
    "off": lambda text: "OFF" in text[:16],
    "eml": lambda text: _HEADER.match(text) is not None,
    "json": lambda text: text[:64].strip() == "" or _JSON_START.match(text.lstrip("\ufeff \t\r\n")) is not None,
    "ndjson": lambda text: _JSON_START.match(text.lstrip("\ufeff \t\r\n")) is not None,
    "xml": lambda text: text.lstrip().startswith("<"),
    "docbook": lambda text: text.lstrip().startswith("<"),
    "jats": lambda text: text.lstrip().startswith("<"),
}


def _guess(text: str) -> str:
    """Text without a name: a table when its first lines agree on it, else plain text."""
    lines = [line for line in text[:8192].splitlines()[:6] if line.strip()]
    for separator, format_id in (("\t", "tsv"), (",", "csv"), (";", "csv")):
        counts = {line.count(separator) for line in lines}
        if len(lines) >= 3 and len(counts) == 1 and counts.pop() >= 1 and not any(". " in line for line in lines):
            return format_id
    return "txt"
