"""An engine before and after an upgrade, over real files: WeasyPrint, and itself with other ideas of some pages."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from lxml import html
from PIL import Image, ImageChops

from filewright.chassis.sandbox.port import Sandbox
from filewright.converter.comparing.holding import Comparison, Verdict, compared
from filewright.converter.comparing.results import NotASavedSet, Result, ResultSet
from filewright.converter.comparing.running import Run
from filewright.converter.comparing.sheet import sheet
from filewright.converter.engines.port import Availability, Engine, Work
from filewright.converter.engines.weasyprint import WeasyPrint
from filewright.converter.errors import CorruptInput

_PAGES = {
    "kept.html": "<h1>Kept</h1><p>as it was",
    "moved.html": "<h1>Moved</h1>" + "<p>A line of words that stands somewhere else after the upgrade." * 9,
    "below/shorter.html": "<h1>Shorter</h1><p>These words stay, and <em>these do not</em>",
    "torn.html": "<p>cannot be read any more",
    "note.txt": "not for this engine",
}


class Upgraded:
    """The same engine in a version that sets some pages otherwise."""

    name, conversions = WeasyPrint.name, WeasyPrint.conversions

    def check(self) -> Availability:
        return Availability(available=True, version="next")

    async def convert(self, work: Work) -> Sequence[Path]:
        text = work.source.read_text()
        if "any more" in text:
            raise CorruptInput
        text = text.replace("<em>these do not</em>", "")
        text = text.replace("<h1>Moved</h1>", "<div style='height: 20em'></div><h1>Moved</h1>")
        work.source.write_text(text)
        return await WeasyPrint().convert(work)


async def made(engine: Engine, folder: Path, keep: Path, sandbox: Sandbox, jobs_dir: Path) -> ResultSet:
    found = {one.source: one async for one in Run(engine, sandbox, jobs_dir, keep).results(folder)}
    ResultSet(engine.name, engine.check().version, found, keep).write()
    return ResultSet.read(keep)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def comparison(
    sandbox: Sandbox, jobs_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Comparison]:
    """Both versions over the same folder."""
    folder, kept = tmp_path_factory.mktemp("files"), tmp_path_factory.mktemp("kept")
    for name, text in _PAGES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"<!doctype html><meta charset=utf-8><title>page</title>{text}")
    (folder / "note.txt").write_text(_PAGES["note.txt"])
    before = await made(WeasyPrint(), folder, kept / "before", sandbox, jobs_dir)
    (folder / "new.html").write_text("<p>came later")
    now = await made(Upgraded(), folder, kept / "now", sandbox, jobs_dir)
    yield await compared(before, now, sandbox=sandbox, jobs_dir=jobs_dir)


async def test_what_fails_and_what_looks_otherwise_stands_first(comparison: Comparison) -> None:
    first, *differ = comparison.pairs[:3]
    assert (first.source, first.verdict) == ("torn.html", Verdict.FAILS)
    assert {pair.source for pair in differ} == {"moved.html", "below/shorter.html"}
    assert {pair.verdict for pair in differ} == {Verdict.DIFFERS}
    assert differ[0].worst < differ[1].worst
    rest = {pair.source: pair.verdict for pair in comparison.pairs[3:]}
    assert rest.pop("new.html") is Verdict.ONLY_NOW
    assert set(rest) == {"kept.html"}, "what the engine does not take is left out"
    assert rest["kept.html"] in {Verdict.ALIKE, Verdict.SAME}
    assert comparison.is_worse


async def test_words_pages_and_looks_are_told_apart(comparison: Comparison) -> None:
    pairs = {pair.source: pair for pair in comparison.pairs}
    shorter, moved = pairs["below/shorter.html"], pairs["moved.html"]
    assert shorter.recall == pytest.approx(5 / 8)
    assert moved.recall == 1
    assert moved.worst is not None
    assert moved.worst < 0.8
    assert moved.worst_page == 1
    told = comparison.as_json()
    [torn] = [one for one in told["files"] if one["source"] == "torn.html"]
    assert (torn["now"]["code"], torn["before"]["pages"]) == ("corrupt_input", 1)
    assert (told["before"]["version"], told["now"]["version"]) == (WeasyPrint().check().version, "next")


async def test_the_sheet_shows_the_pages_that_changed_side_by_side(comparison: Comparison) -> None:
    shown = html.fromstring(sheet(comparison, most=1))
    assert len(shown.findall(".//section")) == 1
    pictures = [Image.open(io.BytesIO(_data(picture.get("src")))) for picture in shown.iter("img")]
    assert len(pictures) == 2
    assert max(pictures[0].size) == 900
    assert ImageChops.difference(*pictures).getbbox() is not None
    assert "torn.html" in shown.text_content()
    assert not shown.xpath("//script")


async def test_a_product_that_cannot_be_read_is_said_to_be_so(sandbox: Sandbox, jobs_dir: Path, tmp_path: Path) -> None:
    sets = [_set_of(tmp_path / name, data) for name, data in (("before", b"%PDF-1.4 torn"), ("now", b"%PDF-1.4 too"))]
    found = await compared(*sets, sandbox=sandbox, jobs_dir=jobs_dir)
    assert [pair.verdict for pair in found.pairs] == [Verdict.UNREADABLE]


async def test_another_file_of_the_same_name_is_not_compared(sandbox: Sandbox, jobs_dir: Path, tmp_path: Path) -> None:
    sets = [_set_of(tmp_path / name, b"%PDF", source) for name, source in (("before", "a" * 64), ("now", "b" * 64))]
    found = await compared(*sets, sandbox=sandbox, jobs_dir=jobs_dir)
    assert [pair.verdict for pair in found.pairs] == [Verdict.NOT_COMPARABLE]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 9}', '{"format": 1, "engine": "e", "version": "1"}'])
def test_what_is_no_saved_set_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(NotASavedSet):
        ResultSet.read(tmp_path)


@pytest.mark.parametrize("product", ["../../etc/passwd", "/etc/passwd", "products/gone.pdf"])
def test_a_set_names_only_what_is_its_own(tmp_path: Path, product: str) -> None:
    result = Result("a", "0" * 64, "pdf", 1.0, product=product)
    with pytest.raises(NotASavedSet):
        ResultSet("e", "1", {"a": result}, tmp_path).product_of(result)


def _set_of(folder: Path, data: bytes, sha256: str = "0" * 64) -> ResultSet:
    (folder / "products").mkdir(parents=True)
    (folder / "products" / "1.pdf").write_bytes(data)
    result = Result("a.html", sha256, "pdf", 1.0, products=1, digest=data.hex(), product="products/1.pdf")
    return ResultSet("e", "1", {"a.html": result}, folder)


def _data(uri: str) -> bytes:
    return base64.b64decode(uri.partition(",")[2])
