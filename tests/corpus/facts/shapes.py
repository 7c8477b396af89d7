"""Facts about maps, meshes, drawings, fonts and subtitles."""

from __future__ import annotations

import json
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpus.facts.delivery import Delivery, run
from corpus.facts.reading import xml_root

Facts = Mapping[str, Any]
_MAPS = frozenset({"geojson", "gpkg", "kml", "kmz", "gml", "fgb", "shp.zip", "gpx"})
_MANY_LAYERS = frozenset({"gpkg"})
_SEVERAL_POINTS = frozenset({"geojson", "gpkg", "gml", "fgb"})


def layers(counts: Mapping[str, int], delivery: Delivery, facts: Facts) -> str | None:
    """Every feature of every layer arrives; layers without any may go, and a map of one layer holds them all."""
    if delivery.target not in _MAPS - {"gpx"}:
        return None
    found = [count for product in delivery.products for count in _features(product, delivery.target)]
    wanted = sum(counts.values())
    return "" if sum(found) == wanted else f"{sum(found)} features, not {wanted}"


def extent(text: str, delivery: Delivery, facts: Facts) -> str | None:
    """The first layer reaches as far, where layers stay apart or there is one."""
    if delivery.target not in _SEVERAL_POINTS or (
        len(facts.get("layers", {})) > 1 and delivery.target not in _MANY_LAYERS
    ):
        return None
    wanted = [float(number) for number in re.findall(r"-?\d+\.\d+", text)]
    said = re.search(r"Extent: \((.*)\)", run("ogrinfo", "-ro", "-so", "-al", _source(delivery.first, delivery.target)))
    found = [float(number) for number in re.findall(r"-?\d+\.\d+", said[1])] if said else []
    near = len(found) == 4 and all(abs(a - b) < 1e-4 for a, b in zip(found, wanted, strict=True))
    return "" if near else f"extent {found}, not {wanted}"


def triangles(count: int, delivery: Delivery, facts: Facts) -> str | None:
    """As many triangles, counted by reading the file itself."""
    counter = _TRIANGLES.get(delivery.target)
    if counter is None:
        return None
    found = counter(delivery.first)
    return "" if found == count else f"{found} triangles, not {count}"


def triangles_of(path: Path, target: str) -> int:
    """How many a model holds."""
    return _TRIANGLES[target](path)


def family(name: str, delivery: Delivery, facts: Facts) -> str | None:
    """The family name, by fontconfig."""
    if delivery.target not in _FONTS:
        return None
    found = run("fc-scan", "--format", "%{family}\n", delivery.first)
    return "" if name in found else f"family {found.strip()!r}, not {name!r}"


def glyphs(count: int, delivery: Delivery, facts: Facts) -> str | None:
    """As many glyphs."""
    if delivery.target not in _FONTS:
        return None
    from fontTools.ttLib import TTFont

    with TTFont(delivery.first, lazy=True) as font:
        found = font["maxp"].numGlyphs
    return "" if found == count else f"{found} glyphs, not {count}"


def axes(wanted: list[str], delivery: Delivery, facts: Facts) -> str | None:
    """The axes of a variable font, where outlines stay as they are."""
    if delivery.target not in {"woff", "woff2", "ttf"}:
        return None
    from fontTools.ttLib import TTFont

    with TTFont(delivery.first, lazy=True) as font:
        found = [axis.axisTag for axis in font["fvar"].axes] if "fvar" in font else []
    return "" if found == wanted else f"axes {found}, not {wanted}"


def cues(count: int, delivery: Delivery, facts: Facts) -> str | None:
    """As many cues, counted by pattern."""
    pattern = _CUES.get(delivery.target)
    if pattern is None:
        return None
    found = len(re.findall(pattern, delivery.first.read_bytes(), re.MULTILINE | re.IGNORECASE))
    return "" if found == count else f"{found} cues, not {count}"


def some_cues(count: int, delivery: Delivery, facts: Facts) -> str | None:
    """Captions of television: lines of code, of which several may make one cue; at least one arrives."""
    pattern = _CUES.get(delivery.target)
    if pattern is None:
        return None
    found = len(re.findall(pattern, delivery.first.read_bytes(), re.MULTILINE | re.IGNORECASE))
    return "" if 0 < found <= count else f"{found} cues of {count} blocks"


def _features(path: Path, target: str) -> list[int]:
    return [
        int(count)
        for count in re.findall(r"Feature Count: (\d+)", run("ogrinfo", "-ro", "-so", "-al", _source(path, target)))
    ]


def _source(path: Path, target: str) -> str:
    return f"/vsizip/{path}" if target == "shp.zip" else str(path)


def _stl(path: Path) -> int:
    data = path.read_bytes()
    return struct.unpack_from("<I", data, 80)[0] if not data.startswith(b"solid") else data.count(b"facet normal")


def _obj(path: Path) -> int:
    faces = re.findall(rb"^f (.+)$", path.read_bytes(), re.MULTILINE)
    return sum(len(face.split()) - 2 for face in faces)


def _ply(path: Path) -> int:
    return int(re.search(rb"element face (\d+)", path.read_bytes())[1])


def _off(path: Path) -> int:
    numbers = [part for line in path.read_text().splitlines() if not line.startswith("#") for part in line.split()]
    return int(numbers[2])


def _glb(path: Path) -> int:
    data = path.read_bytes()
    return _gltf_triangles(json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]]))


def _gltf(path: Path) -> int:
    return _gltf_triangles(json.loads(path.read_text()))


def _gltf_triangles(scene: Mapping[str, Any]) -> int:
    parts = [part for mesh in scene["meshes"] for part in mesh["primitives"]]
    return sum(scene["accessors"][part["indices"]]["count"] // 3 for part in parts)


def _3mf(path: Path) -> int:
    with zipfile.ZipFile(path) as package:
        models = [name for name in package.namelist() if name.endswith(".model")]
        return sum(len(xml_root(package.read(name)).findall(".//{*}triangle")) for name in models)


_TRIANGLES = {"stl": _stl, "obj": _obj, "ply": _ply, "off": _off, "glb": _glb, "gltf": _gltf, "3mf": _3mf}
_FONTS = frozenset({"ttf", "otf", "woff", "woff2"})
_CUES = {
    "srt": rb"-->",
    "vtt": rb"-->",
    "ass": rb"^Dialogue:",
    "ssa": rb"^Dialogue:",
    "ttml": rb"<(?:\w+:)?p[\s>]",
    "sub": rb"^\{\d+\}\{\d+\}(?!\d+(?:\.\d+)?\s*$)",
}
