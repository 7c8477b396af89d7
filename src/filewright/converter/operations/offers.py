"""What is offered, and which ability an order means: the one place where operations, formats, targets and options are
matched, for the API, the command line and the run itself. Pure: same operators, same answer.

Every error names what would be right; `errors` points into the step, and `plans` makes that a place in the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from filewright.chassis.errors import FieldError
from filewright.converter.conversion.converter import Converter, known_target
from filewright.converter.conversion.options import Schemas, checked, pointer_to
from filewright.converter.conversion.orders import Hop
from filewright.converter.engines.port import FormatId, Loss
from filewright.converter.errors import (
    EngineMissing,
    InvalidOptions,
    InvalidOrder,
    UnsupportedConversion,
    UnsupportedFormat,
)
from filewright.converter.formats.kinship import also
from filewright.converter.operations.orders import CONVERT, OrderedStep
from filewright.converter.operations.port import ANY, OPERATIONS, Ability
from filewright.converter.operations.registry import Operators

_SHOWN = 12
_PREVIEW = "preview"
Formats = Sequence[FormatId | None]
"""Of the files of an order; None for one that nobody recognises."""


@dataclass(frozen=True)
class Offer:
    """An ability, by the operator that has it."""

    operator: str
    ability: Ability


@dataclass(frozen=True)
class Choice:
    """The offer that fits, with its options checked and defaults filled in."""

    offer: Offer
    options: Mapping[str, Any]

    @property
    def ability(self) -> Ability:
        return self.offer.ability


class Offers:
    """All that is installed here."""

    def __init__(self, operators: Operators, converter: Converter) -> None:
        self.operators = operators
        self._converter = converter
        self._offers = [Offer(name, ability) for name, ability in operators.abilities()]

    def operations(self) -> Sequence[str]:
        """Those that are offered, in the order of the API's list."""
        there = {offer.ability.operation for offer in self._offers}
        return [operation for operation in OPERATIONS if operation in there]

    def of(self, operation: str) -> Sequence[Offer]:
        """What is offered of this operation."""
        return [offer for offer in self._offers if offer.ability.operation == operation]

    def abilities(self, operation: str) -> Sequence[Ability]:
        """The same without who has them."""
        return [offer.ability for offer in self.of(operation)]

    def takes_anything(self, operation: str) -> bool:
        """Whether it does not matter to the operation what a file is."""
        return any(ability.source == ANY for ability in self.abilities(operation))

    def choose(self, step: OrderedStep, formats: Formats, *, counted: bool = True) -> Choice:
        """The offer for these files together. `counted`: whether there are exactly so many.

        Raises InvalidOrder, InvalidOptions, EngineMissing, UnsupportedFormat or UnsupportedConversion.
        """
        offers = self._taking(step.operation, formats)
        if counted:
            offers = _of_so_many(offers, len(formats))
        offers = _giving(offers, step)
        return _with_options(offers, step)

    def accepts(self, ability: Ability, found: FormatId | None) -> bool:
        """Whether it takes files of that format, as they are or converted first."""
        return _is_its_own(ability, found) or self.leads(ability, found)

    def leads(self, ability: Ability, found: FormatId | None) -> bool:
        """Whether a file of that format is to be converted first."""
        if not ability.converts or found in {None, ANY} or _is_its_own(ability, found):
            return False
        return self._has_good_way(found, ability.source)

    def lead(self, choice: Choice, found: FormatId) -> OrderedStep:
        """The conversion that comes first: of the first page alone where no other is wanted and one can say so."""
        ability = choice.ability
        first = ability.shows_page and choice.options.get("page") == 1
        options = {_PREVIEW: True} if first and self._can_preview(found, ability.source) else {}
        return OrderedStep(CONVERT, ability.source, options)

    def hop(self, offer: Offer) -> Hop:
        """As a route shows it."""
        ability = offer.ability
        version = self.operators.availability(offer.operator).version
        lossy = ability.loss >= Loss.LARGE
        return Hop(offer.operator, version, ability.source, ability.target, lossy, ability.operation)

    def _taking(self, operation: str, formats: Formats) -> list[Offer]:
        """Those that take these files: as they are if there are such, else converted first."""
        all_of_it = self.of(operation)
        if not all_of_it:
            raise self._not_offered(operation)
        for takes in (_is_its_own, self.accepts):
            found = [offer for offer in all_of_it if _takes_all(offer.ability, formats, takes)]
            if found:
                return found
        raise self._not_taken(operation, formats)

    def _not_offered(self, operation: str) -> Exception:
        missing = [name for name, ability in self.operators.declared() if ability.operation == operation]
        if missing:
            return EngineMissing(f"{operation} needs {missing[0]}. {self.operators.availability(missing[0]).install}")
        detail = (
            f"There is no operation {operation[:40]!r} here. Offered: {', '.join(('convert', *self.operations()))}."
        )
        return InvalidOrder(detail, errors=(FieldError("/operation", detail),))

    def _not_taken(self, operation: str, formats: Formats) -> Exception:
        abilities = self.abilities(operation)
        for found in formats:
            if not any(self.accepts(ability, found) or found in ability.beside for ability in abilities):
                return UnsupportedFormat(_takes(operation, abilities, found))
        together = " and ".join(dict.fromkeys(str(found) for found in formats))
        return UnsupportedFormat(
            f"The operation {operation} does not take files of {together} together, in this order."
        )

    @cache  # noqa: B019 - as below
    def _can_preview(self, source: FormatId, target: FormatId) -> bool:
        return _PREVIEW in self._converter.planner.cheapest(source, target).options

    @cache  # noqa: B019 - as long as the process, like the routes it is asked of
    def _has_good_way(self, source: FormatId, target: FormatId) -> bool:
        try:
            route = self._converter.planner.cheapest(source, target)
        except (UnsupportedFormat, UnsupportedConversion):
            return False
        return route.loss <= Loss.SMALL and not route.many


def merged(abilities: Iterable[Ability]) -> Schemas:
    """The options of several abilities as one set of schemas: what any of them takes is allowed."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for ability in abilities:
        for name, schema in ability.options.items():
            if schema not in found.setdefault(name, []):
                found[name].append(schema)
    return {name: _either(schemas) for name, schemas in found.items()}


def _either(schemas: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    if len(schemas) == 1:
        return schemas[0]
    about = {key: schemas[0][key] for key in ("description", "default") if key in schemas[0]}
    if all("const" in schema or "enum" in schema for schema in schemas):
        values = dict.fromkeys(value for schema in schemas for value in schema.get("enum", [schema.get("const")]))
        return {"enum": list(values), **about}
    return {"anyOf": [dict(schema) for schema in schemas], **about}


def _is_its_own(ability: Ability, found: FormatId | None) -> bool:
    if ability.source == ANY:
        return True
    return found is not None and (found == ability.source or ability.source in also(found))


def _takes_all(ability: Ability, formats: Formats, takes: Any) -> bool:
    first, *rest = formats
    return takes(ability, first) and all(
        found in ability.beside if ability.beside else takes(ability, found) for found in rest
    )


def _of_so_many(offers: list[Offer], count: int) -> list[Offer]:
    found = [offer for offer in offers if offer.ability.inputs[0] <= count <= offer.ability.inputs[1]]
    if found:
        return found
    least, most = offers[0].ability.inputs
    wanted = f"exactly {least}" if least == most else f"{least} to {most:,}"
    detail = f"The operation {offers[0].ability.operation} takes {wanted} of these files at once; {count:,} were given."
    raise InvalidOrder(detail, errors=(FieldError("/inputs", detail),))


def _giving(offers: list[Offer], step: OrderedStep) -> list[Offer]:
    if step.to is None:
        return offers
    target = known_target(step.to)
    found = [offer for offer in offers if offer.ability.target == target]
    if found:
        return found
    given = ", ".join(dict.fromkeys(offer.ability.target for offer in offers if offer.ability.target != ANY))
    raise UnsupportedConversion(
        f"The operation {step.operation} does not give {target} here"
        + (f", but {given}. " if given else ". ")
        + "For another format, convert in a second step."
    )


def _with_options(offers: list[Offer], step: OrderedStep) -> Choice:
    """The first whose options say yes to what was set; else the error of the one that has the least against it."""
    checked(merged(offer.ability for offer in offers), step.options, of=step.operation)
    refusals: list[InvalidOptions] = []
    for offer in offers:
        try:
            return Choice(offer, _checked(offer.ability, step.options))
        except InvalidOptions as refusal:
            refusals.append(refusal)
    raise min(refusals, key=lambda refusal: len(refusal.errors))


def _checked(ability: Ability, options: Mapping[str, Any]) -> Mapping[str, Any]:
    missing = [name for name in ability.required if name not in options]
    if missing:
        details = [f"Say {name}. {ability.options[name].get('description', '')}".strip() for name in missing]
        errors = tuple(FieldError(pointer_to(name), text) for name, text in zip(missing, details, strict=True))
        raise InvalidOptions(details[0], errors=errors)
    return checked(ability.options, options, of=f"{ability.operation} of {ability.source}")


def _takes(operation: str, abilities: Sequence[Ability], found: FormatId | None) -> str:
    sources = list(dict.fromkeys(ability.source for ability in abilities))
    names = ", ".join(sources[:_SHOWN]) + (", …" if len(sources) > _SHOWN else "")
    more = ", and what can be converted to that" if any(ability.converts for ability in abilities) else ""
    return f"The operation {operation} takes {names}{more}; this file is {found or 'of a kind that nobody recognises'}."
