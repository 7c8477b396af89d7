"""What an order asks for, and how it would be done: its shape, the formats of its files, the plan.

A conversion of one file is planned by the planner alone, which most orders are. Everything else is a chain of steps,
even if it is of one, and planned by the operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from filewright.chassis.errors import FieldError
from filewright.chassis.web.problems import Forbidden, invalid
from filewright.converter.artifacts.models import Artifact
from filewright.converter.conversion.converter import known_target
from filewright.converter.errors import CorruptInput, EmptyInput, TooLarge
from filewright.converter.formats.catalogue import by_name
from filewright.converter.formats.detection import Detection, claimed_format, settle
from filewright.converter.jobs.orders import CONVERT, JobInput, JobOrder, OrderedStep, Planned
from filewright.converter.jobs.ports import Operations, Planner
from filewright.converter.operations.plans import MAX_STEPS
from filewright.converter.operations.port import MAX_INPUTS, OPERATIONS
from filewright.converter.tiers import Tier
from filewright.converter.uploads.imports import name_in

MAX_TAG_CHARS = 200


class Planning:
    """Plans orders; asks no database."""

    def __init__(self, planner: Planner, operations: Operations) -> None:
        self._planner = planner
        self._operations = operations

    def plan(self, order: JobOrder, files: Sequence[Artifact], tier: Tier) -> Planned:
        """For these inputs of it. Raises what the planner and the operations refuse, and TooLarge."""
        _check_sum(files, tier)
        return self._planned(order, [self._format(order, *pair) for pair in zip(files, order.inputs, strict=True)])

    def promise(self, order: JobOrder, known: Sequence[Artifact | None]) -> Planned:
        """The same before anything is fetched: by what addresses say of the files at them (None in `known`)."""
        formats = [
            _promised_format(item, number) if file is None else self._format(order, file, item)
            for number, (file, item) in enumerate(zip(known, order.inputs, strict=True))
        ]
        return self._planned(order, formats)

    def _planned(self, order: JobOrder, formats: Sequence[str | None]) -> Planned:
        if order.is_conversion:
            return Planned(self._planner.plan(formats[0] or "", order.to or "", order.options))
        steps = _steps(order)
        plan = self._operations.plan(formats, steps)
        if order.steps and order.to and plan.target_format != known_target(order.to):
            steps = (*steps, OrderedStep(CONVERT, order.to))
            plan = self._operations.plan(formats, steps)
        return Planned(plan, steps)

    def _format(self, order: JobOrder, file: Artifact, item: JobInput) -> str | None:
        if self._operations.takes_anything(_first(order)):
            return file.format
        return _source_format(file, item.source_format)


def check_shape(order: JobOrder, tier: Tier) -> None:
    """What can be refused without looking anything up."""
    _check_operations(order, tier)
    if order.steps:
        _check_steps(order)
    elif order.operation == CONVERT:
        if len(order.inputs) != 1:
            raise invalid("/inputs", "Give exactly one input; order several jobs, or a batch, for several files.")
        if not order.to:
            raise invalid("/to", "Name the target: a format id or an extension, such as `pdf`.")
    if not 1 <= len(order.inputs) <= MAX_INPUTS:
        raise invalid("/inputs", f"Give 1 to {MAX_INPUTS:,} inputs.")
    if order.tag is not None and len(order.tag) > MAX_TAG_CHARS:
        raise invalid("/tag", f"Use at most {MAX_TAG_CHARS} characters.")
    for number, item in enumerate(order.inputs):
        if [item.upload, item.url, item.job].count(None) != 2:
            raise invalid(f"/inputs/{number}", "Name an `upload`, a `url`, or a `job` and its `output`.")


def _check_operations(order: JobOrder, tier: Tier) -> None:
    named = [(step.operation, f"/steps/{n}/operation") for n, step in enumerate(order.steps)]
    for operation, pointer in named or [(order.operation, "/operation")]:
        if operation != CONVERT and operation not in OPERATIONS:
            known = ", ".join((CONVERT, *OPERATIONS))
            raise invalid(pointer, f"There is no operation {operation[:40]!r}. There are: {known}.")
        if tier.operations is not None and operation not in tier.operations:
            raise Forbidden(f"The operation {operation!r} is not part of the tier {tier.name!r}.")


def _check_steps(order: JobOrder) -> None:
    if len(order.steps) > MAX_STEPS:
        raise invalid("/steps", f"Give at most {MAX_STEPS} steps.")
    if order.operation != CONVERT:
        raise invalid("/operation", "With `steps`, every operation is one of them.")
    if order.options:
        raise invalid("/options", "With `steps`, each step has its own `options`.")


def _steps(order: JobOrder) -> tuple[OrderedStep, ...]:
    if not order.steps:
        return (OrderedStep(order.operation, order.to, order.options),)
    return tuple(replace(step, pointer=f"/steps/{number}") for number, step in enumerate(order.steps))


def _first(order: JobOrder) -> str:
    return order.steps[0].operation if order.steps else order.operation


def _check_sum(files: Sequence[Artifact], tier: Tier) -> None:
    """Each file was measured when it came; together they may be as large as what may come out."""
    total = sum(file.bytes for file in files)
    if len(files) > 1 and total > tier.max_output_bytes:
        detail = f"The files have {total:,} bytes together; {tier.max_output_bytes:,} are allowed."
        raise TooLarge(detail, errors=(FieldError("/inputs", detail),))


def _promised_format(item: JobInput, number: int) -> str:
    """What a file that was not fetched yet is said to be."""
    named = by_name(item.source_format) if item.source_format else claimed_format(name_in(item.url or ""))
    if named is None:
        detail = "Nothing is fetched for a dry run, and the address does not name a format."
        raise invalid(f"/inputs/{number}/from", detail)
    return named.id


def _source_format(artifact: Artifact, named: str | None) -> str:
    """What to treat the file as, by what its bytes were recognised as and what it is called.

    The conversion looks at the bytes again; this finds early what can be found without them.
    """
    if artifact.bytes == 0:
        raise EmptyInput("The file is empty: it has 0 bytes. Make or download it again.")
    detected = Detection(artifact.format, confident=artifact.format is not None)
    try:
        return settle(detected, artifact.filename, named)
    except CorruptInput:
        claimed = by_name(named) if named else claimed_format(artifact.filename)
        if claimed is None:
            raise
        return claimed.id  # nobody recognised it, its name says what it was: the inspection will tell more
