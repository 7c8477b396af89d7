"""Read layers. GDAL chooses its driver by content, and some of its drivers follow what the content names: so the
driver that it chose must be one that the detected format allows, and archives are unpacked by us, not by GDAL.
"""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pyogrio
from pyogrio.errors import CRSError, DataLayerError, DataSourceError, FieldError, GeometryError

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.archives.bounds import Meter
from filewright.converter.engines.inside.archives.member import CHUNK
from filewright.converter.engines.inside.archives.unpack import DAMAGE, members
from filewright.converter.engines.inside.geo.layers import GEOMETRY, WGS84, Layer
from filewright.converter.engines.inside.refusals import refusing
from filewright.converter.engines.inside.tables.columnar import read_parquet

GDAL_ERRORS = (DataSourceError, DataLayerError, FieldError, GeometryError, CRSError, RuntimeError, ValueError)
_DRIVERS = {
    "geojson": {"GeoJSON", "GeoJSONSeq"},
    "topojson": {"TopoJSON"},
    "kml": {"LIBKML", "KML"},
    "kmz": {"LIBKML", "KML"},
    "gpkg": {"GPKG"},
    "shp.zip": {"ESRI Shapefile"},
    "gpx": {"GPX"},
    "gml": {"GML"},
    "fgb": {"FlatGeobuf"},
    "dxf": {"DXF"},
}
_SHAPEFILE_PARTS = {"shp", "shx", "dbf", "prj", "cpg"}
_INDIRECT = re.compile(rb"<OGRVRTDataSource|<VRTDataset|<GDALTileIndexDataset|<OGRVRTLayer|xlink:href=[\"'](?!#)|/vsi")
_GEOMETRY_NAMES = ("geometry", "geom", "wkb_geometry", "geography", "wkb", "shape", "the_geom")
_ENTITY = re.compile(rb"<!ENTITY", re.IGNORECASE)
_XML = {"kml", "gpx", "gml"}


def read(source: Path, source_format: str, meter: Meter) -> list[Layer]:
    """All layers that have features; the first one when none has."""
    with (
        refusing("corrupt_input", pl.exceptions.PolarsError, *DAMAGE, *GDAL_ERRORS),
        refusing("unsupported_format", GeometryError),
    ):
        if source_format == "geoparquet":
            return [_read_geoparquet(source)]
        if source_format == "shp.zip":
            paths = _shapefiles(source, meter)
        else:
            paths = [_kml(source, meter) if source_format == "kmz" else source]
        layers = [layer for path in paths for layer in layers_of(path, source_format)]
        if not layers:
            raise Refusal("corrupt_input")
        return [layer for layer in layers if layer.frame.height] or layers[:1]


def layers_of(path: Path, source_format: str) -> list[Layer]:
    """Every layer that GDAL sees in one file, empty ones too."""
    _refuse_indirection(path, source_format)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = [str(name) for name, _ in pyogrio.list_layers(path)]
        return [_layer(path, name, source_format) for name in names if not _is_part_of_others(name, source_format)]


def _is_part_of_others(name: str, source_format: str) -> bool:
    """The points that tracks and routes are made of are a layer of their own to GDAL."""
    return source_format == "gpx" and name in {"track_points", "route_points"}


def _refuse_indirection(path: Path, source_format: str) -> None:
    """A file that sends GDAL to other files, whatever it is named."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if source_format not in {"gpkg", "fgb", "shp.zip"} and _INDIRECT.search(head):
        raise Refusal("corrupt_input")
    if source_format in _XML | {"kmz"} and _ENTITY.search(head):
        raise Refusal("corrupt_input")


def _layer(path: Path, name: str, source_format: str) -> Layer:
    info = pyogrio.read_info(path, layer=name)
    if info["driver"] not in _DRIVERS[source_format]:
        raise Refusal("corrupt_input")
    with pyogrio.open_arrow(path, layer=name, use_pyarrow=False) as (meta, stream):
        frame = pl.DataFrame(stream)
    column = meta["geometry_name"] or "wkb_geometry"
    geometry = (
        frame[column].ext.storage() if column in frame.columns else pl.Series([None] * frame.height, dtype=pl.Binary)
    )
    attributes = frame.drop(column, strict=False)
    titles = {title: f"{title}_" for title in attributes.columns if title == GEOMETRY}
    crs = meta["crs"] or (WGS84 if source_format in {"geojson", "topojson", "kml", "kmz", "gpx"} else None)
    return Layer(name, attributes.rename(titles).with_columns(geometry.alias(GEOMETRY)), crs)


def _shapefiles(source: Path, meter: Meter) -> list[Path]:
    """The parts of each shapefile in the archive, under names of ours that keep what the layer is called."""
    stems: dict[str, Path] = {}
    for member in meter.members(members(source, "zip", meter, None)):
        stem, _, ending = member.name.rpartition(".")
        ending = "cpg" if ending.lower() == "cst" else ending.lower()
        if member.content is None or ending not in _SHAPEFILE_PARTS or stem.startswith("__MACOSX"):
            continue
        if stem.lower() not in stems:
            folder = Path("tmp") / f"shape-{len(stems):04}"
            folder.mkdir()
            stems[stem.lower()] = folder / (
                re.sub(r"[^\w-]", "_", stem.replace("\\", "/").rpartition("/")[2])[:60] or "layer"
            )
        with stems[stem.lower()].with_suffix(f".{ending}").open("wb") as file:
            while chunk := member.content.read(CHUNK):
                file.write(chunk)
    found = [path.with_suffix(".shp") for path in stems.values()]
    paths = [path for path in found if path.exists()]
    if not paths:
        raise Refusal("corrupt_input")
    return paths


def _kml(source: Path, meter: Meter) -> Path:
    """The document of the archive: the first KML file, by rights `doc.kml`."""
    out = Path("tmp/doc.kml")
    for member in meter.members(members(source, "zip", meter, None)):
        if member.content is not None and member.name.lower().endswith(".kml"):
            with out.open("wb") as file:
                while chunk := member.content.read(CHUNK):
                    file.write(chunk)
            return out
    raise Refusal("corrupt_input")


def _read_geoparquet(source: Path) -> Layer:
    """A Parquet file with a column of WKB, named in its metadata or, without any, by custom."""
    frame, geometries = read_parquet(source)
    metadata: dict[str, Any] = {} if geometries else json.loads(pl.read_parquet_metadata(source).get("geo", "{}"))
    named = (name for name in frame.columns if name.lower() in _GEOMETRY_NAMES)
    column = metadata.get("primary_column") or next(iter(geometries), None) or next(named, None)
    if column not in frame.columns:
        raise Refusal("unsupported_format")
    about = metadata.get("columns", {}).get(column, {})
    geometry = frame[column]
    if isinstance(geometry.dtype, pl.BaseExtension):
        geometry = geometry.ext.storage()
    if geometry.dtype != pl.Binary or about.get("encoding", "WKB") != "WKB":
        raise Refusal("unsupported_format")
    attributes = frame.drop(column)
    return Layer("layer", attributes.with_columns(geometry.alias(GEOMETRY)), _crs(about))


def _crs(about: dict[str, Any]) -> str | None:
    """PROJJSON as GDAL takes it; by the specification, none given means longitude and latitude on WGS 84."""
    if "crs" in about and about["crs"] is None:
        return None
    given = about.get("crs")
    if isinstance(given, dict):
        identity = given.get("id", {})
        if identity.get("authority") == "OGC":
            return WGS84
        return f"{identity['authority']}:{identity['code']}" if "code" in identity else json.dumps(given)
    return WGS84
