"""Check what a caller set against what the steps of a route declare, and hand each step its own part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from filewright.chassis.errors import FieldError
from filewright.converter.engines.port import Conversion
from filewright.converter.errors import InvalidOptions
from filewright.converter.routing.planner import Route

Schemas = Mapping[str, Mapping[str, Any]]
"""JSON Schema of each option, by name."""


def check_options(route: Route, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options with the defaults of the route filled in; InvalidOptions names every wrong one and what is right."""
    return checked(route.options, options, of=f"{route.source} to {route.target}")


def checked(schemas: Schemas, options: Mapping[str, Any], *, of: str) -> Mapping[str, Any]:
    """The same for any schemas; `of` says in the sentence what has these options."""
    unknown = [name for name in options if name not in schemas]
    if unknown:
        sentences = [_unknown(name, schemas, of) for name in unknown]
        errors = tuple(FieldError(pointer_to(name), text) for name, text in zip(unknown, sentences, strict=True))
        raise InvalidOptions(sentences[0], errors=errors)
    wrong = tuple(error for name, value in options.items() for error in _problems(name, value, schemas[name]))
    if wrong:
        raise InvalidOptions(f"Option {wrong[0].pointer.rsplit('/', 1)[-1]}: {wrong[0].detail}", errors=wrong)
    defaults = {name: schema["default"] for name, schema in schemas.items() if "default" in schema}
    return {**defaults, **options}


def pointer_to(name: str) -> str:
    """The JSON pointer to an option, in as much as an answer should repeat of its name."""
    return "/options/" + name[:64].replace("~", "~0").replace("/", "~1")


def part_of(conversion: Conversion, chosen: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of one step: what the caller chose, else the step's own defaults."""
    return {
        name: chosen.get(name, schema.get("default"))
        for name, schema in conversion.options.items()
        if name in chosen or "default" in schema
    }


def _problems(name: str, value: Any, schema: Mapping[str, Any]) -> list[FieldError]:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - slow to import, and most orders set nothing

    return [
        FieldError(pointer_to(name), _sentence(error.message, schema))
        for error in Draft202012Validator(schema).iter_errors(value)
    ]


def _sentence(message: str, schema: Mapping[str, Any]) -> str:
    described = schema.get("description")
    return f"{message[:200]}. {described}" if described else f"{message[:200]}."


def _unknown(name: str, schemas: Schemas, of: str) -> str:
    allowed = ", ".join(sorted(schemas)) or "none"
    return f"There is no option {name[:64]!r} for {of}. Allowed: {allowed}."
