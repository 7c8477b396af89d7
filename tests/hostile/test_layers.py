"""Each layer alone: the sandbox around engines that trust everything, and careful engines with hardly a sandbox.

Every case runs four times. With both layers off the bait must be taken, or the other three runs prove nothing. What a
layer does not hold by itself is said in docs/security.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from makers.attack import Bait
from makers.packages import opendocument
from oracles.stripping import Stripped

from filewright.chassis.sandbox.port import Limits, Sandbox, SandboxLevel
from filewright.chassis.sandbox.workspace import Workspace
from filewright.chassis.testing.sandbox import sandbox_of
from filewright.converter.engines.ffmpeg import FFmpeg
from filewright.converter.engines.ghostscript import Ghostscript
from filewright.converter.engines.libreoffice import LibreOffice
from filewright.converter.engines.pandoc import Pandoc
from filewright.converter.engines.port import Engine, Work
from filewright.converter.engines.typst import Typst
from filewright.converter.engines.weasyprint import WeasyPrint
from filewright.converter.errors import ConversionError
from filewright.converter.formats.catalogue import FORMATS

LIMITS = Limits(wall_seconds=40, memory_bytes=1 << 30)


@dataclass(frozen=True)
class Case:
    """A file that a trusting engine falls for; `takes` is what then shows: a hit, a secret, or a written file."""

    name: str
    engine: Callable[[], Engine]
    source: str
    target: str
    make: Callable[[Bait], bytes]
    takes: str
    ids: tuple[str, ...]


def _postscript(bait: Bait) -> bytes:
    read = f"({bait.file}) (r) file 200 string readstring pop show"
    write = f"({bait.pwned}) (w) file dup (x) writestring closefile"
    font = "/Helvetica findfont 9 scalefont setfont 20 700 moveto"
    return f"%!PS\n{font} {{ {read} }} stopped pop clear {{ {write} }} stopped pop clear showpage\n".encode()


def _image(bait: Bait) -> bytes:
    frame = (
        '<text:p><draw:frame svg:width="2cm" svg:height="2cm"><draw:image xlink:href="{}" xlink:type="simple" '
        'xlink:show="embed" xlink:actuate="onLoad"/></draw:frame></text:p>'
    )
    return opendocument("text", "".join(frame.format(f"{url}/x.png") for url in bait.urls), flat=True)


def _html(bait: Bait) -> bytes:
    return f"<p>x</p><iframe src='{bait.url}/i'></iframe><img src='{bait.url}/x.png'>".encode()


def _styled(bait: Bait) -> bytes:
    fetched = "".join(f"<link rel=stylesheet href='{url}/s.css'><img src='{url}/x.png'>" for url in bait.urls)
    return f"<p>x</p>{fetched}<link rel=attachment href='file://{bait.file}'>".encode()


def _rst(bait: Bait) -> bytes:
    return f"x\n\n.. include:: {bait.file}\n".encode()


def _org(bait: Bait) -> bytes:
    return f'* x\n#+INCLUDE: "{bait.file}"\n'.encode()


def _list(bait: Bait) -> bytes:
    return f"ffconcat version 1.0\nfile '{bait.url}/v.mkv'\n".encode()


CASES = (
    Case("pandoc fetches a frame", Pandoc, "html", "docx", _html, "hit", ("B10",)),
    Case("pandoc includes a file", Pandoc, "rst", "html", _rst, "secret", ("B9",)),
    Case("pandoc includes a file in org", Pandoc, "org", "md", _org, "secret", ("B9",)),
    Case("weasyprint fetches styles", WeasyPrint, "html", "pdf", _styled, "hit", ("B12",)),
    Case("weasyprint attaches a file", WeasyPrint, "html", "pdf", _styled, "secret", ("B13",)),
    Case("typst reads a file", Typst, "typ", "pdf", lambda bait: f'#read("{bait.file}")'.encode(), "secret", ("B9",)),
    Case("libreoffice fetches a picture", LibreOffice, "fodt", "pdf", _image, "hit", ("B1",)),
    Case("ghostscript reads a file", Ghostscript, "ps", "pdf", _postscript, "secret", ("B16",)),
    Case("ghostscript writes a file", Ghostscript, "ps", "pdf", _postscript, "file", ("B16",)),
    Case("ffmpeg follows a list", FFmpeg, "mkv", "mp4", _list, "hit", ("B18",)),
)  # fmt: skip


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def levels(jobs_dir: Path) -> AsyncIterator[Callable[[SandboxLevel], Sandbox]]:
    """A sandbox of each level."""
    async with AsyncExitStack() as closing:
        made: dict[SandboxLevel, Sandbox] = {}
        for level in SandboxLevel:
            made[level] = sandbox_of(level, jobs_dir)
            closing.push_async_callback(made[level].close)
        yield made.__getitem__


async def harm(case: Case, sandbox: Sandbox, bait: Bait, jobs_dir: Path) -> set[str]:
    """What the file achieved."""
    bait.canaries.take()
    bait.pwned.unlink(missing_ok=True)
    engine = case.engine()
    conversion = next(c for c in engine.conversions if (c.source, c.target) == (case.source, case.target))
    achieved = set()
    with Workspace.create(jobs_dir) as workspace:
        source = workspace.inputs / f"input.{FORMATS[case.source].extension}"
        source.write_bytes(case.make(bait))
        defaults = {name: schema["default"] for name, schema in conversion.options.items() if "default" in schema}
        work = Work(source, workspace.path, conversion, sandbox, LIMITS, defaults)
        try:
            products = await engine.convert(work)
        except ConversionError:
            products = [path for path in workspace.out.rglob("*") if path.is_file()]
        achieved |= {"secret" for product in products if product.is_file() and bait.planted.found_in_file(product)}
    achieved |= {"hit" for _ in bait.canaries.take()}
    achieved |= {"file" for _ in bait.planted.written()}
    bait.pwned.unlink(missing_ok=True)
    return achieved


def cases() -> list[object]:
    return [pytest.param(case, id=case.name, marks=pytest.mark.requirement(*case.ids)) for case in CASES]


@pytest.mark.parametrize("case", cases())
@pytest.mark.sampled(2)
async def test_the_bait_is_real(
    case: Case, levels: Callable[[SandboxLevel], Sandbox], bait: Bait, jobs_dir: Path
) -> None:
    trusting = Stripped(levels(SandboxLevel.LIMITED))
    assert case.takes in await harm(case, trusting, bait, jobs_dir)


@pytest.mark.parametrize("level", [SandboxLevel.CONFINED, SandboxLevel.ISOLATED], ids=lambda level: level.name.lower())
@pytest.mark.parametrize("case", cases())
@pytest.mark.sampled(4)
async def test_the_sandbox_alone_holds_engines_that_trust_everything(
    case: Case, level: SandboxLevel, levels: Callable[[SandboxLevel], Sandbox], bait: Bait, jobs_dir: Path
) -> None:
    trusting = Stripped(levels(level))
    assert await harm(case, trusting, bait, jobs_dir) == set()
    assert trusting.stripped, "no protection was taken away: this run proves nothing"


@pytest.mark.parametrize("case", cases())
@pytest.mark.sampled(3)
async def test_careful_engines_alone_are_not_fooled(
    case: Case, levels: Callable[[SandboxLevel], Sandbox], bait: Bait, jobs_dir: Path
) -> None:
    """With time and memory limits and an empty environment only: network and files are within reach."""
    assert await harm(case, levels(SandboxLevel.LIMITED), bait, jobs_dir) == set()
