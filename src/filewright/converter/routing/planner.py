"""Find the cheapest chain of conversions from one format to another, and never one that makes no sense.

A route is a path in the graph of conversions. What it may be:

* at most three steps;
* nothing follows a step that takes a part out (`Loss.MOST`), that may make several files, or that pins what it finds
  to the places where it was seen (`facsimile`);
* nothing follows a step from something that holds pictures to bare text, which has no room for them;
* two steps that drop the layout (`Loss.LARGE`) are never chained, unless the first rebuilt a document from the look of
  its pages;
* what is taken for something more general (a book for XML, a 3D scene for JSON) becomes other writings of the same
  data, or another archive, and nothing further: a table or a page of it would show its brackets, not what it is for;
* a drawing, or what was made into one (a map, a plan), stays something to look at: drawings, pictures, PDF;
* no film is made of a still, and no sound of a film that holds none;
* once a picture, a sound or a film has been left or made, the kind of thing stays what it is: no photo becomes a
  Word document by way of a PDF, and no film becomes a slide show by way of a still.

"Cheapest" weighs CPU time, but a step more or a loss more weighs heavier than any engine's time, so that a direct and
faithful conversion wins. The planner is pure: same abilities, same answer, ties broken by their order.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

from filewright.converter.engines.port import Conversion, FormatId, Loss
from filewright.converter.errors import UnsupportedConversion, UnsupportedFormat
from filewright.converter.formats.catalogue import FORMATS, Family
from filewright.converter.formats.kinship import also
from filewright.converter.routing.usual import usual_targets

MAX_STEPS = 3
_STEP_WEIGHT = 1_000
_LOSS_WEIGHT = {Loss.NONE: 0, Loss.SMALL: 500, Loss.LARGE: 5_000, Loss.MOST: 10_000}
_LOST_AGAIN_WEIGHT = 1_500
_WITHOUT_STRUCTURE = frozenset({"txt", "opml", "pptx"})
"""Where a document's headings, lists and tables do not all stay what they are, or pages are what counts."""
_SENSES = frozenset({Family.IMAGE, Family.AUDIO, Family.VIDEO})
_DRAWINGS = frozenset({"svg", "eps", "emf", "wmf"})
"""Pictures of lines and text, which can go through a PDF and still be what they were."""
_MOVING = frozenset({"gif", "png", "webp", "avif"})
"""Pictures that may move, so that a film of them is one."""
_SILENT = frozenset({"y4m"})
"""Films that have no room for sound."""
_LOOKED_AT = frozenset({"drawing", Family.IMAGE, Family.PDF})
_BARE = frozenset(
    {"txt", "md", "rst", "adoc", "org", "tex", "typ", "textile", "mediawiki", "man", "docbook", "jats", "opml", "ipynb"}
)
"""Text in one file, whose pictures lie beside it and would stay behind."""
_WRITINGS = frozenset({"json", "ndjson", "yaml", "toml", "xml"})
"""Ways to write one and the same nested data down."""


@dataclass(frozen=True)
class Step:
    """One hop of a route, by one engine."""

    conversion: Conversion
    engine: str

    @cached_property
    def cost(self) -> int:
        """What the planner minimises the sum of."""
        return self.conversion.cost + _STEP_WEIGHT + _LOSS_WEIGHT[self.conversion.loss]

    @cached_property
    def changes_kind(self) -> bool:
        """Whether another kind of thing comes out than went in."""
        return _kind(self.conversion.source) != _kind(self.conversion.target)

    @cached_property
    def leaves_senses(self) -> bool:
        """Whether it leaves, or makes, a picture, a sound or a film."""
        return self.changes_kind and bool({_kind(self.conversion.source), _kind(self.conversion.target)} & _SENSES)

    @cached_property
    def draws(self) -> bool:
        """Whether it makes a drawing of what was none."""
        return self.changes_kind and _kind(self.conversion.target) == "drawing"

    @property
    def lossy(self) -> bool:
        """Whether a person would miss something: layout, or a part of the content."""
        return self.conversion.loss >= Loss.LARGE

    @property
    def drops_layout(self) -> bool:
        """Whether a layout that was there is there no more."""
        return self.conversion.loss is Loss.LARGE and not self.conversion.rebuilds

    @property
    def rebuilds(self) -> bool:
        """Whether the layout that comes out was guessed."""
        return self.conversion.loss is Loss.LARGE and self.conversion.rebuilds

    def hinders(self, later: Step) -> bool:
        """Whether a later step that drops the layout would be one too many."""
        return self.drops_layout or (self.rebuilds and later.conversion.target in _WITHOUT_STRUCTURE)

    def cost_after(self, *, rebuilt: bool) -> int:
        """The same, once a document was rebuilt: to drop a layout that was guessed is no great loss, as long as its
        headings, lists and tables are kept.
        """
        lost_again = rebuilt and self.conversion.loss is Loss.LARGE and self.conversion.target not in _WITHOUT_STRUCTURE
        return self.cost - (_LOSS_WEIGHT[Loss.LARGE] - _LOST_AGAIN_WEIGHT if lost_again else 0)

    @cached_property
    def rewrites(self) -> bool:
        """Whether the same data, or the same members, come out in another writing, whatever they are about."""
        ends = {self.conversion.source, self.conversion.target}
        return ends <= _WRITINGS or all(_kind(end) == Family.ARCHIVE for end in ends)


@dataclass(frozen=True)
class Route:
    """A chain of steps. The first step may take the source for a more general format (GeoJSON for JSON)."""

    source: FormatId
    target: FormatId
    steps: tuple[Step, ...]

    @property
    def cost(self) -> int:
        """What it was chosen for; never 0."""
        rebuilt = [False, *(step.rebuilds for step in self.steps)]
        return sum(step.cost_after(rebuilt=any(rebuilt[: n + 1])) for n, step in enumerate(self.steps))

    @property
    def loss(self) -> Loss:
        """The worst of its steps."""
        return max(step.conversion.loss for step in self.steps)

    @property
    def lossy(self) -> bool:
        return any(step.lossy for step in self.steps)

    @property
    def many(self) -> bool:
        """Whether it may give several files."""
        return self.steps[-1].conversion.many

    @property
    def cpu_seconds(self) -> float:
        """CPU time for a typical small file."""
        return sum(step.conversion.cost for step in self.steps) / 1000

    @property
    def options(self) -> Mapping[str, Mapping[str, object]]:
        """What the caller may set: the options of all steps; where two share a name, the later step's."""
        return {name: schema for step in self.steps for name, schema in step.conversion.options.items()}


class Planner:
    """Routes over a fixed set of abilities: pairs of an engine's name and a conversion."""

    def __init__(self, abilities: Iterable[tuple[str, Conversion]]) -> None:
        self._edges: dict[FormatId, list[Step]] = {}
        for engine, conversion in abilities:
            self._edges.setdefault(conversion.source, []).append(Step(conversion, engine))
        self._from: dict[FormatId, Mapping[FormatId, Route]] = {}
        self._searching = Lock()

    def cheapest(self, source: FormatId, target: FormatId, *, without: Collection[Step] = ()) -> Route:
        """The route to take; `without` leaves out steps that were tried and failed.

        Raises UnsupportedFormat when nothing at all can be made of the source, else UnsupportedConversion.
        """
        routes = self._routes(source) if not without else self._search(source, without)
        route = routes.get(target)
        if route is None:
            raise self._no_way(source, target)
        return route

    def targets(self, source: FormatId) -> Sequence[Route]:
        """The cheapest route to every format that can be made of this one, nearest first."""
        return sorted(self._routes(source).values(), key=lambda route: (route.cost, route.target))

    def sources(self) -> Sequence[FormatId]:
        """Every format that something can be made of, in the catalogue's order."""
        return [format_id for format_id in FORMATS if self._routes(format_id)]

    def _routes(self, source: FormatId) -> Mapping[FormatId, Route]:
        with self._searching:  # one thread may find them all beforehand while another asks
            if source not in self._from:
                self._from[source] = self._search(source)
            return self._from[source]

    def _search(self, source: FormatId, without: Collection[Step] = ()) -> Mapping[FormatId, Route]:
        """Dijkstra's algorithm over (format, what the path so far forbids)."""
        found: dict[FormatId, Route] = {}
        settled: set[_State] = set()
        cheapest: dict[_State, int] = {}
        starts = [
            _Path(0, (), _State(source, 0)),
            *(_Path(0, (), _State(place, 0, general=True)) for place in also(source)),
        ]
        waiting = [(path.cost, index, path) for index, path in enumerate(starts)]
        born = len(waiting)
        while waiting:
            _, _, path = heapq.heappop(waiting)
            if path.state in settled:
                continue
            settled.add(path.state)
            if path.steps and not _is_detour(path.steps, source):
                found.setdefault(path.state.place, Route(source, path.state.place, path.steps))
            if path.state.closed or path.state.steps == MAX_STEPS:
                continue
            for step in self._edges.get(path.state.place, ()):
                if step in without or (path.state.general and not step.rewrites):
                    continue
                if may_follow(path.steps, step):
                    longer = path.with_step(step)
                    if longer.cost < cheapest.get(longer.state, longer.cost + 1):
                        cheapest[longer.state] = longer.cost
                        born += 1
                        heapq.heappush(waiting, (longer.cost, born, longer))
        return found

    def _no_way(self, source: FormatId, target: FormatId) -> UnsupportedFormat | UnsupportedConversion:
        name = FORMATS[source].name if source in FORMATS else source
        nearest = usual_targets(source, [route.target for route in self.targets(source)], count=8)
        if not nearest:
            return UnsupportedFormat(f"Nothing can be made of {name} ({source}) here.")
        if target not in FORMATS:
            return UnsupportedConversion(f"There is no such target format. {name} can become: {', '.join(nearest)}, …")
        return UnsupportedConversion(
            f"There is no way from {name} ({source}) to {FORMATS[target].name} ({target}). "
            f"It can become: {', '.join(nearest)}, …"
        )


def may_follow(steps: Sequence[Step], step: Step) -> bool:
    """Whether a route that has these steps may go on with this one: the rules at the head of this module."""
    if not steps:
        return True
    if len(steps) >= MAX_STEPS or step.conversion.target in _places(steps):
        return False
    if ends_route(steps[-1].conversion):
        return False
    if step.conversion.loss is Loss.LARGE and any(before.hinders(step) for before in steps):
        return False
    if not _keeps_its_sense(steps, step):
        return False
    return not (step.changes_kind and any(before.leaves_senses for before in steps))


def _keeps_its_sense(steps: Sequence[Step], step: Step) -> bool:
    """Whether what the source is for is still there to be seen, or heard."""
    first, kind = steps[0].conversion.source, _kind(step.conversion.target)
    if kind not in _LOOKED_AT and (_kind(first) == "drawing" or any(before.draws for before in steps)):
        return False
    if kind == Family.VIDEO and _kind(first) == Family.IMAGE and first not in _MOVING:
        return False
    return kind != Family.AUDIO or first not in _SILENT


def ends_route(conversion: Conversion) -> bool:
    """Whether this can only be the last step."""
    leaves_pictures_behind = conversion.target in _BARE and conversion.source not in _BARE
    return conversion.loss is Loss.MOST or conversion.many or conversion.facsimile or leaves_pictures_behind


def _is_detour(steps: Sequence[Step], source: FormatId) -> bool:
    """Back to where it came from, taken for something more general."""
    return steps[-1].conversion.target == source != steps[0].conversion.source


def _places(steps: Sequence[Step]) -> set[FormatId]:
    return {steps[0].conversion.source, *(step.conversion.target for step in steps)}


def _kind(format_id: FormatId) -> str:
    entry = FORMATS.get(format_id)
    if entry is None:
        return ""
    return "drawing" if format_id in _DRAWINGS else entry.family


@dataclass(frozen=True)
class _State:
    """Where a path stands and what it may not do any more; a cheaper path in the same state is always as good."""

    place: FormatId
    steps: int
    closed: bool = False
    lost_layout: bool = False
    rebuilt: bool = False
    crossed: bool = False
    drawn: bool = False
    general: bool = False
    """It began by taking the source for something more general."""


@dataclass(frozen=True)
class _Path:
    cost: int
    steps: tuple[Step, ...]
    state: _State

    def with_step(self, step: Step) -> _Path:
        conversion = step.conversion
        state = _State(
            place=conversion.target,
            steps=self.state.steps + 1,
            closed=ends_route(conversion),
            lost_layout=self.state.lost_layout or step.drops_layout,
            rebuilt=self.state.rebuilt or step.rebuilds,
            crossed=self.state.crossed or step.leaves_senses,
            drawn=self.state.drawn or step.draws,
            general=self.state.general,
        )
        return _Path(self.cost + step.cost_after(rebuilt=self.state.rebuilt), (*self.steps, step), state)
