"""A Compose file as an operator would start it: variables filled in, anchors merged, the specification asked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import compose_spec
import yaml

_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<word>[^}]*))?\})")


class VariableMissing(Exception):
    """The file asks for a variable that nobody gave."""


def load(path: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    """The file as data. Raises ValueError where the Compose specification does not allow it."""
    document = _filled(yaml.safe_load(path.read_text(encoding="utf-8")), variables)
    checked = compose_spec.PyCompose.from_json(json.dumps(document))
    checked.validate()
    return document


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    return _VARIABLE.sub(lambda found: _word(found, variables), value) if isinstance(value, str) else value


def _word(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if found["dollar"]:
        return "$"
    if given := variables.get(found["name"]):
        return given
    if found["how"] != ":-":
        raise VariableMissing(f"{found['name']}: {found['word']}")
    return str(found["word"])


def of_the_product(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The services that run this program, by name."""
    return {name: service for name, service in document["services"].items() if service["image"] == "filewright:test"}


def environment(document: Mapping[str, Any], service: Mapping[str, Any]) -> dict[str, str]:
    """What the program is told, with the secrets where they are on this side of the container."""
    places = {}
    for secret in service["secrets"]:
        name, target = (secret, secret) if isinstance(secret, str) else (secret["source"], secret["target"])
        places[f"/run/secrets/{target}"] = document["secrets"][name]["file"]
    return {name: places.get(value, value) for name, value in service["environment"].items()}
