"""Structured text: JSON, YAML, TOML and XML into each other, calendars and contacts into JSON and CSV."""

from __future__ import annotations

from filewright.converter.engines.library import LibraryEngine, every_pair
from filewright.converter.engines.port import Loss

_FULL = ("json", "yaml")

STRUCTURED_TEXT = LibraryEngine(
    name="structured-text",
    packages=("pyyaml", "tomli-w", "defusedxml"),
    function="filewright.converter.engines.inside.documents.convert:convert",
    conversions=(
        *every_pair(_FULL, _FULL, cost=15, loss=Loss.NONE),
        *every_pair(("toml",), _FULL, cost=15, loss=Loss.NONE),
        *every_pair((*_FULL, "ndjson"), ("toml", "xml"), cost=15, loss=Loss.SMALL),
        *every_pair(("toml",), ("xml",), cost=15, loss=Loss.SMALL),
        *every_pair(("ndjson",), _FULL, cost=15, loss=Loss.NONE),
        *every_pair(_FULL, ("ndjson",), cost=15, loss=Loss.NONE),
        *every_pair(("xml",), (*_FULL, "toml"), cost=15, loss=Loss.SMALL),
        *every_pair(("ics", "vcf"), (*_FULL, "csv", "xml"), cost=15, loss=Loss.SMALL),
    ),
    warm=("filewright.converter.engines.inside.documents.convert",),
)
