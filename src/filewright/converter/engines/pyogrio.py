"""Maps and drawings of vectors, through GDAL.

Several layers stay several where the target holds them (GeoPackage, KML, shapefiles); elsewhere they become one, with
an attribute `layer`. GeoJSON, KML and GPX are longitude and latitude by definition, so layers are moved there.
"""

from __future__ import annotations

from filewright.converter.engines.library import LibraryEngine, every_pair
from filewright.converter.engines.port import Loss

_SOURCES = ("geojson", "topojson", "kml", "kmz", "gpkg", "shp.zip", "gpx", "gml", "fgb", "geoparquet")
_TARGETS = ("geojson", "kml", "kmz", "gpkg", "shp.zip", "gml", "fgb", "geoparquet")

PYOGRIO = LibraryEngine(
    name="gdal",
    packages=("pyogrio", "polars"),
    function="filewright.converter.engines.inside.geo.convert:convert",
    conversions=(
        *every_pair(_SOURCES, _TARGETS, cost=150, loss=Loss.SMALL),
        *every_pair(_SOURCES, ("gpx",), cost=150, loss=Loss.LARGE),
        # A map that becomes a page or a picture is drawn, and a table only where it becomes tables or texts.
        *every_pair(_SOURCES, ("svg",), cost=200, loss=Loss.SMALL),
        *every_pair(_SOURCES, ("csv",), cost=150, loss=Loss.LARGE),
        *every_pair(("dxf",), ("geojson", "gpkg", "shp.zip"), cost=200, loss=Loss.LARGE),
        *every_pair(("dxf",), ("svg",), cost=2_000, loss=Loss.LARGE),
    ),
    warm=("filewright.converter.engines.inside.geo.convert",),
)
