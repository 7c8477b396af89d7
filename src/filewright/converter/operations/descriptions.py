"""What is offered, for whoever wants to know before ordering: the API, the command line, the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from filewright.converter.operations.offers import merged
from filewright.converter.operations.port import ANY, SUMMARIES, Ability
from filewright.converter.operations.registry import Operators

_Offers = Sequence[tuple[str, Ability]]


def described(operators: Operators) -> Sequence[Mapping[str, Any]]:
    """An entry for each operation that is offered here, in the order of the API's list."""
    offered = operators.abilities()
    found = ((name, [pair for pair in offered if pair[1].operation == name]) for name in SUMMARIES)
    return [_described(operation, offers) for operation, offers in found if offers]


def _described(operation: str, offers: _Offers) -> Mapping[str, Any]:
    abilities = [ability for _, ability in offers]
    counts = [count for ability in abilities for count in ability.inputs]
    return {
        "id": operation,
        "summary": SUMMARIES[operation],
        "inputs": {"min": min(counts), "max": max(counts)},
        "sources": list(dict.fromkeys(ability.source for ability in abilities)),
        "targets": list(dict.fromkeys(ability.target for ability in abilities)),
        "parameters": _parameters(abilities),
        "variants": [_variant(operator, ability) for operator, ability in offers],
    }


def _parameters(abilities: Sequence[Ability]) -> Mapping[str, Any]:
    """JSON Schema of an order, over all formats; which of it one format takes, its variants say."""
    targets = list(dict.fromkeys(ability.target for ability in abilities if ability.target != ANY))
    least, most = min(ability.inputs[0] for ability in abilities), max(ability.inputs[1] for ability in abilities)
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "inputs": {"type": "array", "minItems": least, "maxItems": most},
            "to": {"type": "string", "description": "Format id, extension or media type.", "examples": targets},
            "options": {"type": "object", "properties": dict(merged(abilities)), "additionalProperties": False},
            "password": {"type": "string"},
        },
    }
    needed = set(abilities[0].required).intersection(*(ability.required for ability in abilities))
    if needed:
        schema["properties"]["options"]["required"] = sorted(needed)
        schema["required"] = ["options"]
    return schema


def _variant(operator: str, ability: Ability) -> Mapping[str, Any]:
    return {
        "source": ability.source,
        "target": ability.target,
        "several": ability.many,
        "engine": operator,
        "required": list(ability.required),
        "options": dict(ability.options),
        **({"beside": list(ability.beside)} if ability.beside else {}),
        **({"converts": True} if ability.converts else {}),
    }
