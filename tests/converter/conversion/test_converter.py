from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from filewright.chassis.sandbox.port import Sandbox
from filewright.converter.conversion.converter import Converter
from filewright.converter.conversion.orders import Assignment, Converted, Stage
from filewright.converter.engines.port import Availability, Conversion, Loss, Work
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.errors import (
    Cancelled,
    CorruptInput,
    EmptyInput,
    EngineCrashed,
    EngineMissing,
    InvalidOptions,
    OutputInvalid,
    PasswordRequired,
    ResourceLimit,
    Timeout,
    UnsupportedConversion,
)
from filewright.converter.tiers import LOCAL

Doing = Callable[[Work], Awaitable[Any]]


class Tool:
    """An engine that does what a test says."""

    def __init__(self, name: str, does: Doing, *conversions: Conversion, installed: bool = True) -> None:
        self.name = name
        self.conversions: Sequence[Conversion] = conversions
        self.works: list[Work] = []
        self._does = does
        self._installed = installed

    def check(self) -> Availability:
        return Availability(self._installed, "1.0", "the tool", "apt-get install tool")

    async def convert(self, work: Work) -> Sequence[Path]:
        self.works.append(work)
        await self._does(work)
        return sorted(work.out.iterdir())


def writes(data: bytes) -> Doing:
    async def does(work: Work) -> None:
        work.target.write_bytes(data)

    return does


def raises(error: Exception) -> Doing:
    async def does(work: Work) -> None:
        raise error

    return does


def edge(source: str, target: str, cost: int = 100, **more: Any) -> Conversion:
    return Conversion(source, target, cost, more.pop("loss", Loss.SMALL), **more)


HTML = b"<!DOCTYPE html><html><body><p>Hello</p></body></html>"
Convert = Callable[..., Awaitable[Converted]]


@pytest.fixture
def convert(sandbox: Sandbox, new_workspace: Callable[[], Path], tmp_path: Path) -> Convert:
    async def carried_out(
        *tools: Tool, data: bytes = b"# Hello\n", name: str = "notes.md", to: str, **more: Any
    ) -> Converted:
        source = tmp_path / "source"
        source.write_bytes(data)
        watched = {key: more.pop(key) for key in ("on_progress", "on_stage", "cancel") if key in more}
        assignment = Assignment(source, name, to, more.pop("tier", LOCAL), **more)
        return await Converter(Registry(tools), sandbox).convert(assignment, workspace=new_workspace(), **watched)

    return carried_out


async def test_a_picture_is_converted_and_described(convert: Convert) -> None:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(out, "PNG")
    done = await convert(*standard_engines(), data=out.getvalue(), name="../holiday/Sun & sea.PNG", to="jpeg")
    [product] = done.products
    assert (product.name, product.format, product.media_type) == ("Sun & sea.jpg", "jpg", "image/jpeg")
    assert (product.width, product.height) == (40, 30)
    data = product.path.read_bytes()
    assert (product.bytes, product.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    with Image.open(product.path) as picture:
        assert picture.format == "JPEG"


async def test_when_an_engine_crashes_the_next_one_does_it(convert: Convert) -> None:
    broken = Tool("broken", raises(EngineCrashed()), edge("md", "html", 1))
    sound = Tool("sound", writes(HTML), edge("md", "html", 50))
    done = await convert(broken, sound, to="html")
    assert [hop.engine for hop in done.route] == ["sound"]
    assert done.fallen_back_from == ("broken",)


@pytest.mark.requirement("F3")
async def test_an_engine_that_crashed_is_not_given_the_file_again_on_a_detour(convert: Convert) -> None:
    broken = Tool("broken", raises(EngineCrashed()), edge("md", "html", 1), edge("md", "rst"), edge("rst", "html"))
    with pytest.raises(EngineCrashed):
        await convert(broken, to="html")
    assert len(broken.works) == 1


@pytest.mark.requirement("S16")
@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n not a document", b"%PDF-1.7\nand then nothing of the sort\n%%EOF"]
)
async def test_a_product_that_is_not_what_was_asked_for_is_thrown_away(convert: Convert, data: bytes) -> None:
    with pytest.raises(OutputInvalid):
        await convert(Tool("liar", writes(data), edge("md", "pdf")), to="pdf")


async def test_a_file_with_nothing_to_write_down_is_told_as_empty_and_not_as_our_fault(convert: Convert) -> None:
    tools = [Tool(name, writes(b""), edge("html", "md")) for name in ("one", "two")]
    with pytest.raises(EmptyInput, match="nothing in the file that Markdown could hold"):
        await convert(*tools, data=HTML, name="page.html", to="md")
    assert [len(tool.works) for tool in tools] == [1, 1], "the other engine was asked, too"


async def test_an_empty_picture_is_the_engines_fault(convert: Convert) -> None:
    with pytest.raises(OutputInvalid):
        await convert(Tool("one", writes(b""), edge("md", "png")), to="png")


async def test_a_broken_product_of_one_engine_is_replaced_by_anothers(convert: Convert) -> None:
    liar = Tool("liar", writes(b"%PDF-1.7 no"), edge("md", "html", 1))
    done = await convert(liar, Tool("sound", writes(HTML), edge("md", "html", 9)), to="html")
    assert done.fallen_back_from == ("liar",)


@pytest.mark.requirement("B26")
async def test_a_link_to_a_file_of_this_machine_is_no_product(convert: Convert) -> None:
    async def links(work: Work) -> None:
        work.target.symlink_to("/etc/passwd")

    with pytest.raises(OutputInvalid):
        await convert(Tool("sly", links, edge("md", "txt")), to="txt")


async def test_more_bytes_than_the_tier_allows_are_refused(convert: Convert) -> None:
    tier = replace(LOCAL, max_output_bytes=1000)
    with pytest.raises(ResourceLimit):
        await convert(Tool("big", writes(b"words " * 1000), edge("md", "txt")), to="txt", tier=tier)


async def test_what_is_the_files_fault_is_never_tried_twice(convert: Convert) -> None:
    strict = Tool("strict", raises(CorruptInput("torn")), edge("md", "html", 1))
    other = Tool("other", writes(HTML), edge("md", "html", 9))
    with pytest.raises(CorruptInput, match="torn"):
        await convert(strict, other, to="html")
    assert other.works == []


async def test_an_engine_that_cannot_use_the_password_leaves_it_to_the_next(convert: Convert) -> None:
    unable = Tool("unable", raises(PasswordRequired()), edge("md", "html", 1))
    able = Tool("able", writes(HTML), edge("md", "html", 9))
    done = await convert(unable, able, to="html", password="secret")
    assert [work.password for work in able.works] == ["secret"]
    assert done.fallen_back_from == ("unable",)
    with pytest.raises(PasswordRequired):
        await convert(unable, able, to="html")


async def test_a_bad_product_between_two_steps_is_not_blamed_on_the_file(convert: Convert) -> None:
    first = Tool("first", writes(HTML), edge("md", "html", 1))
    second = Tool("second", raises(CorruptInput()), edge("html", "txt", 1))
    with pytest.raises(OutputInvalid):
        await convert(first, second, to="txt")


async def test_each_step_gets_the_product_before_it_in_a_place_of_its_own(convert: Convert) -> None:
    first = Tool("first", writes(HTML), edge("md", "html"))
    second = Tool("second", writes(b"Hello\n"), edge("html", "txt", loss=Loss.MOST))
    shown: list[float] = []
    stages: list[Stage] = []
    done = await convert(first, second, to="txt", on_progress=shown.append, on_stage=stages.append)
    assert [(hop.source, hop.target, hop.lossy) for hop in done.route] == [("md", "html", False), ("html", "txt", True)]
    [one], [two] = first.works, second.works
    assert two.source.name == "input.html"
    assert two.source.read_bytes() == HTML
    assert one.workspace != two.workspace
    assert shown == sorted(shown)
    assert shown[-1] == 1.0
    assert stages == [Stage.CONVERTING, Stage.CHECKING]


async def test_several_products_are_numbered_in_order(convert: Convert) -> None:
    async def pages(work: Work) -> None:
        for number in range(1, 12):
            (work.out / f"output-{number:04d}.txt").write_text(f"page {number}")

    done = await convert(Tool("pager", pages, edge("md", "txt", many=True)), to="txt", name="Bericht März.md")
    assert [product.name for product in done.products][:2] == ["Bericht März-01.txt", "Bericht März-02.txt"]
    assert [product.path.read_text() for product in done.products] == [f"page {n}" for n in range(1, 12)]


async def test_a_missing_engine_is_named_with_the_line_that_installs_it(convert: Convert) -> None:
    absent = Tool("absent", writes(b""), edge("md", "pdf"), installed=False)
    present = Tool("present", writes(HTML), edge("md", "html"))
    with pytest.raises(EngineMissing, match=r"absent.*apt-get install tool"):
        await convert(absent, present, to="pdf")
    with pytest.raises(UnsupportedConversion):
        await convert(absent, present, to="mp4")


QUALITY = {"quality": {"type": "integer", "minimum": 1, "maximum": 100, "default": 80, "description": "How good."}}


async def test_options_reach_the_engine_checked_and_with_defaults(convert: Convert) -> None:
    tool = Tool("tool", writes(HTML), edge("md", "html", options=QUALITY))
    await convert(tool, to="html")
    await convert(tool, to="html", options={"quality": 7})
    assert [dict(work.options) for work in tool.works] == [{"quality": 80}, {"quality": 7}]


@pytest.mark.parametrize("options", [{"colour": "red"}, {"quality": 1000}, {"quality": "high"}])
async def test_a_wrong_option_is_named_with_what_would_be_right(convert: Convert, options: dict[str, Any]) -> None:
    tool = Tool("tool", writes(HTML), edge("md", "html", options=QUALITY))
    with pytest.raises(InvalidOptions, match="quality") as refused:
        await convert(tool, to="html", options=options)
    assert refused.value.errors[0].pointer == f"/options/{next(iter(options))}"
    assert tool.works == []


async def test_an_option_that_only_a_dearer_engine_has_chooses_that_engine(convert: Convert) -> None:
    cheap = Tool("cheap", writes(HTML), edge("md", "html", 1))
    able = Tool("able", writes(HTML), edge("md", "html", 900, options=QUALITY))
    done = await convert(cheap, able, to="html", options={"quality": 5})
    assert [hop.engine for hop in done.route] == ["able"]


async def sleeps(work: Work) -> None:
    await work.command("sleep", "60")


async def test_setting_cancel_ends_a_running_conversion(convert: Convert) -> None:
    cancel = asyncio.Event()
    tool = Tool("slow", sleeps, edge("md", "html"))
    running = asyncio.create_task(convert(tool, to="html", cancel=cancel))
    while not tool.works:
        await asyncio.sleep(0.01)
    cancel.set()
    with pytest.raises(Cancelled):
        await asyncio.wait_for(running, 5)


async def test_the_time_of_the_tier_is_for_all_steps_together(convert: Convert) -> None:
    tier = replace(LOCAL, max_wall_seconds=0.5)
    with pytest.raises(Timeout):
        await asyncio.wait_for(convert(Tool("slow", sleeps, edge("md", "html")), to="html", tier=tier), 10)


async def test_the_users_own_file_is_out_of_reach_of_an_engine(convert: Convert, tmp_path: Path) -> None:
    async def scribbles(work: Work) -> None:
        work.source.write_bytes(b"scribbled")
        work.target.write_bytes(HTML)

    await convert(Tool("rude", scribbles, edge("md", "html")), to="html")
    assert (tmp_path / "source").read_bytes() == b"# Hello\n"
