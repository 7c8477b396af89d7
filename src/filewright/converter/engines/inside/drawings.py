"""Runs in the sandbox: a DXF drawing as SVG, black on white, in its own proportions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ezdxf import recover
from ezdxf.addons.drawing import layout, svg
from ezdxf.addons.drawing.config import BackgroundPolicy, ColorPolicy, Configuration
from ezdxf.addons.drawing.frontend import Frontend
from ezdxf.addons.drawing.properties import RenderContext
from ezdxf.lldxf.const import DXFError

from filewright.chassis.sandbox.child import Refusal, Report

_LOOK = Configuration(background_policy=BackgroundPolicy.WHITE, color_policy=ColorPolicy.COLOR_SWAP_BW)
_PAGE = layout.Page(0, 0, layout.Units.mm, max_width=2000, max_height=2000)


def convert(
    source: str,
    source_format: str,
    target: str,
    options: Mapping[str, Any],
    report: Report,
    password: str | None = None,
) -> list[str]:
    """Write `out/output.svg`: the model space. Refuses a drawing without anything to draw."""
    try:
        drawing, _ = recover.readfile(source)
    except (DXFError, OSError, ValueError, IndexError) as error:
        raise Refusal("corrupt_input") from error
    if not len(drawing.modelspace()):
        raise Refusal("corrupt_input")
    report(0.3)
    backend = svg.SVGBackend()
    Frontend(RenderContext(drawing), backend, config=_LOOK).draw_layout(drawing.modelspace())
    Path(f"out/output.{target}").write_text(backend.get_string(_PAGE), encoding="utf-8")
    return [f"output.{target}"]
