"""Words or a picture over the pages of a PDF.

Typst sets a sheet of each size that the pages have, with nothing on it but the mark; then every page gets the sheet of
its size, as it is seen, also where it is turned. What a caller wrote reaches Typst as a value, never as its language.
"""

from __future__ import annotations

import io
from pathlib import Path

import pikepdf
import typst

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.operations.inside.order import Order, Product
from filewright.converter.operations.inside.pdf.documents import BROKEN, chosen, opened, save

_SHEET = """
#let given = sys.inputs
#let sheet-width = float(given.width) * 1pt
#let sheet-height = float(given.height) * 1pt
#set page(width: sheet-width, height: sheet-height, margin: 0pt, fill: none)
#set text(font: ("Liberation Sans", "DejaVu Sans"), fill: rgb(given.color), hyphenate: false)
#let wanted = sheet-width * float(given.size) / 100
#let margin = calc.min(sheet-width, sheet-height) * 0.04
#let mark = if given.picture != "" { image(given.picture, width: wanted) } else { context {
  let plain = measure(text(size: 100pt, given.words))
  text(size: calc.min(100pt * (wanted / plain.width), sheet-height * 0.9), given.words)
} }
#let turned = rotate(-float(given.angle) * 1deg, reflow: true, mark)
#let at = (
  "center": center + horizon, "top": center + top, "bottom": center + bottom,
  "left": left + horizon, "right": right + horizon,
  "top-left": left + top, "top-right": right + top, "bottom-left": left + bottom, "bottom-right": right + bottom,
)
#if given.place == "tiled" { context {
  let one = measure(turned)
  let (across, down) = (one.width * 1.4 + 8pt, one.height * 1.8 + 8pt)
  let columns = calc.min(40, int(sheet-width / across) + 1)
  let rows = calc.min(60, int(sheet-height / down) + 1)
  for row in range(rows) { for column in range(columns) {
    place(top + left, dx: column * across, dy: row * down, turned)
  } }
} } else {
  place(at.at(given.place), box(inset: if given.place == "center" { 0pt } else { margin }, turned))
}
"""


def watermark(order: Order) -> list[Product]:
    """On the pages that were asked for."""
    with opened(order.sources[0], order.password, order.max_pages) as document:
        numbers = chosen(order.options.get("pages"), len(document.pages))
        sheets: dict[tuple[float, float], pikepdf.Pdf] = {}
        for done, number in enumerate(numbers):
            order.report(done / len(numbers))
            page = document.pages[number]
            try:
                size = _seen_size(page)
                if size not in sheets:
                    sheets[size] = _sheet(order, *size)
                _put(page, sheets[size].pages[0], under=order.options["layer"] == "under")
            except BROKEN as error:
                raise Refusal("corrupt_input") from error
        return [save(document)]


def _seen_size(page: pikepdf.Page) -> tuple[float, float]:
    """In points, as the page is shown."""
    box = [float(value) for value in page.cropbox]
    width, height = abs(box[2] - box[0]), abs(box[3] - box[1])
    if not 1 <= width <= 100_000 or not 1 <= height <= 100_000:
        raise Refusal("corrupt_input")
    return (height, width) if page.rotation % 180 else (width, height)


def _sheet(order: Order, width: float, height: float) -> pikepdf.Pdf:
    options = order.options
    source = Path("tmp") / "sheet.typ"
    source.write_text(_SHEET, encoding="utf-8")
    told = {
        "width": str(width),
        "height": str(height),
        "words": options.get("text", ""),
        "picture": f"/{order.sources[1]}" if len(order.sources) > 1 else "",
        **{name: str(options[name]) for name in ("place", "size", "angle")},
        "color": options.get("color", "#808080"),
    }
    try:
        made = typst.compile(str(source), root=".", format="pdf", sys_inputs=told)
    except RuntimeError as error:
        raise Refusal("corrupt_input" if len(order.sources) > 1 else "option_text") from error
    sheet = pikepdf.open(io.BytesIO(bytes(made)))
    _make_transparent(sheet, float(options["opacity"]))
    return sheet


def _make_transparent(sheet: pikepdf.Pdf, opacity: float) -> None:
    page = sheet.pages[0]
    seen_through = pikepdf.Dictionary(Type=pikepdf.Name.ExtGState, ca=opacity, CA=opacity)
    name = page.add_resource(seen_through, pikepdf.Name.ExtGState)
    page.contents_add(f"{name} gs\n".encode(), prepend=True)


def _put(page: pikepdf.Page, sheet: pikepdf.Page, *, under: bool) -> None:
    rect = pikepdf.Rectangle(page.cropbox)
    if under:
        page.add_underlay(sheet, rect)
    else:
        page.add_overlay(sheet, rect)
