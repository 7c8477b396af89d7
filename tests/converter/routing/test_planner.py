from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filewright.converter.engines.port import Conversion, Loss
from filewright.converter.errors import UnsupportedConversion, UnsupportedFormat
from filewright.converter.formats.catalogue import FORMATS, Family
from filewright.converter.routing.planner import MAX_STEPS, Planner, Route, Step

PLACES = ("docx", "pdf", "html", "png", "jpg", "mp4", "svg", "csv", "md", "rst", "txt")
BARE = {"md", "rst", "txt"}
SENSES = {Family.IMAGE, Family.AUDIO, Family.VIDEO}

conversions = st.builds(
    Conversion,
    source=st.sampled_from(PLACES),
    target=st.sampled_from(PLACES),
    cost=st.integers(0, 3000),
    loss=st.sampled_from(Loss),
    many=st.booleans(),
    facsimile=st.booleans(),
    rebuilds=st.booleans(),
)
graphs = st.lists(st.tuples(st.sampled_from(["one", "two"]), conversions), max_size=24)


def edge(source: str, target: str, cost: int = 100, loss: Loss = Loss.SMALL, **more: bool) -> Conversion:
    return Conversion(source, target, cost, loss, **more)


def planner(*conversions: Conversion) -> Planner:
    return Planner([("engine", conversion) for conversion in conversions])


def kind(place: str) -> str:
    return "drawing" if place in {"svg", "eps", "emf", "wmf"} else FORMATS[place].family


def makes_sense(steps: Sequence[Step]) -> bool:
    """The rules once more, written from what they say and not from how they are searched."""
    edges = [step.conversion for step in steps]
    places = [edges[0].source, *(e.target for e in edges)]
    if len(steps) > MAX_STEPS or any(a.target != b.source for a, b in pairwise(edges)):
        return False
    if len(steps) > 1 and len(set(places)) != len(places):
        return False
    if any(e.many or e.facsimile or e.loss is Loss.MOST for e in edges[:-1]):
        return False
    if any(e.target in BARE and e.source not in BARE for e in edges[:-1]):
        return False
    large = [e for e in edges if e.loss is Loss.LARGE]
    if any(
        not e.rebuilds or later.target in {"txt", "opml", "pptx"}
        for n, e in enumerate(large)
        for later in large[n + 1 :]
    ):
        return False
    if not all(keeps_its_sense(edges[:number], e.target) for number, e in enumerate(edges) if number):
        return False
    changes = [e for e in edges if kind(e.source) != kind(e.target)]
    return not any({kind(e.source), kind(e.target)} & SENSES for e in changes[:-1])


def keeps_its_sense(before: Sequence[Conversion], target: str) -> bool:
    """A drawing stays to be looked at, and a film is made of what moves."""
    drawn = kind(before[0].source) == "drawing" or any(kind(e.source) != kind(e.target) == "drawing" for e in before)
    if drawn and kind(target) not in {"drawing", Family.IMAGE, Family.PDF}:
        return False
    return not (kind(target) == Family.VIDEO and kind(before[0].source) == Family.IMAGE and before[0].source != "png")


def all_routes(graph: Sequence[tuple[str, Conversion]], source: str, target: str) -> Iterator[tuple[Step, ...]]:
    steps = [Step(conversion, engine) for engine, conversion in graph]
    waiting: list[tuple[Step, ...]] = [(step,) for step in steps if step.conversion.source == source]
    while waiting:
        path = waiting.pop()
        if not makes_sense(path):
            continue
        if path[-1].conversion.target == target:
            yield path
        waiting += [(*path, step) for step in steps if step.conversion.source == path[-1].conversion.target]


@given(graph=graphs, source=st.sampled_from(PLACES), target=st.sampled_from(PLACES))
@settings(max_examples=150, deadline=None)
def test_a_route_is_the_cheapest_of_all_that_make_sense(
    graph: list[tuple[str, Conversion]], source: str, target: str
) -> None:
    possible = list(all_routes(graph, source, target))
    try:
        found = Planner(graph).cheapest(source, target)
    except (UnsupportedFormat, UnsupportedConversion):
        assert possible == []
        return
    assert (found.source, found.target) == (source, target)
    assert found.steps[0].conversion.source == source
    assert found.steps[-1].conversion.target == target
    assert makes_sense(found.steps)
    assert found.cost == min(Route(source, target, route).cost for route in possible)


@given(graph=graphs, source=st.sampled_from(PLACES))
@settings(max_examples=60, deadline=None)
def test_the_same_abilities_give_the_same_routes(graph: list[tuple[str, Conversion]], source: str) -> None:
    assert Planner(graph).targets(source) == Planner(list(graph)).targets(source)


@given(graph=graphs, source=st.sampled_from(PLACES))
@settings(max_examples=60, deadline=None)
def test_every_target_that_is_shown_can_be_planned(graph: list[tuple[str, Conversion]], source: str) -> None:
    routes = Planner(graph)
    for shown in routes.targets(source):
        assert routes.cheapest(source, shown.target) == shown


def names(route: Route) -> list[str]:
    return [route.steps[0].conversion.source, *(step.conversion.target for step in route.steps)]


def test_a_direct_conversion_beats_a_chain_of_quicker_ones() -> None:
    chosen = planner(edge("docx", "pdf", 800), edge("docx", "html", 10), edge("html", "pdf", 10))
    assert names(chosen.cheapest("docx", "pdf")) == ["docx", "pdf"]


def test_a_chain_that_keeps_the_layout_beats_a_direct_conversion_that_drops_it() -> None:
    chosen = planner(edge("doc", "pdf", 10, Loss.LARGE), edge("doc", "docx", 500), edge("docx", "pdf", 500))
    assert names(chosen.cheapest("doc", "pdf")) == ["doc", "docx", "pdf"]


def test_what_only_looks_like_the_page_is_the_end_of_its_way() -> None:
    routes = planner(edge("pdf", "html", facsimile=True), edge("html", "md"))
    assert names(routes.cheapest("pdf", "html")) == ["pdf", "html"]
    with pytest.raises(UnsupportedConversion):
        routes.cheapest("pdf", "md")


def test_text_is_made_of_a_rebuilt_document_rather_than_of_lines() -> None:
    rebuilding = edge("pdf", "docx", 600, Loss.LARGE, rebuilds=True)
    routes = planner(
        rebuilding,
        edge("docx", "md", 180, Loss.LARGE),
        edge("pdf", "html", 2_000, Loss.LARGE),
        edge("html", "md", 70),
        edge("pdf", "txt", 20, Loss.MOST),
        edge("docx", "txt", 20, Loss.LARGE),
    )
    assert names(routes.cheapest("pdf", "md")) == ["pdf", "docx", "md"]
    assert names(routes.cheapest("pdf", "md", without=[Step(rebuilding, "engine")])) == ["pdf", "html", "md"]
    assert names(routes.cheapest("pdf", "txt")) == ["pdf", "txt"], "its headings would be lost all the same"


def test_a_photo_does_not_become_a_document_by_way_of_a_pdf() -> None:
    routes = planner(edge("jpg", "pdf"), edge("pdf", "docx", loss=Loss.LARGE))
    with pytest.raises(UnsupportedConversion, match=r"JPEG image \(jpg\) to Word document"):
        routes.cheapest("jpg", "docx")


def test_a_film_does_not_become_another_film_by_way_of_a_picture() -> None:
    with pytest.raises(UnsupportedConversion):
        planner(edge("mp4", "gif"), edge("gif", "webm")).cheapest("mp4", "webm")


def test_a_photo_may_change_its_format_before_it_is_put_on_a_page() -> None:
    assert names(planner(edge("heic", "jpg"), edge("jpg", "pdf")).cheapest("heic", "pdf")) == ["heic", "jpg", "pdf"]


def test_nothing_follows_a_step_that_may_make_several_files() -> None:
    with pytest.raises(UnsupportedConversion):
        planner(edge("pdf", "png", many=True), edge("png", "webp")).cheapest("pdf", "webp")


def test_a_book_does_not_lose_its_pictures_on_the_way_to_a_pdf() -> None:
    routes = planner(edge("epub", "md", 1), edge("md", "pdf", 1), edge("epub", "docx", 900), edge("docx", "pdf", 900))
    assert names(routes.cheapest("epub", "pdf")) == ["epub", "docx", "pdf"]
    assert names(planner(edge("rst", "md"), edge("md", "pdf")).cheapest("rst", "pdf")) == ["rst", "md", "pdf"]


def test_what_cannot_be_read_at_all_is_an_unsupported_format() -> None:
    with pytest.raises(UnsupportedFormat):
        planner(edge("docx", "pdf")).cheapest("mobi", "pdf")


def test_a_step_that_failed_is_left_out_and_the_next_best_is_taken() -> None:
    routes = Planner([("quick", edge("md", "pdf", 10)), ("slow", edge("md", "pdf", 99))])
    first = routes.cheapest("md", "pdf")
    assert first.steps[0].engine == "quick"
    assert routes.cheapest("md", "pdf", without=first.steps).steps[0].engine == "slow"


def test_what_can_be_done_with_json_can_be_done_with_a_map_in_json() -> None:
    route = planner(edge("json", "yaml")).cheapest("geojson", "yaml")
    assert (route.source, route.target, names(route)) == ("geojson", "yaml", ["json", "yaml"])


def test_a_model_in_json_becomes_other_writings_of_it_and_no_table_of_its_brackets() -> None:
    routes = planner(edge("json", "yaml"), edge("json", "csv"), edge("csv", "docx"), edge("yaml", "xml"))
    assert [route.target for route in routes.targets("gltf")] == ["yaml", "xml"]
    assert {route.target for route in routes.targets("json")} == {"yaml", "csv", "docx", "xml"}


def test_a_drawing_does_not_become_a_text_by_way_of_a_pdf() -> None:
    routes = planner(edge("svg", "pdf"), edge("pdf", "docx", loss=Loss.LARGE), edge("pdf", "png", loss=Loss.MOST))
    assert {route.target for route in routes.targets("svg")} == {"pdf", "png"}
    assert {route.target for route in routes.targets("pdf")} == {"docx", "png"}


def test_a_map_that_was_drawn_stays_a_drawing() -> None:
    routes = planner(
        edge("kml", "svg"), edge("svg", "pdf"), edge("pdf", "txt", loss=Loss.MOST), edge("kml", "csv", 500)
    )
    assert {route.target for route in routes.targets("kml")} == {"svg", "pdf", "csv"}


def test_a_still_becomes_no_film_and_what_may_move_does() -> None:
    routes = planner(edge("jpg", "gif"), edge("png", "gif"), edge("gif", "mp4"))
    assert {route.target for route in routes.targets("jpg")} == {"gif"}
    assert {route.target for route in routes.targets("png")} == {"gif", "mp4"}


def test_a_film_without_room_for_sound_becomes_no_sound() -> None:
    routes = planner(edge("y4m", "mkv"), edge("mkv", "mp3", loss=Loss.MOST))
    assert {route.target for route in routes.targets("y4m")} == {"mkv"}
    assert {route.target for route in routes.targets("mkv")} == {"mp3"}


def test_a_refusal_names_what_people_usually_want() -> None:
    routes = planner(edge("jpg", "tga", 1), edge("jpg", "png", 50), edge("jpg", "pdf", 60))
    with pytest.raises(UnsupportedConversion, match=r"It can become: png, pdf, tga"):
        routes.cheapest("jpg", "docx")
