"""Files made harmless: without scripts, macros, links, embedded files and metadata. Runs in the sandbox.

`pdf`, `ooxml`, `opendocument` and `markup` take apart what a file is made of and put together what does no harm of it.
Of a picture nothing is kept but its pixels.
"""

from __future__ import annotations

from pathlib import Path

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.operations.inside.order import Order

_OPEN_DOCUMENT = frozenset({"odt", "ott", "fodt", "ods", "fods", "odp", "fodp", "odg"})
_OFFICE = frozenset({"docx", "dotx", "docm", "xlsx", "xltx", "xlsm", "pptx", "ppsx", "potx", "pptm"})


def operate(order: Order) -> list[str]:
    """Write `out/output.<target>`. Modules are imported as they are needed: each has a large library of its own."""
    source, out = Path(order.source), Path("out") / f"output.{order.target}"
    if order.source_format == "pdf":
        _pdf(order)
    elif order.source_format in _OFFICE | _OPEN_DOCUMENT:
        _office(order, source, out)
    elif order.source_format in {"html", "svg"}:
        from filewright.converter.operations.inside.sanitizing import markup  # noqa: PLC0415

        (markup.clean_page if order.source_format == "html" else markup.clean_drawing)(source, out)
    else:
        _picture(order, out)
    return [out.name]


def _pdf(order: Order) -> None:
    from filewright.converter.operations.inside.sanitizing import pdf  # noqa: PLC0415

    source, options = order.source, order.options
    if options.get("mode") == "pixels":
        fineness = int(options["dpi"]), int(options["quality"])
        pdf.redraw(source, order.password, *fineness, order.max_pixels, order.max_pages, order.report)
    else:
        pdf.clean(source, order.password, order.max_pages, order.report)


def _office(order: Order, source: Path, out: Path) -> None:
    from filewright.converter.engines.inside import office_lock  # noqa: PLC0415
    from filewright.converter.operations.inside.sanitizing import ooxml, opendocument  # noqa: PLC0415

    plain = Path("tmp/plain")
    if office_lock.unlock_file(str(source), str(plain), order.password, order.report):
        source = plain
    if order.source_format in _OPEN_DOCUMENT:
        opendocument.clean(source, out, order.report)
        return
    with source.open("rb") as file:
        if file.read(2) != b"PK":
            raise Refusal("corrupt_input")
    ooxml.clean(source, out, order.report)


def _picture(order: Order, out: Path) -> None:
    from filewright.converter.operations.inside import frames  # noqa: PLC0415

    opened = frames.opened(order.source, order.source_format, order.max_pixels, order.max_pages)
    frames.write(opened, str(out), order.target, {}, order.report)
