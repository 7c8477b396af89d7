# ruff: noqa: E501 - a payload reads best in one piece
"""Books, subtitles, maps, fonts, meshes: the small families (recipes 17 and 19)."""

from __future__ import annotations

import json
import struct

from makers.attack import ANY, BAD, EITHER, Attack, Bait, Twin
from makers.packages import XML, deflated_zeros, epub, zipped


def _epub(bait: Bait) -> bytes:
    images = "".join(
        f'<img src="{link}" alt="x"/><iframe src="{link}"></iframe><object data="{link}"></object>'
        for link in bait.links
    )
    style = f'<link rel="stylesheet" href="{bait.url}/s.css"/><style>@import "file://{bait.file}";</style>'
    return epub(images, style=style, more={f"../../{bait.pwned_name}": "evil"})


def _epub_spine(bait: Bait) -> bytes:
    return epub("", spine="../../../canary.txt", more={"META-INF/encryption.xml": "<encryption/>"})


def _kml(bait: Bait) -> str:
    links = "".join(
        f"<NetworkLink><Link><href>{link}</href></Link></NetworkLink><GroundOverlay><Icon><href>{link}</href></Icon></GroundOverlay>"
        for link in bait.links
    )
    point = "<Placemark><name>Harmless</name><Point><coordinates>1,2</coordinates></Point></Placemark>"
    return f'{XML}<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{links}{point}</Document></kml>'


def _kmz(bait: Bait) -> bytes:
    return zipped({"doc.kml": _kml(bait), f"../../{bait.pwned_name}": "evil", str(bait.pwned): "evil"})


def _vrt(bait: Bait) -> bytes:
    layers = "".join(
        f'<OGRVRTLayer name="l{n}"><SrcDataSource>{source}</SrcDataSource></OGRVRTLayer>'
        for n, source in enumerate(
            (
                str(bait.planted.paths["table"]),
                f"/vsicurl/{bait.url}/x.csv",
                f"CSV:{bait.file}",
                f"/vsistdin/{bait.file}",
            )
        )
    )
    return f"<OGRVRTDataSource>{layers}</OGRVRTDataSource>".encode()


def _gml(bait: Bait) -> bytes:
    return (
        f'{XML}<f:FeatureCollection xmlns:f="http://ogr.maptools.org/" xmlns:gml="http://www.opengis.net/gml" xmlns:xlink="http://www.w3.org/'
        f'1999/xlink" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://x {bait.url}/s.xsd"><gml:featureMember>'
        f'<f:a><f:g xlink:href="{bait.url}/g#1"/><f:g><gml:Point><gml:coordinates>1,2</gml:coordinates></gml:Point></f:g><f:n>Harmless</f:n>'
        f"</f:a></gml:featureMember></f:FeatureCollection>"
    ).encode()


def _geojson(bait: Bait) -> bytes:
    return json.dumps({"type": "FeatureCollection", "crs": {"type": "link", "properties": {"href": f"{bait.url}/crs", "type": "proj4"}}, "features": [
        {"type": "Feature", "properties": {"n": "Harmless", "f": f"file://{bait.file}"}, "geometry": {"type": "Point", "coordinates": [1, 2]}}]}
    ).encode()  # fmt: skip


def _ass(bait: Bait) -> bytes:
    line = "Dialogue: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,{\\fn" + bait.file + "\\p1}Harmless\n"
    return (f"[Script Info]\nScriptType: v4.00+\nAudio File: {bait.file}\nVideo File: {bait.url}/v\n\n[Fonts]\nfontname: ../../{bait.pwned_name}\n\n"
            f"[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n" + line * 20_000).encode()  # fmt: skip


def _obj(bait: Bait) -> bytes:
    return (
        f"mtllib {bait.file}\nmtllib ../../../canary.txt\nmtllib {bait.url}/m.mtl\nusemtl x\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
    ).encode()


def _gltf(bait: Bait) -> bytes:
    return json.dumps({
        "asset": {"version": "2.0"}, "scenes": [{"nodes": [0]}], "scene": 0, "nodes": [{"mesh": 0, "children": [0]}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "buffers": [{"uri": f"file://{bait.file}", "byteLength": 36}, {"uri": "../../../canary.txt", "byteLength": 36}, {"uri": f"{bait.url}/b",
                    "byteLength": 36}], "images": [{"uri": f"{bait.url}/i.png"}, {"uri": bait.file}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}]}).encode()  # fmt: skip


def _woff2(claims: int) -> bytes:
    return (
        b"wOF2\0\1\0\0"
        + struct.pack(">IHHIIHHIIIII", 200, 1, 0, claims, 100, 1, 0, 0, 0, 0, 0, 0)
        + b"\x0a\xff\xff\xff\x7f"
        + b"\x1b" * 147
    )


def _woff(claims: int) -> bytes:
    body = deflated_zeros(256 << 20)
    size = 44 + 20 + len(body)
    size += -size % 4
    head = b"wOFF\0\1\0\0" + struct.pack(">IHHIHHIIIII", size, 1, 0, claims, 1, 0, 0, 0, 0, 0, 0)
    return (head + b"glyf" + struct.pack(">IIII", 64, len(body), claims, 0) + body).ljust(size, b"\0")


def _stl(bait: Bait) -> bytes:
    return b"x" * 80 + struct.pack("<I", 0xFFFFFFFF) + b"\0" * 50


ATTACKS = (
    Attack("epub-links", "a.epub", _epub, ("html", "pdf", "docx"), ("B10", "B23", "B26"), EITHER),
    Attack("epub-spine", "a.epub", _epub_spine, ("html", "pdf"), ("B9",), EITHER),
    Attack("kml-links", "a.kml", lambda bait: _kml(bait).encode(), ("geojson", "svg"), ("B23",)),
    Attack("kmz-names", "a.kmz", _kmz, ("geojson",), ("B26",), EITHER),
    Attack("vrt-named-gml", "a.gml", _vrt, ("geojson",), ("B9", "B19"), BAD | {"unsupported_conversion"}),
    Attack("vrt-said-to-be-gpx", "a.gpx", _vrt, ("geojson",), ("B9", "B19"), BAD, "gpx"),
    Attack("gml-links", "a.gml", _gml, ("geojson", "gpkg"), ("B23",), EITHER),
    Attack("geojson-links", "a.geojson", _geojson, ("gpkg", "kml"), ("B23",), EITHER),
    Attack("ass-fonts", "a.ass", _ass, ("srt", "vtt"), ("B31",), ANY),
    Attack("obj-materials", "a.obj", _obj, ("stl", "glb"), ("B9",), EITHER),
    Attack("gltf-buffers", "a.gltf", _gltf, ("stl", "obj"), ("B9", "B10"), EITHER),
    Attack("stl-of-four-thousand-million-triangles", "a.stl", _stl, ("obj",), ("B31",), ANY),
    Attack("woff2-of-two-gigabytes", "a.woff2", lambda _: _woff2(0x7FFFFFFF), ("ttf",), ("B35",), ANY),
    Attack("woff-bomb", "a.woff", lambda _: _woff(0x7FFFFFFF), ("ttf",), ("B35",), ANY),
    Attack("srt-long-lines", "a.srt", lambda _: b"1\n00:00:00,000 --> 00:00:01,000\n" + b"<i>" * 200_000 + b"{\\an" * 100_000 + b"\n", ("vtt", "ass"),
           ("B31",), ANY),
)  # fmt: skip

TWINS = (
    Twin("epub with a picture inside", "a.epub", lambda: epub('<p><img src="data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAAC'
         'klEQVR4nGOoAgAAggCBd81yTgAAAABJRU5ErkJggg==" alt="x"/></p>'), "html", "Harmless", ("B10",)),
    Twin("obj without materials", "a.obj", lambda: b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "stl", "", ("B9",)),
)  # fmt: skip
