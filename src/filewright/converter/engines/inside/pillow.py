"""Pictures into pictures and into PDF; see `engines.pillow` for what may be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.pictures import paged, reading, writing

_ORIENTATION = 0x0112
_TURNED = {5, 6, 7, 8}
"""EXIF orientations in which width and height change places."""


@dataclass(frozen=True)
class Source:
    """An opened picture with what was found out about it."""

    path: str
    format: str
    picture: Image.Image
    frames: int
    max_pixels: int

    def frame(self, number: int) -> Image.Image:
        return reading.frame(self.picture, number if self.frames > 1 else None, self.max_pixels)

    def all_frames(self, report: Report) -> Iterator[Image.Image]:
        for number in range(self.frames):
            report(number / self.frames)
            yield self.frame(number)


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
    """Write the products into `out/` and give their names."""
    opened = _open(source, source_format, max_pixels, max_pages)
    chosen = options.get("frame")
    if target == "pdf":
        return _as_pdf(opened, options, report)
    if chosen is None and opened.frames > 1 and source_format == target == "tiff":
        return _pages_in_one(opened, options, report)
    if opened.frames > 1 and (chosen == "all" or (chosen is None and source_format == "tiff")):
        return [
            _still(opened, number, f"output-{number + 1:04}.{target}", target, options)
            for number in range(opened.frames)
        ]
    if chosen is None and opened.frames > 1 and {source_format, target} <= reading.ANIMATED:
        return _animation(opened, target, options, report)
    return [_still(opened, _index(opened, chosen), f"output.{target}", target, options)]


def _open(source: str, source_format: str, max_pixels: int, max_pages: int) -> Source:
    picture = reading.open_picture(source, source_format, max_pixels)
    frames = reading.frame_count(picture, source_format, max_pixels=max_pixels, max_pages=max_pages)
    return Source(source, source_format, picture, frames, max_pixels)


def _index(opened: Source, chosen: Any) -> int:
    """Which frame was asked for, from 0. One that is not there is not a damaged file, but nothing else fits better."""
    number = chosen - 1 if isinstance(chosen, int) else 0
    if number >= opened.frames:
        raise Refusal("unsupported_conversion")
    return number


def _drafted(opened: Source, options: Mapping[str, Any]) -> tuple[int, int] | None:
    """Let the JPEG decoder skip detail that a much smaller product would not show; gives the product's exact size."""
    if opened.format != "jpg" or not {"width", "height"} & set(options):
        return None
    width, height = opened.picture.size
    turned = opened.picture.getexif().get(_ORIENTATION, 1) in _TURNED
    size = writing.size_for((height, width) if turned else (width, height), options, opened.max_pixels)
    opened.picture.draft(None, (min(width, max(size) * 2), min(height, max(size) * 2)))
    return size


def _still(opened: Source, number: int, name: str, target: str, options: Mapping[str, Any]) -> str:
    size = _drafted(opened, options)
    upright = opened.frame(number)
    notes = writing.notes_of(upright)
    writing.save(upright, f"out/{name}", target, options, max_pixels=opened.max_pixels, notes=notes, size=size)
    return name


def _animation(opened: Source, target: str, options: Mapping[str, Any], report: Report) -> list[str]:
    durations = _durations(opened)
    loop = opened.picture.info.get("loop", 0 if opened.format in {"avif", "png"} else 1)
    writing.save_animation(
        opened.all_frames(report),
        f"out/output.{target}",
        target,
        options,
        durations=durations,
        loop=loop if isinstance(loop, int) else 0,
        max_pixels=opened.max_pixels,
    )
    return [f"output.{target}"]


def _pages_in_one(opened: Source, options: Mapping[str, Any], report: Report) -> list[str]:
    writing.save_pages(opened.all_frames(report), "out/output.tiff", options, max_pixels=opened.max_pixels)
    return ["output.tiff"]


def _durations(opened: Source) -> list[int]:
    """Milliseconds of each frame. Some formats say them only with the pixels, so every frame is decoded once more."""
    found = []
    for number in range(opened.frames):
        opened.frame(number)
        duration = opened.picture.info.get("duration", 0)
        found.append(round(duration) if isinstance(duration, int | float) and duration > 0 else 100)
    return found


def _as_pdf(opened: Source, options: Mapping[str, Any], report: Report) -> list[str]:
    chosen = options.get("frame")
    every = chosen == "all" or (chosen is None and opened.format == "tiff")
    first = 0 if every else _index(opened, chosen)
    last = opened.frames if every else first + 1
    with paged.Book(options, max_pixels=opened.max_pixels) as book:
        for number in range(first, last):
            report((number - first) / (last - first))
            upright = opened.frame(number)
            if opened.format == "jpg":
                book.add_jpeg(opened.path, opened.picture, upright)
            else:
                book.add(upright, lossy_before=opened.format in {"webp", "heic", "avif", "jp2"})
        book.save("out/output.pdf")
    return ["output.pdf"]
