"""The door to maps: read the layers, write them as the target."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.child import Report
from filewright.converter.engines.inside.archives.bounds import meter_for
from filewright.converter.engines.inside.geo import reading, writing
from filewright.converter.engines.inside.refusals import refusing


def convert(
    report: Report, source: str, source_format: str, target: str, options: Mapping[str, Any], password: str | None
) -> list[str]:
    """One file that holds every feature."""
    name = f"output.{target}"
    layers = reading.read(Path(source), source_format, meter_for(Path(source), lambda fraction: None))
    report(0.5)
    with refusing("unsupported_conversion", *reading.GDAL_ERRORS):
        writing.write(layers, Path("out") / name, target)
    return [name]
