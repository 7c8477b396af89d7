"""Files made harmless: without scripts, macros, links, embedded files and metadata. Runs in the sandbox.

`pdf`, `ooxml`, `opendocument` and `markup` take apart what a file is made of and put together what does no harm of it.
Of a picture nothing is kept but its pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.child import Refusal, Report

_OPEN_DOCUMENT = frozenset({"odt", "ott", "fodt", "ods", "fods", "odp", "fodp", "odg"})
_OFFICE = frozenset({"docx", "dotx", "docm", "xlsx", "xltx", "xlsm", "pptx", "ppsx", "potx", "pptm"})


def operate(
    *,
    report: Report,
    operation: str,
    sources: Sequence[str],
    names: Sequence[str],
    source_format: str,
    target: str,
    options: Mapping[str, Any],
    password: str | None,
    max_pixels: int,
    max_pages: int,
) -> list[str]:
    """Write `out/output.<target>`. Modules are imported as they are needed: each has a large library of its own."""
    source, out = Path(sources[0]), Path("out") / f"output.{target}"
    if source_format == "pdf":
        _pdf(str(source), options, password, max_pixels, max_pages, report)
    elif source_format in _OFFICE | _OPEN_DOCUMENT:
        _office(source, source_format, out, password, report)
    elif source_format in {"html", "svg"}:
        from filewright.converter.operations.inside.sanitizing import markup  # noqa: PLC0415

        (markup.clean_page if source_format == "html" else markup.clean_drawing)(source, out)
    else:
        _picture(str(source), source_format, target, max_pixels, max_pages, report)
    return [out.name]


def _pdf(
    source: str, options: Mapping[str, Any], password: str | None, max_pixels: int, max_pages: int, report: Report
) -> None:
    from filewright.converter.operations.inside.sanitizing import pdf  # noqa: PLC0415

    if options.get("mode") == "pixels":
        pdf.redraw(source, password, int(options["dpi"]), int(options["quality"]), max_pixels, max_pages, report)
    else:
        pdf.clean(source, password, max_pages, report)


def _office(source: Path, source_format: str, out: Path, password: str | None, report: Report) -> None:
    from filewright.converter.engines.inside import office_lock  # noqa: PLC0415
    from filewright.converter.operations.inside.sanitizing import ooxml, opendocument  # noqa: PLC0415

    plain = Path("tmp/plain")
    if office_lock.unlock_file(str(source), str(plain), password, report):
        source = plain
    if source_format in _OPEN_DOCUMENT:
        opendocument.clean(source, out, report)
        return
    with source.open("rb") as file:
        if file.read(2) != b"PK":
            raise Refusal("corrupt_input")
    ooxml.clean(source, out, report)


def _picture(source: str, source_format: str, target: str, max_pixels: int, max_pages: int, report: Report) -> None:
    from filewright.converter.operations.inside import frames  # noqa: PLC0415

    frames.write(
        frames.opened(source, source_format, max_pixels, max_pages), f"out/output.{target}", target, {}, report
    )
