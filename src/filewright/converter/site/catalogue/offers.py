"""What there is: every format with what can be made of it, and every operation with what it takes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

import filewright
from filewright.chassis.cache.port import Cache
from filewright.converter.choices.service import Choices
from filewright.converter.conversion.converter import Converter
from filewright.converter.engines.registry import Registry
from filewright.converter.formats.catalogue import FORMATS, Format
from filewright.converter.jobs.orders import CONVERT
from filewright.converter.operations.descriptions import described as operations_described
from filewright.converter.operations.registry import Operators
from filewright.converter.site.catalogue.listings import FORMAT_LIST, Listing, as_bytes, listed
from filewright.converter.site.catalogue.schemas import FormatList, FormatView, OperationList, OperationView


@dataclass(frozen=True)
class _Suggestions:
    """All of them as they were at a revision of the choices. `state` is another whenever the list would be."""

    revision: int
    targets: Mapping[str, Sequence[str]]
    state: str


class Catalogue:
    """All that is offered, which is found once: engines do not come and go while the process runs. Only the order of
    the suggestions moves.
    """

    def __init__(
        self, converter: Converter, registry: Registry, operators: Operators, choices: Choices, cache: Cache
    ) -> None:
        self.converter = converter
        self.operators = operators
        self._offered: Listing | None = None
        self.registry = registry
        self.choices = choices
        self.cache = cache
        self._targets: dict[str, Sequence[str]] = {}
        self._suggestions = _Suggestions(-1, {}, "")

    def targets(self, format_id: str) -> Sequence[str]:
        """What can be made of it, nearest first."""
        if format_id not in self._targets:
            self._targets[format_id] = [route.target for route in self.converter.planner.targets(format_id)]
        return self._targets[format_id]

    def find_all(self) -> None:
        """Find every target now, so that the first one who asks does not wait; in any thread."""
        for format_id in FORMATS:
            self.targets(format_id)

    def suggested(self, format_id: str) -> Sequence[str]:
        """What is likeliest to be wanted of it, best first."""
        return self.choices.suggest(format_id, self.targets(format_id))

    async def all_formats(self) -> Listing:
        """The whole list, which every page that opens asks for. The key says what it is made from, so none is old, and
        processes that would make the same send the same, down to the entity tag.
        """
        now = self._suggestions_now()

        async def make() -> Listing:
            return self._list(None, None, lambda format_id: now.targets[format_id])

        return await self.cache.get(FORMAT_LIST, now.state, make)

    def formats_between(self, start: str | None, goal: str | None) -> Listing:
        """What `start` can become, what can become `goal`, or whether the one can become the other; by their ids."""
        return self._list(start, goal, self.suggested)

    def _suggestions_now(self) -> _Suggestions:
        revision = self.choices.revision
        if self._suggestions.revision != revision:
            suggested = {format_id: self.suggested(format_id) for format_id in FORMATS}
            # The registry's formats are those of this version of the program; its targets those of the engines here.
            depends_on = orjson.dumps([filewright.__version__, self._targets, suggested], option=orjson.OPT_SORT_KEYS)
            state = hashlib.blake2b(depends_on, digest_size=16).hexdigest()
            self._suggestions = _Suggestions(revision, suggested, state)
        return self._suggestions

    def _list(self, start: str | None, goal: str | None, suggested: Callable[[str], Sequence[str]]) -> Listing:
        targets = {format_id: self.targets(format_id) for format_id in FORMATS}
        shown = [self._view(item, suggested) for item in FORMATS.values() if _belongs(item.id, targets, start, goal)]
        return listed(as_bytes(FormatList(data=shown, next_cursor=None)))

    def all_operations(self) -> Listing:
        """Made once: what is offered does not change while the process runs."""
        if self._offered is None:
            convert = OperationView(
                id=CONVERT,
                summary="Turn a file into another format",
                inputs={"min": 1, "max": 1},
                sources=[],
                targets=[],
                parameters=_convert_schema(self.registry),
            )
            views = [OperationView.model_validate(described) for described in operations_described(self.operators)]
            self._offered = listed(as_bytes(OperationList(data=[convert, *views], next_cursor=None)))
        return self._offered

    def _view(self, item: Format, suggested: Callable[[str], Sequence[str]]) -> FormatView:
        return FormatView(
            id=item.id,
            name=item.name,
            family=item.family,
            extensions=item.extensions,
            media_types=item.media_types,
            targets=self.targets(item.id),
            suggested_targets=suggested(item.id),
        )


def _convert_schema(registry: Registry) -> dict[str, Any]:
    """The union of what all conversions take; which of it one route takes, `GET /v1/routes` says."""
    options: dict[str, Any] = {}
    for _, conversion in registry.abilities():
        for name, schema in conversion.options.items():
            options.setdefault(name, schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["to"],
        "properties": {
            "to": {"type": "string", "description": "Format id, extension or media type."},
            "options": {"type": "object", "properties": options, "additionalProperties": False},
            "password": {"type": "string"},
        },
    }


def _belongs(format_id: str, targets: Mapping[str, Sequence[str]], start: str | None, goal: str | None) -> bool:
    """The same answer as `filewright formats`."""
    if start is not None and goal is not None:
        return format_id == start and goal in targets[format_id]
    if start is not None:
        return format_id in targets[start]
    if goal is not None:
        return goal in targets[format_id]
    return bool(targets[format_id]) or any(format_id in found for found in targets.values())
