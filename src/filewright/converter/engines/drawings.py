"""Technical drawings (DXF) as pictures of lines, by ezdxf (MIT)."""

from __future__ import annotations

from filewright.converter.engines.library import LibraryEngine
from filewright.converter.engines.port import Conversion, Loss

DRAWINGS = LibraryEngine(
    name="ezdxf",
    packages=("ezdxf",),
    function="filewright.converter.engines.inside.drawings:convert",
    warm=("filewright.converter.engines.inside.drawings",),
    conversions=(Conversion("dxf", "svg", cost=900, loss=Loss.SMALL),),
)
