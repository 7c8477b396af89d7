"""Tables of every kind: text, columnar files, workbooks, databases and statistics, through polars.

A typed target gets types only where nothing is lost; a text target gets the text as it stands. Workbooks are read for
their values: LibreOffice is the engine that knows how they look.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filewright.converter.engines.library import LibraryEngine, every_pair
from filewright.converter.engines.port import Conversion, Loss

_HEADER: Mapping[str, Any] = {
    "header": {"type": "boolean", "default": True, "description": "The first row holds the titles of the columns."}
}
_SHEET: Mapping[str, Any] = {
    "sheet": {
        "type": "string",
        "default": "",
        "maxLength": 100,
        "description": "Name or number of the sheet, or `all`. Empty: the first visible sheet that has values.",
    }
}
_SHEETS: Mapping[str, Any] = {
    "sheet": {
        "type": "string",
        "default": "",
        "maxLength": 100,
        "description": "Name or number of the sheet, or `all`. Empty: every visible sheet that has values.",
    }
}
_TEXT = ("csv", "tsv")
_COLUMNAR = ("parquet", "arrow", "avro", "ndjson", "json")
_ONE_TABLE = ("csv", "tsv", "parquet", "arrow", "avro", "ndjson")
_READABLE = ("html", "md")
_WORKBOOKS = ("xlsx", "xlsm", "xltx", "xls", "ods")
_STATISTICS = ("dbf", "sas7bdat", "sav", "dta")
_TARGETS = (*_TEXT, *_COLUMNAR, "sqlite", "xlsx")

_conversions: tuple[Conversion, ...] = (
    *every_pair(_TEXT, _TARGETS, cost=20, loss=Loss.NONE, options=_HEADER),
    *every_pair(("parquet", "arrow", "avro"), _TARGETS, cost=20, loss=Loss.SMALL),
    *every_pair(("json", "ndjson"), tuple(t for t in _TARGETS if not t.endswith("json")), cost=20, loss=Loss.SMALL),
    *every_pair(_STATISTICS, _TARGETS, cost=30, loss=Loss.SMALL),
    *every_pair(_WORKBOOKS, _ONE_TABLE, cost=30, loss=Loss.LARGE, many=True, options={**_HEADER, **_SHEET}),
    *every_pair(_WORKBOOKS, ("json",), cost=30, loss=Loss.LARGE, options={**_HEADER, **_SHEET}),
    *every_pair(_WORKBOOKS, ("sqlite",), cost=30, loss=Loss.LARGE, options={**_HEADER, **_SHEETS}),
    *every_pair(_WORKBOOKS, ("txt",), cost=60, loss=Loss.LARGE, options=_SHEETS),
    # calamine reads some binary workbooks and stumbles over others, so it comes after every other engine.
    *every_pair(("xlsb",), _ONE_TABLE, cost=3_000, loss=Loss.LARGE, many=True, options={**_HEADER, **_SHEET}),
    *every_pair(("xlsb",), ("json",), cost=3_000, loss=Loss.LARGE, options={**_HEADER, **_SHEET}),
    *every_pair(("xlsb",), ("sqlite", "xlsx"), cost=3_000, loss=Loss.LARGE, options={**_HEADER, **_SHEETS}),
    *every_pair(("sqlite",), _ONE_TABLE, cost=30, loss=Loss.SMALL, many=True),
    *every_pair(("sqlite",), ("xlsx", "json"), cost=30, loss=Loss.SMALL),
    *every_pair((*_TEXT, *_COLUMNAR, "sqlite", *_STATISTICS), (*_READABLE, "txt"), cost=40, loss=Loss.SMALL),
    *every_pair(_WORKBOOKS, _READABLE, cost=500, loss=Loss.LARGE, options={**_HEADER, **_SHEETS}),
)

POLARS = LibraryEngine(
    name="polars",
    packages=("polars", "fastexcel", "xlsxwriter", "pyreadstat"),
    function="filewright.converter.engines.inside.tables.convert:convert",
    conversions=_conversions,
    warm=("filewright.converter.engines.inside.tables.convert",),
)
