"""Fonts laid down for engines: each where its own are looked for, and those that are wrapped for the web unwrapped.

Unwrapping reads shapes that a stranger chose, so it happens in a sandbox. It is the conversion that anybody may order,
into what the wrapper says is in it; outlines stay as they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from filewright.chassis.sandbox.port import Limits, Sandbox
from filewright.chassis.sandbox.workspace import Workspace
from filewright.converter.engines.fonts import FONTS
from filewright.converter.engines.port import Conversion, Work
from filewright.converter.fonts.reading import Face
from filewright.converter.fonts.wrapped import WRAPPERS, format_within

_LIMITS = Limits(wall_seconds=20, cpu_seconds=20, write_bytes=1 << 30)
"""A Chinese font of 10 MB takes two seconds."""


async def laid_down(font: Path, sandbox: Sandbox, jobs_dir: Path) -> Path:
    """A font that lies in its place already, as engines read it: itself, or what was in it, which takes its place.

    `font` is named by its format (`….woff2`). Raises what the engine does, and SandboxUnavailable.
    """
    if font.suffix[1:] not in WRAPPERS.values():
        return font
    target = font.with_suffix(f".{await asyncio.to_thread(format_within, font)}")
    workspace = await asyncio.to_thread(Workspace.create, jobs_dir)
    try:
        source = workspace.inputs / f"input{font.suffix}"
        await asyncio.to_thread(font.rename, source)
        conversion = Conversion(font.suffix[1:], target.suffix[1:], cost=1)
        work = Work(source, workspace.path, conversion, sandbox, _LIMITS)
        [product] = await FONTS.convert(work)
        await asyncio.to_thread(product.rename, target)
    finally:
        await asyncio.to_thread(workspace.remove)
    return target


def names_of(faces: Sequence[Face]) -> dict[str, tuple[str, ...]]:
    """By each name that a document may ask for a face by: the names that a PDF may have it by."""
    names: dict[str, dict[str, None]] = {}
    for face in faces:
        for asked in (face.family, face.full_name, face.postscript_name, *face.also):
            names.setdefault(asked, {}).update(dict.fromkeys((face.postscript_name, face.full_name, face.family)))
    return {asked: tuple(known) for asked, known in names.items()}
