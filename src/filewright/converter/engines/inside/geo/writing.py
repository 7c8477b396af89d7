"""Write layers. A target that holds several gets them all; any other gets them merged, so that no feature is lost."""

from __future__ import annotations

import json
import re
import struct
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import polars as pl
from pyogrio import raw, set_gdal_config_options

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.geo import reading, wkb
from filewright.converter.engines.inside.geo.layers import GEOMETRY, WGS84, Layer, merged
from filewright.converter.engines.inside.tables.values import simple

_DRIVERS = {"geojson": "GeoJSON", "gpkg": "GPKG", "gml": "GML", "fgb": "FlatGeobuf", "csv": "CSV", "kml": "LIBKML"}
_ALWAYS_WGS84 = {"geojson", "kml", "kmz", "gpx", "topojson"}
_LAYER_OPTIONS: dict[str, dict[str, str]] = {
    "GeoJSON": {"RFC7946": "YES", "COORDINATE_PRECISION": "9"},
    "CSV": {"GEOMETRY": "AS_WKT"},
    "FlatGeobuf": {"SPATIAL_INDEX": "NO"},
}
_POINTS, _LINES, _AREAS = (
    {wkb.POINT: "Point", wkb.MULTIPOINT: "MultiPoint"},
    {wkb.LINE: "LineString", wkb.MULTILINE: "MultiLineString"},
    {wkb.POLYGON: "Polygon", wkb.MULTIPOLYGON: "MultiPolygon"},
)
_SHAPEFILE_KINDS = {"points": {wkb.POINT}, "multipoints": {wkb.MULTIPOINT}, "lines": set(_LINES), "areas": set(_AREAS)}
_NAMES = {**_POINTS, **_LINES, **_AREAS, wkb.COLLECTION: "GeometryCollection"}
_DBF_NAME = 10
_MAX_LONGITUDE, _MAX_LATITUDE = 180.0, 90.0
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


# A polygon that crosses itself is written as it is, as everywhere else.
set_gdal_config_options({"LIBKML_STRICT_COMPLIANCE": False})


def write(layers: list[Layer], out: Path, target: str) -> None:
    """The file; `kmz` and `shp.zip` are archives around theirs."""
    if target in _ALWAYS_WGS84:
        layers = [_in_wgs84(layer) for layer in layers]
    if target in {"kml", "kmz", "gpx"} and any(layer.crs is None for layer in layers):
        raise Refusal("unsupported_conversion")
    if target == "gpkg":
        _write_all(layers, out, "GPKG")
    elif target in {"kml", "kmz"}:
        _write_kml(layers, out, target)
    elif target == "shp.zip":
        _write_shapefiles(layers, out)
    elif target == "geoparquet":
        _write_geoparquet(merged(layers), out)
    elif target == "gpx":
        _write_gpx(merged(layers), out)
    elif target == "svg":
        _write_svg(merged(layers), out)
    elif target == "fgb":
        _gdal(_without_measures(merged(layers)), out, _DRIVERS[target])
    else:
        _gdal(merged(layers), out, _DRIVERS[target])


def _without_measures(layer: Layer) -> Layer:
    """A FlatGeobuf takes nothing but the type that was announced, and no type with measures can be announced here."""
    kept = [geometry and wkb.without_measures(geometry) for geometry in layer.geometries]
    return replace(layer, frame=layer.frame.with_columns(pl.Series(GEOMETRY, kept, dtype=pl.Binary)))


def _write_all(layers: list[Layer], out: Path, driver: str) -> None:
    for place, layer in enumerate(_differently_named(layers)):
        _gdal(layer, out, driver, append=place > 0)


def _differently_named(layers: list[Layer]) -> list[Layer]:
    names: set[str] = set()
    renamed = []
    for layer in layers:
        base = re.sub(r"[\"'\x00-\x1f]", "_", layer.name)[:60] or "layer"
        name, number = base, 2
        while name.lower() in names:
            name, number = f"{base}_{number}", number + 1
        names.add(name.lower())
        renamed.append(replace(layer, name=name))
    return renamed


def _gdal(layer: Layer, out: Path, driver: str, *, append: bool = False) -> None:
    """One layer through GDAL, its attributes as arrays with masks, so that a null stays one and an integer too."""
    attributes = simple(layer.attributes)
    columns = [_array(column) for column in attributes.get_columns()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw.write(
            str(out),
            np.array(layer.geometries, dtype=object),
            [values for values, _ in columns],
            list(attributes.columns),
            field_mask=[mask for _, mask in columns],
            layer=layer.name,
            driver=driver,
            geometry_type=_geometry_type(layer, driver),
            crs=layer.crs,
            encoding="UTF-8",
            append=append,
            layer_options=_LAYER_OPTIONS.get(driver) if driver != "GeoJSON" or layer.crs else None,
        )


def _array(column: pl.Series) -> tuple[Any, Any]:
    """Values and which of them are null, in types that GDAL knows."""
    mask = column.is_null().to_numpy()
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.replace_time_zone(None).cast(pl.Datetime("ms")).to_numpy(), mask
    if isinstance(column.dtype, pl.Date):
        return column.to_numpy().astype("datetime64[D]"), mask
    if column.dtype == pl.Boolean:
        return column.fill_null(value=False).to_numpy().astype(bool), mask
    if column.dtype.is_integer():
        kind = pl.Int32 if column.dtype in {pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16} else pl.Int64
        return column.fill_null(0).cast(kind).to_numpy(), mask
    if column.dtype.is_float():
        return column.cast(pl.Float64).fill_null(float("nan")).to_numpy(), mask
    return np.array(column.cast(pl.String).to_list(), dtype=object), mask


def _geometry_type(layer: Layer, driver: str) -> str:
    """The one type of all geometries, with its height; a shapefile takes a type and its multiple for one."""
    kinds = {wkb.kind_of(geometry) for geometry in layer.geometries if geometry}
    if not kinds or (len(kinds) > 1 and driver != "ESRI Shapefile") or max(kinds) not in _NAMES:
        return "Unknown"
    return _NAMES[max(kinds)] + " Z" * any(wkb.has_z(geometry) for geometry in layer.geometries if geometry)


def _in_wgs84(layer: Layer) -> Layer:
    """Through GDAL's GeoJSON writer, which by its specification puts every layer into longitude and latitude.

    A layer that does not say where it lies is taken to be there already if it could be, and left alone if not.
    """
    if layer.crs is None:
        return replace(layer, crs=WGS84) if _is_on_earth(layer) else layer
    if layer.crs == WGS84:
        return layer
    between = Path("tmp/wgs84.geojson")
    between.unlink(missing_ok=True)
    _gdal(layer, between, "GeoJSON")
    [moved] = reading.layers_of(between, "geojson")
    frame = layer.attributes.with_columns(moved.frame[GEOMETRY])
    return Layer(layer.name, frame, WGS84)


def _is_on_earth(layer: Layer) -> bool:
    positions = (
        position
        for geometry in layer.geometries
        if geometry
        for shape in _drawable(geometry)
        for ring in shape.rings
        for position in ring
    )
    return all(abs(position[0]) <= _MAX_LONGITUDE and abs(position[1]) <= _MAX_LATITUDE for position in positions)


def _write_kml(layers: list[Layer], out: Path, target: str) -> None:
    document = out if target == "kml" else Path("tmp/out.kml")
    _write_all(layers, document, "LIBKML")
    if target == "kmz":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(document, "doc.kml")


def _write_shapefiles(layers: list[Layer], out: Path) -> None:
    """One shapefile for each layer and kind of shape, for a shapefile holds one kind only."""
    folder = Path("tmp/shapes")
    folder.mkdir()
    parts = [part for layer in layers for part in _by_kind(layer)]
    for layer in _differently_named(parts):
        name = re.sub(r"[^\w-]", "_", layer.name)
        _gdal(_with_short_titles(layer), folder / f"{name}.shp", "ESRI Shapefile")
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)


def _by_kind(layer: Layer) -> list[Layer]:
    kinds = [wkb.kind_of(geometry) if geometry else 0 for geometry in layer.geometries]
    present = {name: kinds_of for name, kinds_of in _SHAPEFILE_KINDS.items() if kinds_of & set(kinds)}
    if set(kinds) - {0} - {kind for kinds_of in present.values() for kind in kinds_of}:
        raise Refusal("unsupported_conversion")
    if len(present) <= 1:
        return [layer]
    parts = []
    for place, (name, wanted) in enumerate(present.items()):
        # Features without a geometry go with the first kind: a shapefile may hold them, and they are not to be lost.
        chosen = [kind in wanted or (kind == 0 and place == 0) for kind in kinds]
        parts.append(replace(layer, name=f"{layer.name}_{name}", frame=layer.frame.filter(pl.Series(chosen))))
    return parts


def _with_short_titles(layer: Layer) -> Layer:
    """Ten bytes is what a title may have in a shapefile; GDAL would cut too, but into clashes."""
    taken: set[str] = set()
    titles: dict[str, str] = {}
    for title in layer.attributes.columns:
        short, number = title.encode()[:_DBF_NAME].decode("utf-8", "ignore"), 1
        while short.lower() in taken:
            ending = f"_{number}"
            short, number = title.encode()[: _DBF_NAME - len(ending)].decode("utf-8", "ignore") + ending, number + 1
        taken.add(short.lower())
        titles[title] = short
    return replace(layer, frame=layer.frame.rename(titles))


def _write_geoparquet(layer: Layer, out: Path) -> None:
    """By GeoParquet 1.1: WKB, and metadata that says so."""
    kinds = sorted({wkb.kind_of(geometry) for geometry in layer.geometries if geometry})
    about: dict[str, Any] = {"encoding": "WKB", "geometry_types": [_NAMES[kind] for kind in kinds if kind in _NAMES]}
    if layer.crs is None:
        about["crs"] = None
    elif layer.crs != WGS84:
        authority, _, code = layer.crs.partition(":")
        known = authority.isalnum() and code.isdigit()
        about["crs"] = {"id": {"authority": authority, "code": int(code)}} if known else None
    metadata = {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: about}}
    layer.frame.write_parquet(out, compression="zstd", metadata={"geo": json.dumps(metadata)})


def _write_gpx(layer: Layer, out: Path) -> None:
    """Points as waypoints; lines and the rings of areas as tracks."""
    points, tracks = [], []
    names = _names_of(layer)
    for geometry, name in zip(layer.geometries, names, strict=True):
        parts = wkb.shapes(geometry) if geometry else []
        points += [_gpx_point("wpt", part.rings[0][0], name) for part in parts if part.kind == wkb.POINT]
        segments = [ring for part in parts if part.kind != wkb.POINT for ring in part.rings]
        if segments:
            inside = "".join(f"<trkseg>{''.join(_gpx_point('trkpt', p) for p in ring)}</trkseg>" for ring in segments)
            tracks.append(f"<trk>{_gpx_name(name)}{inside}</trk>\n")
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<gpx version="1.1" creator="Filewright" xmlns="http://www.topografix.com/GPX/1/1">\n'
    out.write_text(head + "".join(points) + "".join(tracks) + "</gpx>\n", encoding="utf-8")


def _names_of(layer: Layer) -> list[str]:
    title = next((title for title in layer.attributes.columns if title.lower() in {"name", "title", "label"}), None)
    if title is None:
        return [""] * layer.frame.height
    return [value or "" for value in layer.frame[title].cast(pl.String).to_list()]


def _gpx_point(tag: str, position: wkb.Position, name: str = "") -> str:
    elevation = f"<ele>{position[2]!r}</ele>" if len(position) > 2 else ""
    place = f"lat={quoteattr(repr(position[1]))} lon={quoteattr(repr(position[0]))}"
    return f"<{tag} {place}>{elevation}{_gpx_name(name)}</{tag}>\n"


def _gpx_name(name: str) -> str:
    return f"<name>{escape(_NOT_IN_XML.sub('', name))}</name>" if name else ""


_POINT_STROKES = 4
"""How much wider than a line a point is drawn, so that it is seen."""


def _write_svg(layer: Layer, out: Path) -> None:
    """A drawing of all shapes on white, upright, in a view box of their extent and an edge."""
    shapes = [shape for geometry in layer.geometries if geometry for shape in _drawable(geometry)]
    positions = [position for shape in shapes for ring in shape.rings for position in ring]
    if not positions:
        raise Refusal("unsupported_conversion")
    left, right = min(p[0] for p in positions), max(p[0] for p in positions)
    bottom, top = min(p[1] for p in positions), max(p[1] for p in positions)
    extent = max(right - left, top - bottom) or 1.0
    stroke = extent / 1000
    edge = 2 * _POINT_STROKES * stroke
    width, height = (right - left or extent) + 2 * edge, (top - bottom or extent) + 2 * edge
    scale = 1000 / max(width, height)
    body = "".join(_svg_shape(shape, left, top, stroke) for shape in shapes)
    out.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * scale:.0f}" height="{height * scale:.0f}" '
        f'viewBox="{-edge} {-edge} {width} {height}" fill="none" stroke="black" stroke-width="{stroke}">\n'
        f'<rect x="{-edge}" y="{-edge}" width="{width}" height="{height}" fill="white" stroke="none"/>\n{body}</svg>\n',
        encoding="utf-8",
    )


def _drawable(geometry: bytes) -> list[wkb.Shape]:
    try:
        return wkb.shapes(geometry)
    except (ValueError, struct.error):
        return []


def _svg_shape(shape: wkb.Shape, left: float, top: float, stroke: float) -> str:
    if shape.kind == wkb.POINT:
        x, y = shape.rings[0][0][:2]
        return f'<circle cx="{x - left:.6g}" cy="{top - y:.6g}" r="{_POINT_STROKES * stroke:.6g}" fill="black"/>\n'
    close = "Z" if shape.kind == wkb.POLYGON else ""
    paths = [
        "M" + "L".join(f"{p[0] - left:.6g} {top - p[1]:.6g}" for p in ring) + close for ring in shape.rings if ring
    ]
    return f'<path d="{"".join(paths)}"/>\n'
