"""The outline of a PDF as plain values, by page numbers, so that it outlives the pages' move to another document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pikepdf

from filewright.converter.operations.inside.pdf.documents import BROKEN

_MOST = 5_000
_DEEPEST = 12


@dataclass(frozen=True)
class Bookmark:
    """One entry. `page` counts from 0, in the document that it is written to."""

    title: str
    page: int
    below: tuple[Bookmark, ...] = ()


def read(document: pikepdf.Pdf, shift: int = 0) -> list[Bookmark]:
    """The outline as far as it leads to pages; none where it is broken."""
    try:
        with document.open_outline(max_depth=_DEEPEST) as outline:
            pages = {page.obj.objgen: number for number, page in enumerate(document.pages)}
            return _read(document, outline.root, pages, shift, [_MOST])
    except BROKEN:
        return []


def write(document: pikepdf.Pdf, bookmarks: Sequence[Bookmark]) -> None:
    """Make this the outline."""
    if not bookmarks:
        return
    with document.open_outline() as outline:
        outline.root.extend(_item(bookmark) for bookmark in bookmarks)


def within(bookmarks: Iterable[Bookmark], pages: Sequence[int]) -> list[Bookmark]:
    """Those that lead to these pages, by their places among them. What is below another that goes moves up."""
    places = {page: place for place, page in enumerate(pages)}
    found: list[Bookmark] = []
    for bookmark in bookmarks:
        below = tuple(within(bookmark.below, pages))
        if bookmark.page in places:
            found.append(Bookmark(bookmark.title, places[bookmark.page], below))
        else:
            found.extend(below)
    return found


def _read(
    document: pikepdf.Pdf,
    items: Iterable[pikepdf.OutlineItem],
    pages: dict[tuple[int, int], int],
    shift: int,
    left: list[int],
) -> list[Bookmark]:
    found: list[Bookmark] = []
    for item in items:
        if not left[0]:
            break
        left[0] -= 1
        below = _read(document, item.children, pages, shift, left)
        page = _page(document, item, pages)
        if page is None:
            found.extend(below)
        else:
            found.append(Bookmark(item.title or "", page + shift, tuple(below)))
    return found


def _page(document: pikepdf.Pdf, item: pikepdf.OutlineItem, pages: dict[tuple[int, int], int]) -> int | None:
    target = item.destination
    if target is None and isinstance(item.action, pikepdf.Dictionary) and item.action.get("/S") == pikepdf.Name.GoTo:
        target = item.action.get("/D")
    if isinstance(target, pikepdf.String | pikepdf.Name | str):
        target = _named(document, str(target))
    if isinstance(target, pikepdf.Dictionary):
        target = target.get("/D")
    if not isinstance(target, pikepdf.Array) or not len(target):
        return None
    page = target[0]
    if isinstance(page, int):
        return page if 0 <= page < len(pages) else None
    return pages.get(page.objgen) if isinstance(page, pikepdf.Dictionary) else None


def _named(document: pikepdf.Pdf, name: str) -> object:
    tree = document.Root.get("/Names", pikepdf.Dictionary()).get("/Dests")
    if isinstance(tree, pikepdf.Dictionary):
        found = pikepdf.NameTree(tree).get(name)
        if found is not None:
            return found
    old = document.Root.get("/Dests")
    return old.get(name) if isinstance(old, pikepdf.Dictionary) and name.startswith("/") else None


def _item(bookmark: Bookmark) -> pikepdf.OutlineItem:
    item = pikepdf.OutlineItem(bookmark.title, bookmark.page)
    item.children.extend(_item(below) for below in bookmark.below)
    return item
