"""What a layer is: a name, a reference system, and a frame with one geometry column in ISO WKB."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

GEOMETRY = "geometry"
WGS84 = "EPSG:4326"


@dataclass(frozen=True)
class Layer:
    """`frame` has the column `geometry` (Binary, may hold nulls) and the attributes."""

    name: str
    frame: pl.DataFrame
    crs: str | None

    @property
    def attributes(self) -> pl.DataFrame:
        """All but the geometry."""
        return self.frame.drop(GEOMETRY)

    @property
    def geometries(self) -> list[bytes | None]:
        """One per feature."""
        return list(self.frame[GEOMETRY])


def merged(layers: list[Layer]) -> Layer:
    """All features in one layer; where there were several, the attribute `layer` says from which each came."""
    filled = [layer for layer in layers if layer.frame.height]
    if len(filled) <= 1:
        return (filled or layers)[0]
    title = _free_name("layer", filled)
    frames = [layer.frame.with_columns(pl.lit(layer.name).alias(title)) for layer in filled]
    frame = pl.concat(_agreeing(frames), how="diagonal_relaxed")
    return replace(filled[0], frame=frame)


def _free_name(wanted: str, layers: list[Layer]) -> str:
    taken = {name for layer in layers for name in layer.frame.columns}
    while wanted in taken:
        wanted += "_"
    return wanted


def _agreeing(frames: list[pl.DataFrame]) -> list[pl.DataFrame]:
    """Attributes of one name and different types become text, so that no value is lost."""
    kinds: dict[str, set[pl.DataType]] = {}
    for frame in frames:
        for name, kind in frame.schema.items():
            kinds.setdefault(name, set()).add(kind)
    mixed = {name for name, found in kinds.items() if len(found) > 1}
    return [
        frame.with_columns(pl.col(name).cast(pl.String) for name in frame.columns if name in mixed) for frame in frames
    ]
