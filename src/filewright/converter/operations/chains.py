"""Carry out operations: from files of any kind to checked products, as `conversion.converter` does for one conversion.

    inspect    each input: is it what it says, readable, harmless to read?
    step       the ability that fits these very files; what it takes only as another format is converted first
    check      every product of every step: a plain file, of its type, opened by a reader that did not make it

Each step has a workspace and a sandbox of its own. All of them share the tier's time, one progress and one cancel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from filewright.chassis.clock import Clock, SystemClock
from filewright.chassis.sandbox.port import Sandbox
from filewright.converter.conversion import checks
from filewright.converter.conversion.attempt import Attempt, OnProgress, Progress
from filewright.converter.conversion.converter import Converter, hand_over, product_of
from filewright.converter.conversion.fidelity import Fidelity
from filewright.converter.conversion.inspection import inspect_unknown
from filewright.converter.conversion.names import harmless, unique
from filewright.converter.conversion.orders import Assignment, Converted, Hop, Plan, Product, Stage
from filewright.converter.errors import CorruptInput, EmptyInput, OutputInvalid, TooLarge
from filewright.converter.formats.catalogue import FORMATS
from filewright.converter.formats.detection import claimed_format, detect
from filewright.converter.operations import measuring
from filewright.converter.operations.names import names_of
from filewright.converter.operations.offers import Choice, Offers
from filewright.converter.operations.orders import CONVERT, Given, OrderedStep, Task
from filewright.converter.operations.plans import Plans, pointing, together
from filewright.converter.operations.port import ANY, Errand, Made
from filewright.converter.operations.registry import Operators

_PROBE_SECONDS = 60.0
_SHARE_OF_STEPS = 0.97
"""Of the progress."""
OnStage = Callable[[Stage], None]


@dataclass(frozen=True)
class _Item:
    """A file between two steps. `product` is what is told of it; None for an input."""

    path: Path
    name: str
    format: str | None
    product: Product | None = None


@dataclass
class _Course(Attempt):
    """One task under way."""

    task: Task = field(kw_only=True)
    hops: list[Hop] = field(default_factory=list, kw_only=True)
    fidelity: Fidelity | None = field(default=None, kw_only=True)
    """Of what was made last."""

    def took(self, *hops: Hop) -> None:
        """Each hop is shown once, however many files took it."""
        self.hops.extend(hop for hop in hops if hop not in self.hops)


class Operations:
    """Plans and carries out. One instance serves many tasks at once."""

    def __init__(
        self, operators: Operators, converter: Converter, sandbox: Sandbox, *, clock: Clock | None = None
    ) -> None:
        self.offers = Offers(operators, converter)
        """What there is."""
        self._plans = Plans(self.offers, converter)
        self._operators = operators
        self._converter = converter
        self._sandbox = sandbox
        self._clock = clock or SystemClock()

    def plan(self, formats: Sequence[str | None], steps: Sequence[OrderedStep]) -> Plan:
        """How files of these formats would be worked on. See `Plans.plan` for what it raises."""
        return self._plans.plan(formats, steps)

    def takes_anything(self, operation: str) -> bool:
        """Whether it does not matter to the operation what a file is."""
        return self.offers.takes_anything(operation)

    async def carry_out(
        self,
        task: Task,
        *,
        workspace: Path,
        on_stage: OnStage = lambda _: None,
        on_progress: OnProgress = lambda _: None,
        cancel: asyncio.Event | None = None,
    ) -> Converted:
        """Do all steps; the products lie below `workspace`, which the caller made and removes.

        As `Converter.convert`, and it raises the same; also InvalidOptions, for what only the file could tell.
        """
        started = self._clock.monotonic()
        course = _Course(task.tier, workspace, cancel, Progress(on_progress), started, self._clock, task=task)
        items: Sequence[_Item] = [await self._inspected(given, task) for given in task.inputs]
        source_format = items[0].format
        on_stage(Stage.CONVERTING)
        for number, step in enumerate(task.steps):
            part = (_SHARE_OF_STEPS * number / len(task.steps), _SHARE_OF_STEPS * (number + 1) / len(task.steps))
            items = await self._step(course, step, items, first=number == 0, part=part)
        on_stage(Stage.CHECKING)
        products = _renamed([item.product for item in items if item.product is not None])
        if sum(product.bytes for product in products) > task.tier.max_output_bytes:
            raise TooLarge("The results are together larger than is allowed here.")
        course.progress.report(1.0)
        formats = {product.format for product in products}
        return Converted(
            source_format=source_format,
            target_format=formats.pop() if len(formats) == 1 else None,
            route=tuple(course.hops),
            products=products,
            seconds=round(self._clock.monotonic() - started, 3),
            fidelity=course.fidelity if len(products) == 1 and len(task.steps) == 1 else None,
        )

    async def _inspected(self, given: Given, task: Task) -> _Item:
        """What it is; an operation that takes anything wants no more of it than a size."""
        if self.offers.takes_anything(task.steps[0].operation):
            found = await asyncio.to_thread(inspect_unknown, given.source, given.filename, tier=task.tier)
            return _Item(given.source, given.filename, found)
        inspection = await self._converter.inspect(
            given.source, given.filename, tier=task.tier, from_format=given.source_format, password=task.password
        )
        return _Item(given.source, given.filename, inspection.format)

    async def _step(
        self, course: _Course, step: OrderedStep, items: Sequence[_Item], *, first: bool, part: tuple[float, float]
    ) -> Sequence[_Item]:
        password = course.task.password if first else None
        formats = [item.format for item in items]
        at_once = step.operation != CONVERT and together(self.offers, formats, step, first=first)
        groups = [items] if at_once else [[item] for item in items]
        share = (part[1] - part[0]) / len(groups)
        made: list[_Item] = []
        for number, group in enumerate(groups):
            begin = part[0] + number * share
            bounds = (begin, begin + share)
            try:
                with pointing(step):
                    made.extend(await self._worked_on(course, step, group, password, bounds))
            except (CorruptInput, EmptyInput) as error:
                if first:
                    raise
                raise OutputInvalid from error  # what a step of ours made
            course.progress.report(bounds[1])
        return made

    async def _worked_on(
        self,
        course: _Course,
        step: OrderedStep,
        items: Sequence[_Item],
        password: str | None,
        bounds: tuple[float, float],
    ) -> Sequence[_Item]:
        if step.operation == CONVERT:
            return await self._converted(course, step, items[0], password, bounds)
        choice = self.offers.choose(step, [item.format for item in items])
        leading = [item for item in items if item.format and self.offers.leads(choice.ability, item.format)]
        if leading:
            middle = bounds[0] + (bounds[1] - bounds[0]) * len(leading) / (len(leading) + 1)
            items = await self._led_in(course, choice, items, password, (bounds[0], middle))
            bounds = (middle, bounds[1])
        return await self._operated(course, choice, items, password, bounds)

    async def _led_in(
        self,
        course: _Course,
        choice: Choice,
        items: Sequence[_Item],
        password: str | None,
        bounds: tuple[float, float],
    ) -> Sequence[_Item]:
        """All of them as the ability takes them."""
        ready: list[_Item] = []
        share = (bounds[1] - bounds[0]) / len(items)
        for number, item in enumerate(items):
            if item.format is not None and self.offers.leads(choice.ability, item.format):
                begin = bounds[0] + number * share
                as_source = self.offers.lead(choice, item.format)
                ready.extend(await self._converted(course, as_source, item, password, (begin, begin + share)))
            else:
                ready.append(item)
        return ready

    async def _converted(
        self, course: _Course, step: OrderedStep, item: _Item, password: str | None, bounds: tuple[float, float]
    ) -> Sequence[_Item]:
        converted = await self._converter.convert(
            Assignment(
                source=item.path,
                filename=item.name,
                target_format=step.to or "",
                tier=replace(course.tier, max_wall_seconds=course.seconds_left()),
                source_format=item.format,
                options=step.options,
                password=password,
                party=course.task.party,
                fonts=course.task.fonts,
            ),
            workspace=course.next_workspace(),
            on_progress=course.progress.part(*bounds),
            cancel=course.cancel,
        )
        course.took(*converted.route)
        return [_item(product) for product in converted.products]

    async def _operated(
        self,
        course: _Course,
        choice: Choice,
        items: Sequence[_Item],
        password: str | None,
        bounds: tuple[float, float],
    ) -> Sequence[_Item]:
        work = await self._errand(course, choice, items, password, bounds)
        made = await self._operators.operator(choice.offer.operator).operate(work)
        products = await self._checked(course, work, made, items[0].name)
        course.took(self.offers.hop(choice.offer))
        return [_item(product) for product in products]

    async def _errand(
        self,
        course: _Course,
        choice: Choice,
        items: Sequence[_Item],
        password: str | None,
        bounds: tuple[float, float],
    ) -> Errand:
        workspace = course.next_workspace()
        sources = [workspace / "in" / _source_name(number, item.format) for number, item in enumerate(items, 1)]
        for item, source in zip(items, sources, strict=True):
            await asyncio.to_thread(hand_over, item.path, source, course.workspace)
        tier = course.tier
        return Errand(
            source=sources[0],
            sources=tuple(sources),
            names=tuple(unique([harmless(item.name) for item in items])),
            workspace=workspace,
            conversion=choice.ability,
            sandbox=self._sandbox,
            limits=course.limits(),
            options=choice.options,
            password=password,
            on_progress=course.progress.part(*bounds),
            cancel=course.cancel,
            max_pixels=tier.max_pixels,
            max_pages=tier.max_pages,
            party=course.task.party,
            fonts=course.task.fonts,
        )

    async def _checked(self, course: _Course, work: Errand, made: Sequence[Made], filename: str) -> Sequence[Product]:
        """The products, each as far as it says what it is: out of an archive comes what was in it."""
        if len(made) > 1 and not work.ability.many:
            raise OutputInvalid
        target = work.ability.target
        formats = [item.format if target == ANY else target for item in made]
        for format_id in dict.fromkeys(formats):
            paths = [item.path for item, is_a in zip(made, formats, strict=True) if is_a == format_id]
            await asyncio.to_thread(_check, paths, work.out, format_id, course.tier.max_output_bytes)
        if not made:
            raise OutputInvalid("The operation ended without a result.")
        sheets, course.fidelity = await self._looked_at(course, work, made, formats)
        names = names_of(work.ability, filename, made)
        return [
            await asyncio.to_thread(_described, item, name, format_id, facts)
            for item, name, format_id, facts in zip(made, names, formats, sheets, strict=True)
        ]

    async def _looked_at(
        self, course: _Course, work: Errand, made: Sequence[Made], formats: Sequence[str | None]
    ) -> tuple[Sequence[Mapping[str, float]], Fidelity | None]:
        """A fact sheet for each; and, of one document made of others, how true it is to them."""
        if not await asyncio.to_thread(measuring.is_measured, work, made):
            return await self._probed(course, work, made, formats), None
        elapsed = course.clock.monotonic() - course.started
        return await checks.probe_pages_beside(
            made[0].path,
            measuring.originals(work),
            self._sight(course, work),
            password=work.password,
            seconds=measuring.seconds_for(elapsed),
            looks=measuring.is_drawn(work, elapsed),
        )

    def _sight(self, course: _Course, work: Errand) -> checks.Sight:
        limits = course.limits(at_most=_PROBE_SECONDS)
        return checks.Sight(self._converter.looks, work.workspace, limits, course.task.party)

    async def _probed(
        self, course: _Course, work: Errand, made: Sequence[Made], formats: Sequence[str | None]
    ) -> Sequence[dict[str, float]]:
        """A fact sheet for each, from a reader that did not make it. Of what nobody vouched for there is none."""
        sheets: list[dict[str, float]] = [{} for _ in made]
        for format_id in dict.fromkeys(formats):
            if format_id is None:
                continue
            mine = [number for number, is_a in enumerate(formats) if is_a == format_id]
            products = [made[number].path for number in mine]
            found = await checks.probe(products, format_id, self._sight(course, work))
            for number, facts in zip(mine, found, strict=True):
                sheets[number] = dict(facts)
        return sheets


def _item(product: Product) -> _Item:
    return _Item(product.path, product.name, product.format, product)


def _source_name(number: int, format_id: str | None) -> str:
    ending = f".{FORMATS[format_id].extension}" if format_id else ""
    return f"input-{number:04}{ending}"


def _check(paths: Sequence[Path], out: Path, format_id: str | None, max_bytes: int) -> None:
    if format_id is None:
        checks.check_plain(paths, out, max_bytes=max_bytes)
    else:
        checks.check_files(paths, out, format_id, max_bytes=max_bytes)


def _described(made: Made, name: str, format_id: str | None, facts: Mapping[str, float]) -> Product:
    if format_id is None:
        found = detect(made.path, name).format or getattr(claimed_format(name), "id", None)
        return product_of(made.path, name, found, facts, checks.seen(made.path))
    return product_of(made.path, name, format_id, facts, checks.seen(made.path))


def _renamed(products: Sequence[Product]) -> tuple[Product, ...]:
    """No two of a job's outputs have one name."""
    names = unique([product.name for product in products])
    return tuple(replace(product, name=name) for product, name in zip(products, names, strict=True))
