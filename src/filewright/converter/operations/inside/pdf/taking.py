"""Parts of a PDF: pages, words, pictures, attachments."""

from __future__ import annotations

from pathlib import Path

import pikepdf

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside import pdfium
from filewright.converter.operations.inside.order import Order, Product
from filewright.converter.operations.inside.pdf.bookmarks import read, within, write
from filewright.converter.operations.inside.pdf.documents import chosen, opened, save
from filewright.converter.operations.inside.pdf.parting import taken
from filewright.converter.operations.inside.pdf.shrinking import UNREADABLE, pictures

_LONGEST_NAME = 1_000
_MOST = 10_000
_NONE = "option_what"
"""There is nothing of that kind in the file."""


def extract(order: Order) -> list[Product]:
    return {"pages": _pages, "text": _text, "images": _images, "attachments": _attachments}[order.options["what"]](
        order
    )


def _pages(order: Order) -> list[Product]:
    with opened(order.sources[0], order.password, order.max_pages) as document:
        numbers = chosen(order.options["pages"], len(document.pages))
        part = taken(document, numbers)
        write(part, within(read(document), numbers))
        return [save(part)]


def _text(order: Order) -> list[Product]:
    if (pages := order.options.get("pages")) is not None:
        with opened(order.sources[0], order.password, order.max_pages) as document:
            chosen(pages, len(document.pages))
    names = pdfium.convert(
        report=order.report,
        source=order.sources[0],
        source_format="pdf",
        target="txt",
        options={} if pages is None else {"pages": pages},
        password=order.password,
        max_pixels=order.max_pixels,
        max_pages=order.max_pages,
    )
    return list(names)


def _images(order: Order) -> list[Product]:
    """Each once, as it lies in the file: a JPEG is not coded again."""
    names: list[Product] = []
    seen: set[tuple[int, int]] = set()
    with opened(order.sources[0], order.password, order.max_pages) as document:
        numbers = chosen(order.options.get("pages"), len(document.pages))
        for done, number in enumerate(numbers):
            order.report(done / len(numbers))
            for stream in pictures(document.pages[number]):
                if stream.objgen in seen or len(names) >= _MOST:
                    continue
                seen.add(stream.objgen)
                names.extend(_image(stream, number + 1, len(names) + 1, order.max_pixels))
    if not names:
        raise Refusal(_NONE)
    return names


def _image(stream: pikepdf.Stream, page: int, count: int, max_pixels: int) -> list[Product]:
    try:
        if int(stream.Width) * int(stream.Height) > max_pixels:
            raise Refusal("image_too_large")
        written = Path(pikepdf.PdfImage(stream).extract_to(fileprefix=f"out/output-{count:05}"))
    except UNREADABLE:
        return []  # one that cannot be read
    return [[written.name, f"page-{page}-image-{count}{written.suffix}"]]


def _attachments(order: Order) -> list[Product]:
    names: list[Product] = []
    with opened(order.sources[0], order.password, order.max_pages) as document:
        try:
            found = list(document.attachments.items())[:_MOST]
        except UNREADABLE as error:
            raise Refusal(_NONE) from error
        for count, (key, attached) in enumerate(found, 1):
            try:
                data = attached.get_file().read_bytes()
            except UNREADABLE:
                continue
            file = f"output-{count:05}"
            (Path("out") / file).write_bytes(data)
            names.append([file, (attached.filename or key)[:_LONGEST_NAME]])
    if not names:
        raise Refusal(_NONE)
    return names
