"""Hold two products of one source against each other: pages, words, looks. Runs in the sandbox.

Where pages can be drawn, the two that are the least alike are left in `out/` as `before.png` and `after.png`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2
from PIL import Image

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.conversion.inside.fidelity.likeness import greys, likeness
from filewright.converter.conversion.inside.fidelity.measure import READERS
from filewright.converter.conversion.inside.fidelity.told import NotMeasured, Patience, Told
from filewright.converter.conversion.inside.fidelity.words import recall

PICTURES = frozenset({"jpg", "png", "webp", "gif", "avif", "tiff", "bmp", "jp2", "ppm", "tga", "pcx", "ico"})
TEXTS = frozenset({"txt", "md", "html", "csv", "tsv", "json", "xml", "rst", "tex", "adoc", "org", "srt", "vtt"})
MOST_PAGES = 50
"""Of a document that are looked at."""
_SIDE = 512
_SHOWN = 900
"""Pixels of the longest side of a page that is shown to people."""
_SECONDS = 20.0


@dataclass(frozen=True)
class _Product:
    """What is seen of one. `page` draws one of its pages, `side` pixels long; None where there are none."""

    pages: int | None
    text: str | None
    page: Callable[[int, int], Image.Image] | None


def compare(*, before: str, after: str, format_id: str, report: Report) -> dict[str, Any]:
    """`pages` of both, `recall` of the words of the one in the other, and `likeness`, page by page."""
    with closing(_Opened()) as opened:
        products = [_seen(Path(path), format_id, opened) for path in (before, after)]
        return {
            "pages": [product.pages for product in products],
            "recall": _recall(*(product.text for product in products)),
            "likeness": _likenesses(products, report),
        }


def _recall(before: str | None, after: str | None) -> float | None:
    found = recall([before], after) if before is not None and after is not None else None
    return None if found is None else found[1]


def _likenesses(products: Sequence[_Product], report: Report) -> list[float]:
    """For each page that both have; the worst of them is drawn for people."""
    draw = [product.page for product in products if product.page is not None]
    common = min(product.pages or 0 for product in products)
    if len(draw) < len(products) or not common:
        return []
    found = []
    for number in range(min(common, MOST_PAGES)):
        found.append(likeness(*(greys(page(number, _SIDE)) for page in draw)))
        report((number + 1) / common)
    worst = found.index(min(found))
    for page, name in zip(draw, ("before", "after"), strict=True):
        page(worst, _SHOWN).convert("RGB").save(f"out/{name}.png", optimize=True)
    return found


class _Opened:
    """Closes what was opened, at the end."""

    def __init__(self) -> None:
        self._documents: list[Any] = []

    def add(self, document: Any) -> Any:
        self._documents.append(document)
        return document

    def close(self) -> None:
        for document in self._documents:
            document.close()


def _seen(path: Path, format_id: str, opened: _Opened) -> _Product:
    try:
        if format_id == "pdf":
            return _pdf(opened.add(pypdfium2.PdfDocument(path)))
        if format_id in PICTURES:
            return _picture(opened.add(Image.open(path)))
        if format_id in TEXTS:
            return _Product(None, path.read_text(encoding="utf-8", errors="replace"), None)
        return _Product(None, _told(path, format_id), None)
    except Exception:  # noqa: BLE001 - whatever a reader raises means that it could not open the product
        raise Refusal("output_invalid") from None


def _pdf(document: pypdfium2.PdfDocument) -> _Product:
    def draw(number: int, side: int) -> Image.Image:
        page = document[number]
        picture: Image.Image = page.render(scale=side / max(*page.get_size(), 1.0)).to_pil()
        page.close()
        picture.thumbnail((side, side))
        return picture

    texts = []
    for number in range(min(len(document), MOST_PAGES)):
        page = document[number]
        text = page.get_textpage()
        texts.append(text.get_text_range(errors="replace"))
        text.close()
        page.close()
    return _Product(len(document), "\n".join(texts), draw)


def _picture(picture: Image.Image) -> _Product:
    def draw(number: int, side: int) -> Image.Image:
        picture.seek(number)
        drawn = picture.convert("RGBA")
        drawn.thumbnail((side, side))
        paper = Image.new("RGBA", drawn.size, "white")
        return Image.alpha_composite(paper, drawn).convert("RGB")

    return _Product(int(getattr(picture, "n_frames", 1)), None, draw)


def _told(path: Path, format_id: str) -> str | None:
    """The words of an office document; None where nobody here can read them."""
    if format_id not in READERS:
        return None
    told = Told(Patience(_SECONDS))
    try:
        READERS[format_id](path, told)
    except NotMeasured:
        return None
    return "\n".join(told.paragraphs)
