"""What an order would be: all its steps chosen for the formats of its files, before anything is accepted or run.

Files flow through the steps. What gathers (merge, archive) makes one of all that there are; everything else is done
with each. What a step makes several of, nobody can count beforehand, and what is in an archive nobody can know: the
formats that follow are planned as far as they are known, and chosen again when the files are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from filewright.chassis.errors import FieldError
from filewright.converter.conversion.converter import Converter
from filewright.converter.conversion.orders import Hop, Plan
from filewright.converter.errors import InvalidOptions, InvalidOrder, UnsupportedConversion
from filewright.converter.operations.offers import Choice, Offers
from filewright.converter.operations.orders import CONVERT, OrderedStep
from filewright.converter.operations.port import ANY

MAX_STEPS = 10


@dataclass(frozen=True)
class _Flow:
    """The files before a step. `formats` has an entry for each file as long as they can be counted."""

    formats: tuple[str | None, ...]
    counted: bool = True
    joined: bool = False
    """Whether all the inputs of the order have become one."""
    hops: tuple[Hop, ...] = ()
    seconds: float = 0.0

    def with_hops(self, hops: Sequence[Hop], seconds: float) -> _Flow:
        """Each hop is shown once, however many files take it."""
        return replace(self, hops=tuple(dict.fromkeys((*self.hops, *hops))), seconds=self.seconds + seconds)


@dataclass(frozen=True)
class Plans:
    """Plans orders of operations."""

    offers: Offers
    converter: Converter

    def plan(self, formats: Sequence[str | None], steps: Sequence[OrderedStep]) -> Plan:
        """Raises InvalidOrder, InvalidOptions, EngineMissing, UnsupportedFormat or UnsupportedConversion."""
        flow = _Flow(tuple(formats))
        options: dict[str, object] = {}
        for step in steps:
            with pointing(step):
                choices, flow = self._after(flow, step, first=step is steps[0])
                options = dict(choices[0].options) if choices and len(steps) == 1 else {}
        if len(formats) > 1 and not flow.joined:
            raise _not_joined()
        return Plan(
            source_format=formats[0],
            target_format=flow.formats[0] if flow.formats[0] != ANY else None,
            route=flow.hops,
            options=options,
            estimated_seconds=round(flow.seconds, 3),
            many=not flow.counted or len(flow.formats) > 1,
        )

    def _after(self, flow: _Flow, step: OrderedStep, *, first: bool) -> tuple[Sequence[Choice], _Flow]:
        if step.operation == CONVERT:
            return (), self._converted(flow, step)
        if together(self.offers, flow.formats, step, first=first):
            return self._gathered(flow, step)
        return self._each(flow, step)

    def _converted(self, flow: _Flow, step: OrderedStep) -> _Flow:
        if step.to is None:
            detail = "Name the target: a format id or an extension, such as `pdf`."
            raise InvalidOrder(detail, errors=(FieldError("/to", detail),))
        targets: list[str | None] = []
        for found in flow.formats:
            if found is None or found == ANY:
                raise UnsupportedConversion("What these files are is not known, so they cannot be converted.")
            plan = self.converter.plan(found, step.to, step.options)
            flow = replace(flow.with_hops(plan.route, plan.estimated_seconds), counted=flow.counted and not plan.many)
            targets.append(plan.target_format)
        return replace(flow, formats=tuple(targets))

    def _gathered(self, flow: _Flow, step: OrderedStep) -> tuple[Sequence[Choice], _Flow]:
        choice = self.offers.choose(step, flow.formats, counted=flow.counted)
        for found in flow.formats:
            if found is not None and self.offers.leads(choice.ability, found):
                plan = self.converter.plan(found, choice.ability.source)
                flow = flow.with_hops(plan.route, plan.estimated_seconds)
        flow = flow.with_hops([self.offers.hop(choice.offer)], choice.ability.cost * len(flow.formats) / 1000)
        counted = not choice.ability.many
        return [choice], replace(flow, formats=(choice.ability.target,), counted=counted, joined=True)

    def _each(self, flow: _Flow, step: OrderedStep) -> tuple[Sequence[Choice], _Flow]:
        choices = [self.offers.choose(step, [found]) for found in flow.formats]
        for choice in choices:
            flow = flow.with_hops([self.offers.hop(choice.offer)], choice.ability.cost / 1000)
        counted = flow.counted and not any(choice.ability.many for choice in choices)
        return choices, replace(flow, formats=tuple(choice.ability.target for choice in choices), counted=counted)


def together(offers: Offers, formats: Sequence[str | None], step: OrderedStep, *, first: bool) -> bool:
    """Whether a step is done with all files at once: it gathers, or the inputs are one file and what goes with
    it.
    """
    abilities = offers.abilities(step.operation)
    if not abilities or any(ability.gathers for ability in abilities):
        return True
    return first and len(formats) > 1 and any(ability.joins for ability in abilities)


@contextmanager
def pointing(step: OrderedStep) -> Iterator[None]:
    """Errors in the block point into the whole order."""
    try:
        yield
    except InvalidOptions as error:
        if not step.pointer:
            raise
        errors = tuple(FieldError(_within(step, item.pointer), item.detail) for item in error.errors)
        raise type(error)(error.detail, errors=errors) from None


def _within(step: OrderedStep, pointer: str) -> str:
    return pointer if pointer.startswith("/inputs") else step.pointer + pointer


def _not_joined() -> InvalidOrder:
    detail = (
        "Give exactly one input: only some operations, such as merge and archive, make one thing of several files. "
        "For many files of which each is to be worked on, order a batch."
    )
    return InvalidOrder(detail, errors=(FieldError("/inputs", detail),))
