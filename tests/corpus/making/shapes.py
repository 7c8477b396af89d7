"""Maps, models and plans."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path

from corpus.making.tools import Maker, run, sample


def by_ogr(driver: str) -> Maker:
    return lambda path: run("ogr2ogr", "-f", driver, path, sample("geo/places.geojson", path), "-nln", "places")


def kmz(path: Path) -> None:
    plain = path.with_suffix(".inner.kml")
    by_ogr("KML")(plain)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.write(plain, "doc.kml")


def shapefile(path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        run("ogr2ogr", "-f", "ESRI Shapefile", f"{folder}/places.shp", sample("geo/places.geojson", path))
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
            for part in sorted(Path(folder).iterdir()):
                package.write(part, part.name)


def topojson(path: Path) -> None:
    places = (("Genève", [6.14, 46.2]), ("Łódź", [19.46, 51.76]), ("Kyiv", [30.52, 50.45]))
    points = [{"type": "Point", "properties": {"name": name}, "coordinates": place} for name, place in places]
    topology = {
        "type": "Topology",
        "arcs": [],
        "objects": {"places": {"type": "GeometryCollection", "geometries": points}},
    }
    path.write_text(json.dumps(topology), encoding="utf-8")


_CORNERS = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
_FACES = ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))


def _rows(rows: tuple[tuple[int, ...], ...], lead: str = "") -> str:
    return "".join(lead + " ".join(map(str, row)) + "\n" for row in rows)


def ply(path: Path) -> None:
    path.write_text(
        "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
        "element face 4\nproperty list uchar int vertex_indices\nend_header\n" + _rows(_CORNERS) + _rows(_FACES, "3 ")
    )


def off(path: Path) -> None:
    path.write_text("OFF\n4 4 0\n" + _rows(_CORNERS) + _rows(_FACES, "3 "))


def dxf(path: Path) -> None:
    import ezdxf

    drawing = ezdxf.new()
    space = drawing.modelspace()
    space.add_lwpolyline([(0, 0), (120, 0), (120, 80), (0, 80)], close=True)
    space.add_circle((60, 40), 30)
    space.add_point((60, 40))
    drawing.saveas(path)
