"""SVG to PDF; see `engines.vector`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typst

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.pictures import svg
from filewright.converter.engines.inside.refusals import refusing

_LARGEST_SIDE = 14_400.0
_POINTS_PER_PIXEL = 0.75


def convert(
    *,
    report: Report,
    source: str,
    source_format: str,
    target: str,
    options: Mapping[str, Any],
    password: str | None,
    max_pixels: int,
    max_pages: int,
) -> list[str]:
    """Write `out/output.pdf`: one page of the drawing's size, at most what readers accept."""
    drawing = svg.read(source)
    width, height = _page(drawing, options)
    Path("tmp/drawing.svg").write_bytes(drawing.text)
    Path("tmp/page.typ").write_text(
        f"#set page(width: {width:.3f}pt, height: {height:.3f}pt, margin: 0pt)\n"
        f'#image("drawing.svg", width: 100%, height: 100%, fit: "contain")\n',
        encoding="utf-8",
    )
    with refusing("corrupt_input", typst.TypstError, RuntimeError, ValueError):
        typst.compile("tmp/page.typ", output="out/output.pdf", root="tmp")
    return ["output.pdf"]


def _page(drawing: svg.Drawing, options: Mapping[str, Any]) -> tuple[float, float]:
    asked = ((options.get("width"), drawing.width), (options.get("height"), drawing.height))
    scale = min((side / natural for side, natural in asked if side), default=1.0) * _POINTS_PER_PIXEL
    width, height = drawing.width * scale, drawing.height * scale
    ratio = max(width, height) / min(width, height)
    if not ratio < _LARGEST_SIDE:
        raise Refusal("image_too_large")
    shrink = min(1.0, _LARGEST_SIDE / max(width, height))
    return width * shrink, height * shrink
