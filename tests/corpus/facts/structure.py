"""Facts about structured text: what a JSON or YAML file is at its top, calendars, letters in a box."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

import yaml

from corpus.facts.delivery import Delivery, missing_from

Facts = Mapping[str, Any]


def top(kind: str, delivery: Delivery, facts: Facts) -> str | None:
    """A list stays a list and an object an object, with as many items."""
    if delivery.target not in {"json", "yaml"}:
        return None
    value = _load(delivery)
    if type(value).__name__ != kind:
        return f"a {type(value).__name__}, not a {kind}"
    return "" if len(value) == facts["length"] else f"{len(value)} items, not {facts['length']}"


def keys(count: int | list[str], delivery: Delivery, facts: Facts) -> str | None:
    """The keys of the object at the top."""
    if delivery.target not in {"json", "yaml", "toml"}:
        return None
    value = _load(delivery)
    if isinstance(count, list):
        return "" if list(value) == count else f"keys {list(value)[:5]}, not {count[:5]}"
    return "" if len(value) == count else f"{len(value)} keys, not {count}"


def first(pair: list[str], delivery: Delivery, facts: Facts) -> str | None:
    """A key and its value."""
    if delivery.target not in {"json", "yaml", "toml"}:
        return None
    found = _load(delivery).get(pair[0])
    return "" if found == pair[1] else f"{pair[0]!r} is {found!r}, not {pair[1]!r}"


def summary(phrase: str, delivery: Delivery, facts: Facts) -> str | None:
    """What an entry of a calendar is about, in words."""
    return None if delivery.text is None else missing_from(delivery.text, phrase)


def events(count: int, delivery: Delivery, facts: Facts) -> str | None:
    """As many entries, a row each."""
    if not delivery.grids or delivery.target not in {"csv", "xlsx", "parquet"}:
        return None
    found = sum(len(grid) - 1 for grid in delivery.grids.values())
    return "" if found == count else f"{found} entries, not {count}"


def _load(delivery: Delivery) -> Any:
    text = delivery.first.read_text(encoding="utf-8")
    if delivery.target == "json":
        return json.loads(text)
    return tomllib.loads(text) if delivery.target == "toml" else yaml.load(text, yaml.CSafeLoader)
