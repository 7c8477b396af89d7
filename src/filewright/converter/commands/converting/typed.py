"""`--set quality=80` as the conversion's schema means it: numbers, truths and lists out of what was typed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from filewright.converter.commands.exits import UsageProblem

_TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def pairs(settings: Sequence[str]) -> dict[str, str]:
    """`k=v` of each; the last one wins. UsageProblem for anything else."""
    found = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise UsageProblem(f"--set takes name=value, not {setting!r}.")
        found[name] = value
    return found


def typed(settings: Mapping[str, str], schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values in the types that the schemas ask for. What does not fit stays text, for the check to complain of."""
    return {name: _typed(value, schemas.get(name, {})) for name, value in settings.items()}


def _typed(value: str, schema: Mapping[str, Any]) -> Any:
    kinds = schema.get("type", ())
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        kinds |= {option.get("type")} if isinstance(option.get("type"), str) else set()
    if not kinds and "enum" in schema:
        return next((choice for choice in schema["enum"] if str(choice) == value), value)
    if "boolean" in kinds and value.lower() in _TRUTHS and not ("integer" in kinds and value in {"0", "1"}):
        return _TRUTHS[value.lower()]
    if "null" in kinds and value == "null":
        return None
    for kind, convert in (("integer", int), ("number", float)):
        if kind in kinds:
            try:
                return convert(value)
            except ValueError:
                continue
    if kinds & {"array", "object"}:
        return _structure(value, kinds)
    return value


def _structure(value: str, kinds: set[str]) -> Any:
    """JSON, or a list with commas."""
    try:
        return json.loads(value)
    except ValueError:
        return value.split(",") if "array" in kinds else value
