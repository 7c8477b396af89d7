"""Documents that are mostly text, between each other: pandoc, with its own sandbox inside ours.

Input that is not UTF-8 is brought to UTF-8 first (`inside.text`). Web pages come out whole, with their pictures inside.
Printing belongs to `typst` and `weasyprint`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.port import Ending, Outcome
from filewright.converter.engines.pandoc_filters import MARKUPS, WITHOUT_PICTURES, filters_of, picture_options
from filewright.converter.engines.port import Availability, Conversion, Loss, Work
from filewright.converter.engines.utf8 import as_utf8
from filewright.converter.errors import CorruptInput, EngineCrashed, ResourceLimit
from filewright.converter.formats.catalogue import FORMATS

_MARKDOWN = "markdown+autolink_bare_uris+lists_without_preceding_blankline+emoji"

READERS: Mapping[str, str] = {
    "md": _MARKDOWN,
    "html": "html",
    "rst": "rst",
    "adoc": "asciidoc",
    "org": "org",
    "tex": "latex",
    "typ": "typst",
    "textile": "textile",
    "mediawiki": "mediawiki",
    "docbook": "docbook",
    "jats": "jats",
    "ipynb": "ipynb",
    "opml": "opml",
    "man": "man",
    "csv": "csv",
    "tsv": "tsv",
    "docx": "docx",
    "odt": "odt",
    "rtf": "rtf",
    "epub": "epub",
    "fb2": "fb2",
    "pptx": "pptx",
}
"""Format to the name of pandoc's reader."""

WRITERS: Mapping[str, str] = {
    "html": "html5",
    "md": "gfm",
    "txt": "plain",
    "docx": "docx",
    "odt": "odt",
    "rtf": "rtf",
    "epub": "epub3",
    "fb2": "fb2",
    "rst": "rst",
    "adoc": "asciidoc",
    "org": "org",
    "tex": "latex",
    "typ": "typst",
    "textile": "textile",
    "mediawiki": "mediawiki",
    "docbook": "docbook5",
    "jats": "jats",
    "ipynb": "ipynb",
    "opml": "opml",
    "man": "man",
    "pptx": "pptx",
}
"""Format to the name of pandoc's writer."""

_LAID_OUT = frozenset({"docx", "odt", "rtf", "pptx"})
"""Formats with a layout, of which pandoc reads and writes the content only."""
_TABLES = frozenset({"csv", "tsv"})
_COST = {"docx": 83, "odt": 78, "epub": 84, "fb2": 70, "pptx": 90, "rst": 32, "tex": 48, "html": 52, "rtf": 900}
"""RTF costs more than a way by anything else: as pandoc writes it, it has no styles and no formulas."""
_READ_COST = {"docx": 110, "odt": 110, "epub": 120, "pptx": 120, "rtf": 3_000}
"""RTF costs more than the way through LibreOffice, which reads the code pages of every language; pandoc only Latin."""

_TABLE_OF_CONTENTS = {"toc": {"type": "boolean", "default": False, "description": "Put a table of contents in front"}}
_SECTIONS = {"number_sections": {"type": "boolean", "default": False, "description": "Number the headings"}}
_WITH_CONTENTS = frozenset({"html", "docx", "odt", "rtf", "epub", "tex", "typ", "md", "rst"})

_INSIDE = {"1.17": "3.9"}
"""The wheel's version to that of the pandoc in it, which nothing but the program itself would tell."""
_INCLUDING = frozenset({"adoc", "rst"})
_INCLUDES = "filewright.converter.engines.inside.includes"
_HEAP_EXHAUSTED = 251
_RESOURCE_MISSING = 99


def _loss(source: str, target: str) -> Loss:
    if target == "txt":
        return Loss.MOST
    if source in _LAID_OUT or target == "opml":
        return Loss.LARGE
    return Loss.SMALL


def _conversions() -> tuple[Conversion, ...]:
    return tuple(
        Conversion(
            source,
            target,
            cost=40 + _READ_COST.get(source, 0) + _COST.get(target, 30),
            loss=_loss(source, target),
            options=_options(source, target),
        )
        for source in READERS
        for target in WRITERS
        if source != target and not (source in _TABLES and target in {"opml", "pptx", "man"})
    )


def _options(source: str, target: str) -> Mapping[str, Mapping[str, Any]]:
    contents = {**_TABLE_OF_CONTENTS, **_SECTIONS} if target in _WITH_CONTENTS and source not in _TABLES else {}
    return {**contents, **picture_options(source, target)}


class Pandoc:
    """The command in the `pypandoc-binary` wheel (GPL-2, run as a separate program)."""

    name = "pandoc"
    conversions: Sequence[Conversion] = _conversions()

    def check(self) -> Availability:
        try:
            wheel = version("pypandoc-binary")
        except PackageNotFoundError:
            return Availability(available=False, missing="pandoc", install="pip install pypandoc-binary")
        return Availability(available=program().is_file(), version=_INSIDE.get(wheel, f"of wheel {wheel}"))

    async def convert(self, work: Work) -> Sequence[Path]:
        source = await as_utf8(work) if FORMATS[work.conversion.source].text else work.source
        await write(work, source, WRITERS[work.conversion.target], work.target)
        return [work.target]


def program() -> Path:
    """Where the wheel keeps the executable; found without importing the wheel."""
    spec = find_spec("pypandoc")
    locations = spec.submodule_search_locations if spec else None
    return Path(next(iter(locations or ["/nowhere"])), "files", "pandoc")


async def write(work: Work, source: Path, writer: str, target: Path, *more: str) -> None:
    """Run pandoc from `source` to `target`. Raises CorruptInput when it cannot read the source."""
    filters = filters_of(work.conversion, work.options)
    outcome = await _run(work, source, writer, target, more, filters)
    if outcome.exit_code == _RESOURCE_MISSING and work.conversion.source in _INCLUDING:
        # The readers of these give up over a file that is not there, where those of others go on without it.
        source = await _without_includes(work, source)
        outcome = await _run(work, source, writer, target, more, filters)
    if outcome.exit_code == _RESOURCE_MISSING:
        # Some writers (pptx) give up over one missing picture, where others leave it out.
        outcome = await _run(work, source, writer, target, more, [WITHOUT_PICTURES, *filters])
    _judge(outcome, target)


async def _run(
    work: Work, source: Path, writer: str, target: Path, more: Sequence[str], filters: Sequence[Path]
) -> Outcome:
    return await work.command(
        str(program()),
        "--sandbox",
        f"--from={_reader(work.conversion)}",
        f"--to={writer}",
        "--standalone",
        "--wrap=none",
        f"--output={work.inside(target)}",
        *_flags(work.options),
        *_writer_flags(writer),
        *(f"--lua-filter={path}" for path in filters),
        *more,
        work.inside(source),
        readable=(program(), *filters),
    )


async def _without_includes(work: Work, source: Path) -> Path:
    copy = work.workspace / "tmp" / f"whole{source.suffix}"
    await work.python(
        f"{_INCLUDES}:leave_out",
        warm=(_INCLUDES,),
        source=work.inside(source),
        target=work.inside(copy),
        format_id=work.conversion.source,
    )
    return copy


def _reader(conversion: Conversion) -> str:
    """With boxes of its own the reader of web pages passes over all that stands beside a page's main part."""
    plain = conversion.source == "html" and conversion.target in MARKUPS
    return READERS[conversion.source] + ("-native_divs-native_spans" if plain else "")


def _flags(options: Mapping[str, Any]) -> list[str]:
    flags = {"toc": "--toc", "number_sections": "--number-sections"}
    return [flag for name, flag in flags.items() if options.get(name)]


def _writer_flags(writer: str) -> list[str]:
    if writer == "html5":
        return ["--embed-resources", "--mathml"]
    return []


def _judge(outcome: Outcome, target: Path) -> None:
    if outcome.exit_code == _HEAP_EXHAUSTED:
        raise ResourceLimit
    if outcome.ending is Ending.FAILED:
        raise CorruptInput("The document could not be read: it does not follow the rules of its format.")
    if not target.is_file():
        raise EngineCrashed
