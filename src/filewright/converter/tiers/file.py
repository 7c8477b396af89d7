"""Tiers as the operator's data: `tiers.yaml` beside this module, or the file that `FILEWRIGHT_TIERS_FILE` names.

Everything in it is checked before anything starts. What is wrong is told with the line it stands in, the field, and
what would be right, all mistakes at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ByteSize, ConfigDict, Field, ValidationError

from filewright.converter.tiers.tier import Tier, Tiers

PACKAGED = files(__package__).joinpath("tiers.yaml")
STRANGER = "anonymous"


class TiersError(Exception):
    """The file is wrong. The message has a line for each mistake, with where it is and what would be right."""


class _TierInFile(BaseModel):
    """As written; whatever is not written is filled in before."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    max_input_bytes: Annotated[ByteSize, Field(gt=0)]
    max_output_bytes: Annotated[ByteSize, Field(gt=0)]
    max_wall_seconds: Annotated[float, Field(gt=0, le=24 * 3600)]
    max_memory_bytes: Annotated[ByteSize, Field(ge=64 << 20)]
    max_pages: Annotated[int, Field(ge=1)]
    max_pixels: Annotated[int, Field(ge=1)]
    max_queued_jobs: Annotated[int, Field(ge=1, le=1_000_000)]
    retention_seconds: Annotated[float, Field(gt=0, le=10 * 366 * 24 * 3600)]
    max_fonts: Annotated[int, Field(ge=0, le=1_000)]
    max_fonts_bytes: Annotated[ByteSize, Field(ge=0)]
    conversions_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None
    requests_per_minute: Annotated[int, Field(ge=1, le=10_000_000)] | None
    requests_at_once: Annotated[int, Field(ge=1, le=10_000_000)] | None
    monthly_conversions: Annotated[int, Field(ge=0, le=1_000_000_000)] | None
    lane: Literal["standard", "premium"]
    weight: Annotated[float, Field(gt=0, le=1000)]
    max_predicted_wait_seconds: Annotated[float, Field(gt=0)] | None
    operations: tuple[str, ...] | None
    monthly_price: Annotated[float, Field(ge=0, le=1_000_000)]
    price_per_extra_conversion: Annotated[float, Field(ge=0, le=10_000)]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    cost_per_second: Annotated[float, Field(ge=0)]
    tiers: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,31}$")], _TierInFile]


def load(path: Path | None = None) -> Tiers:
    """The packaged tiers, with what the file at `path` puts in their place. Raises TiersError."""
    packaged = _read(PACKAGED.read_text(encoding="utf-8"), "tiers.yaml", over={})
    if path is None:
        return _tiers(packaged)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TiersError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return _tiers(_read(text, path.name, over=packaged.model_dump()))


def as_data(tiers: Tiers) -> dict[str, Any]:
    """As the file would have it: to show what holds."""
    named = {name: {key: value for key, value in asdict(tier).items() if key != "name"} for name, tier in _items(tiers)}
    return {"currency": tiers.currency, "cost_per_second": tiers.cost_per_second, "tiers": named}


def _items(tiers: Tiers) -> Sequence[tuple[str, Tier]]:
    return tuple(tiers.by_name.items())


def _read(text: str, name: str, *, over: Mapping[str, Any]) -> _File:
    """Check what is written; what is not written is taken from `over`."""
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        written = yaml.safe_load(text) if tree is not None else {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        raise TiersError(f"{name}, line {line}: this is not YAML: {getattr(error, 'problem', error)}") from None
    if not isinstance(written, dict):
        raise TiersError(f"{name}, line 1: give `tiers:` and below it each tier by its name")
    try:
        return _File.model_validate(_filled(written, over))
    except ValidationError as error:
        raise TiersError("\n".join(_mistakes(error, tree, name))) from None


def _filled(written: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    if not over:
        return dict(written)
    known: Mapping[str, Any] = over["tiers"]
    told = written.get("tiers", {})
    if not isinstance(told, dict):
        return {**over, **written}
    tiers: dict[str, Any] = dict(known)
    for name, tier in told.items():
        tiers[name] = {**known.get(name, known[STRANGER]), **tier} if isinstance(tier, dict) else tier
    return {**over, **written, "tiers": tiers}


def _tiers(read: _File) -> Tiers:
    by_name = {name: Tier(name=name, **_plain(tier.model_dump())) for name, tier in read.tiers.items()}
    return Tiers(by_name, read.currency, read.cost_per_second)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: int(value) if name.endswith("_bytes") else value for name, value in values.items()}


def _mistakes(error: ValidationError, tree: Any, name: str) -> list[str]:
    found = []
    for problem in error.errors(include_url=False):
        place = [str(part) for part in problem["loc"] if part != "[key]"]
        field = ".".join(place) or "the file"
        found.append(f"{name}, line {_line(tree, place)}: {field}: {problem['msg']}")
    return found


def _line(tree: Any, place: Sequence[str]) -> int:
    """Where the field stands, or what is nearest above it."""
    line, node = 1, tree
    for part in place:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        for key, value in pairs:
            if key.value == part:
                line, node = key.start_mark.line + 1, value
                break
        else:
            return line
    return line
