"""What a format also is: every GeoJSON file is JSON, every SVG is XML, so what can be done with those can be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_ALSO: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("geojson", "topojson", "ipynb", "gltf"), ("json",)),
    **dict.fromkeys(("kml", "gpx", "gml", "rss", "opml", "docbook", "jats", "fb2", "ttml"), ("xml",)),
    "geoparquet": ("parquet",),
    "gpkg": ("sqlite",),
    "shp.zip": ("zip",),
    "kmz": ("zip",),
}


def also(format_id: str) -> Sequence[str]:
    """The more general formats that every file of this format is, too."""
    return _ALSO.get(format_id, ())
