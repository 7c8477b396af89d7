"""Several PDFs as one, one after the other, with their forms, links and bookmarks."""

from __future__ import annotations

from pathlib import PurePath

import pikepdf

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.operations.inside.order import Order, Product
from filewright.converter.operations.inside.pdf.bookmarks import Bookmark, read, write
from filewright.converter.operations.inside.pdf.documents import BROKEN, opened, save


def merge(order: Order) -> list[Product]:
    """All pages of all sources; a bookmark for each source with its own bookmarks below, unless told otherwise."""
    whole = pikepdf.Pdf.new()
    bookmarks: list[Bookmark] = []
    for number, (source, name) in enumerate(zip(order.sources, order.names, strict=True)):
        order.report(number / len(order.sources))
        with opened(source, order.password, order.max_pages) as document:
            first = len(whole.pages)
            if first + len(document.pages) > order.max_pages:
                raise Refusal("too_many_pages")
            inner = read(document, first)
            _append(whole, document)
            if number == 0:
                _keep_title(whole, document)
            if order.options["bookmarks"]:
                bookmarks.append(Bookmark(PurePath(name).stem, first, tuple(inner)))
            else:
                bookmarks.extend(inner)
    write(whole, bookmarks)
    return [save(whole)]


def _append(whole: pikepdf.Pdf, document: pikepdf.Pdf) -> None:
    try:
        whole.add_pages_from(document)
    except BROKEN:
        # A broken form or table of links is no reason to lose the pages.
        try:
            whole.add_pages_from(document, forms="strip")
        except BROKEN as error:
            raise Refusal("corrupt_input") from error


def _keep_title(whole: pikepdf.Pdf, document: pikepdf.Pdf) -> None:
    """What the first of them says of itself."""
    for key in ("/Title", "/Author", "/Subject", "/Keywords"):
        value = document.docinfo.get(key)
        if isinstance(value, pikepdf.String):
            whole.docinfo[key] = str(value)
    language = document.Root.get("/Lang")
    if isinstance(language, pikepdf.String):
        whole.Root.Lang = str(language)
