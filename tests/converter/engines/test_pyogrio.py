from __future__ import annotations

import csv
import io
import json
import sqlite3
import subprocess
import zipfile
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest

from filewright.converter.engines.pyogrio import PYOGRIO
from filewright.converter.errors import ArchiveBomb, ConversionError, CorruptInput, InputError, UnsupportedConversion


def feature(name: str, n: int | None, x: float | None, kind: str, coordinates: object) -> dict:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "properties": {"name": name, "n": n, "x": x}, "geometry": geometry}


FEATURES = [
    feature("Oslo", 9007199254740993, None, "Point", [10.75, 59.91]),
    feature("Å<", None, 1.5, "LineString", [[0, 0, 5], [1, 1, 6]]),
    feature("sq", 3, 2.5, "Polygon", [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]),
]
VIRTUAL_LAYER = b'<OGRVRTLayer name="a"><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer>'
VIRTUAL = b"<OGRVRTDataSource>" + VIRTUAL_LAYER + b"</OGRVRTDataSource>"
ENTITY = (
    b'<?xml version="1.0"?><!DOCTYPE g [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b'<gpx version="1.1" creator="x"><wpt lat="1" lon="2"><name>&x;</name></wpt></gpx>'
)
PLACEMARK = b"<Placemark><name>p</name><Point><coordinates>1,2</coordinates></Point></Placemark>"
PLACES = json.dumps({"type": "FeatureCollection", "features": FEATURES}).encode()


def geojson(product: Path) -> list[dict]:
    return json.loads(product.read_bytes())["features"]


def kml_placemarks(text: bytes) -> list[str]:
    return [
        mark.findtext("{*}name")
        for mark in ElementTree.fromstring(text).iter("{http://www.opengis.net/kml/2.2}Placemark")
    ]


@pytest.mark.parametrize("middle", ["gpkg", "kml", "kmz", "geoparquet"])
async def test_features_survive_the_way_there_and_back(convert, middle):
    [there] = await convert(PYOGRIO, PLACES, "geojson", middle)
    [back] = await convert(PYOGRIO, there, middle, "geojson")
    features = geojson(back)
    assert [feature["geometry"]["type"] for feature in features] == ["Point", "LineString", "Polygon"]
    assert features[0]["geometry"]["coordinates"][:2] == [10.75, 59.91]
    assert features[1]["geometry"]["coordinates"] == [[0, 0, 5], [1, 1, 6]]
    names = [feature["properties"].get("name") or feature["properties"].get("Name") for feature in features]
    assert names == ["Oslo", "Å<", "sq"]


@pytest.mark.parametrize("middle", ["fgb", "gml", "shp.zip", "gpkg"])
async def test_heights_are_kept(convert, middle):
    source = json.dumps({"type": "FeatureCollection", "features": [FEATURES[1]]}).encode()
    [there] = await convert(PYOGRIO, source, "geojson", middle)
    [back] = await convert(PYOGRIO, there, middle, "geojson")
    assert geojson(back)[0]["geometry"]["coordinates"] == [[0, 0, 5], [1, 1, 6]]


@pytest.mark.parametrize("middle", ["gpkg", "fgb", "geoparquet"])
async def test_a_large_integer_beside_a_null_stays_exact(convert, middle):
    [there] = await convert(PYOGRIO, PLACES, "geojson", middle)
    [back] = await convert(PYOGRIO, there, middle, "geojson")
    assert [feature["properties"]["n"] for feature in geojson(back)] == [9007199254740993, None, 3]


async def test_a_geopackage_is_a_database_with_the_rows(convert):
    [product] = await convert(PYOGRIO, PLACES, "geojson", "gpkg")
    with sqlite3.connect(product) as database:
        [table] = database.execute("SELECT table_name FROM gpkg_contents").fetchone()
        assert database.execute(f'SELECT count(*) FROM "{table}"').fetchone() == (3,)
    database.close()


async def test_shapes_of_three_kinds_become_three_shapefiles(convert):
    [product] = await convert(PYOGRIO, PLACES, "geojson", "shp.zip")
    with zipfile.ZipFile(product) as archive:
        names = archive.namelist()
    assert len([name for name in names if name.endswith(".shp")]) == 3
    [back] = await convert(PYOGRIO, product, "shp.zip", "geojson")
    assert sorted(feature["properties"]["name"] for feature in geojson(back)) == ["Oslo", "sq", "Å<"]


async def test_metres_become_longitude_and_latitude(convert):
    collection = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}},
        "features": [{"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [500_000, 0]}}],
    }
    [there] = await convert(PYOGRIO, json.dumps(collection).encode(), "geojson", "gpkg")
    for target in ("geojson", "kml"):
        [product] = await convert(PYOGRIO, there, "gpkg", target)
        if target == "geojson":
            assert geojson(product)[0]["geometry"]["coordinates"] == pytest.approx([3, 0], abs=1e-6)
        else:
            [position] = ElementTree.parse(product).iter("{http://www.opengis.net/kml/2.2}coordinates")
            assert [float(part) for part in position.text.split(",")[:2]] == pytest.approx([3, 0], abs=1e-6)


async def test_csv_has_attributes_and_well_known_text(convert):
    [product] = await convert(PYOGRIO, PLACES, "geojson", "csv")
    rows = list(csv.DictReader(io.StringIO(product.read_text(encoding="utf-8"))))
    assert (rows[0]["WKT"], rows[0]["name"], rows[0]["n"]) == ("POINT (10.75 59.91)", "Oslo", "9007199254740993")
    assert rows[1]["WKT"].startswith("LINESTRING Z (0 0 5")


async def test_gpx_has_waypoints_and_tracks(convert):
    [product] = await convert(PYOGRIO, PLACES, "geojson", "gpx")
    root = ElementTree.parse(product).getroot()
    assert len(root.findall("{*}wpt")) == 1
    assert [track.findtext("{*}name") for track in root.findall("{*}trk")] == ["Å<", "sq"]
    assert root.findtext("{*}trk/{*}trkseg/{*}trkpt/{*}ele") == "5.0"


async def test_geoparquet_is_parquet_that_says_where_its_geometry_is(convert):
    [product] = await convert(PYOGRIO, PLACES, "geojson", "geoparquet")
    about = json.loads(pl.read_parquet_metadata(product)["geo"])
    assert about["primary_column"] == "geometry"
    assert about["columns"]["geometry"]["geometry_types"] == ["Point", "LineString", "Polygon"]
    assert pl.read_parquet(product)["name"].to_list() == ["Oslo", "Å<", "sq"]


async def test_a_map_becomes_a_drawing(convert):
    [product] = await convert(PYOGRIO, PLACES, "geojson", "svg")
    root = ElementTree.parse(product).getroot()
    assert len(root.findall("{*}path")) == 2
    assert len(root.findall("{*}circle")) == 1


async def test_coordinates_that_lie_nowhere_on_earth_stay_as_they_are_or_are_refused(convert):
    drawing = b"0\nSECTION\n2\nENTITIES\n0\nLINE\n8\nwalls\n10\n0\n20\n0\n11\n5000\n21\n5000\n0\nENDSEC\n0\nEOF\n"
    [product] = await convert(PYOGRIO, drawing, "dxf", "geojson")
    assert geojson(product)[0]["geometry"]["coordinates"] == [[0, 0], [5000, 5000]]
    [there] = await convert(PYOGRIO, drawing, "dxf", "gpkg")
    with pytest.raises(UnsupportedConversion):
        await convert(PYOGRIO, there, "gpkg", "kml")


@pytest.mark.requirement("B22", "B31")
@pytest.mark.parametrize(
    ("source", "source_format"),
    [
        (VIRTUAL, "geojson"),
        (VIRTUAL, "kml"),
        (ENTITY, "gpx"),
        (b"name,lon,lat\nx,1,2\n", "geojson"),
        (b'{"type": "FeatureCollection", "features": [', "geojson"),
        (b"SQLite format 3\0" + b"\xff" * 4000, "gpkg"),
        (b"fgb\x03fgb\x00" + b"\xff" * 100, "fgb"),
        (b"PAR1" + b"\xff" * 50 + b"PAR1", "geoparquet"),
        (b"PK\x03\x04nothing", "kmz"),
    ],
)  # fmt: skip
async def test_what_is_damaged_or_names_other_files_is_refused(convert, source, source_format):
    with pytest.raises(CorruptInput):
        await convert(PYOGRIO, source, source_format, "csv")


@pytest.mark.requirement("B26")
async def test_members_of_a_zipped_map_with_hostile_names_are_read_without_leaving_the_folder(convert):
    kml = b'<kml xmlns="http://www.opengis.net/kml/2.2">' + PLACEMARK + b"</kml>"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../../doc.kml", kml)
    [product] = await convert(PYOGRIO, file.getvalue(), "kmz", "geojson")
    assert geojson(product)[0]["geometry"]["coordinates"][:2] == [1, 2]


async def test_a_link_to_the_network_is_not_followed(convert):
    kml = (
        b'<kml xmlns="http://www.opengis.net/kml/2.2"><Document><NetworkLink><Link>'
        b"<href>http://127.0.0.1:9/x.kml</href></Link></NetworkLink>" + PLACEMARK + b"</Document></kml>"
    )
    [product] = await convert(PYOGRIO, kml, "kml", "kmz")
    with zipfile.ZipFile(product) as archive:
        assert kml_placemarks(archive.read("doc.kml")) == ["p"]


@pytest.mark.requirement("B31")
async def test_a_zipped_map_with_a_flipped_bit_is_called_damaged(convert):
    [whole] = await convert(PYOGRIO, PLACES, "geojson", "kmz")
    flipped = bytearray(whole.read_bytes())
    flipped[len(flipped) // 3] ^= 1
    with pytest.raises(CorruptInput):
        await convert(PYOGRIO, bytes(flipped), "kmz", "geojson")


@pytest.mark.requirement("B24")
async def test_a_zipped_map_that_unpacks_without_end_is_refused(convert):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.shp", "w") as member:
        for _ in range(160):
            member.write(bytes(1 << 20))
    with pytest.raises(ArchiveBomb):
        await convert(PYOGRIO, file.getvalue(), "shp.zip", "geojson")


@pytest.mark.corpus
async def test_the_facts_of_the_corpus_hold(convert, corpus_facts):
    formats = {".topojson": "topojson", ".zip": "shp.zip", ".gpkg": "gpkg", ".kmz": "kmz", ".parquet": "geoparquet"}
    checked = 0
    for path, source_format, facts in corpus_facts("geo", formats):
        wanted = facts.get("rows") or sum(facts["layers"].values())
        [product] = await convert(PYOGRIO, path, source_format, "geojson")
        assert len(geojson(product)) == wanted, path
        if source_format != "kmz":
            [product] = await convert(PYOGRIO, path, source_format, "kmz")
            with zipfile.ZipFile(product) as archive:
                assert len(kml_placemarks(archive.read("doc.kml"))) == wanted, path
        checked += 1
    assert checked == 5


@pytest.mark.corpus
async def test_the_drawing_of_the_corpus_keeps_its_entities_and_extent(convert, corpus):
    [product] = await convert(PYOGRIO, corpus / "cad/drawing.dxf", "dxf", "geojson")
    features = geojson(product)
    assert len(features) == 1234
    [drawing] = await convert(PYOGRIO, corpus / "cad/drawing.dxf", "dxf", "svg")
    box = [float(part) for part in ElementTree.parse(drawing).getroot().get("viewBox").split()]
    assert box[2:] == pytest.approx([347.218 + 2.54, 212.344 - 2.54], rel=0.03)  # with a margin


@pytest.mark.requirement("B31")
@pytest.mark.corpus
async def test_a_truncated_file_ends_in_a_typed_error_or_a_map(convert, corpus):
    for name, source_format in [
        ("line-zm.gpkg", "gpkg"),
        ("places.kmz", "kmz"),
        ("geography-points.parquet", "geoparquet"),
    ]:
        whole = (corpus / "geo" / name).read_bytes()
        for part in (1, 8, 15):
            try:
                await convert(PYOGRIO, whole[: len(whole) * part // 16], source_format, "geojson")
            except InputError:
                continue
            except ConversionError as error:
                pytest.fail(f"{part}/16 of {name}: {error.code}")


MEASURED = {
    "POINT M (1 2 9)": "POINT (1 2)",
    "LINESTRING ZM (0 0 5 9, 1 1 6 9)": "LINESTRING Z (0 0 5,1 1 6)",
    "POLYGON M ((0 0 9, 4 0 9, 4 4 9, 0 0 9), (1 1 9, 2 1 9, 2 2 9, 1 1 9))": (
        "POLYGON ((0 0,4 0,4 4,0 0),(1 1,2 1,2 2,1 1))"
    ),
    "MULTILINESTRING ZM ((0 0 5 9, 1 1 6 9), (2 2 5 9, 3 3 6 9))": "MULTILINESTRING Z ((0 0 5,1 1 6),(2 2 5,3 3 6))",
    "MULTIPOLYGON M (((0 0 9, 1 0 9, 1 1 9, 0 0 9)))": "MULTIPOLYGON (((0 0,1 0,1 1,0 0)))",
}


@pytest.mark.parametrize("given", MEASURED)
async def test_a_flatgeobuf_is_made_of_what_has_measures_without_them(convert, tmp_path, given):
    (tmp_path / "given.csv").write_text(f'name,WKT\na,"{given}"\n')
    run = partial(subprocess.run, cwd=tmp_path, check=True, capture_output=True, text=True)
    run(["ogr2ogr", "-f", "GPKG", "given.gpkg", "given.csv", "-a_srs", "EPSG:4326"])
    [product] = await convert(PYOGRIO, (tmp_path / "given.gpkg").read_bytes(), "gpkg", "fgb")
    told = run(["ogr2ogr", "-f", "CSV", "-lco", "GEOMETRY=AS_WKT", "/vsistdout/", str(product)]).stdout
    assert next(csv.reader(io.StringIO(told.split("\n", 1)[1])))[0] == MEASURED[given]
