"""An opened picture with its frames, for operations that go over all of them. Runs in the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from filewright.chassis.sandbox.child import Report
from filewright.converter.engines.inside.pictures import reading, writing

_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Opened:
    """A picture whose header was read and found to be within the limits."""

    format: str
    picture: Image.Image
    count: int
    """How many frames or pages."""
    max_pixels: int
    orientation: int
    """How the camera was held, 1 to 8, as the file says."""

    def frame(self, number: int) -> Image.Image:
        """Frame `number`, from 0, upright."""
        return reading.frame(self.picture, number if self.count > 1 else None, self.max_pixels)

    def all(self, report: Report) -> Iterator[Image.Image]:
        """Every frame in turn, upright."""
        for number in range(self.count):
            report(number / self.count)
            yield self.frame(number)

    def durations(self) -> list[int]:
        """Milliseconds of each frame. Some formats say them only with the pixels, so each is decoded once more."""
        found = []
        for number in range(self.count):
            self.frame(number)
            duration = self.picture.info.get("duration", 0)
            found.append(round(duration) if isinstance(duration, int | float) and duration > 0 else 100)
        return found

    @property
    def loop(self) -> int:
        """How often an animation is shown; 0 is for ever."""
        told: Any = self.picture.info.get("loop", 0 if self.format in {"avif", "png"} else 1)
        return told if isinstance(told, int) else 0

    @property
    def pages(self) -> bool:
        """Whether the frames are pages, each of a size of its own, and not pictures in time."""
        return self.format == "tiff"


def opened(source: str, source_format: str, max_pixels: int, max_pages: int) -> Opened:
    """Open for reading; nothing is decoded yet."""
    picture = reading.open_picture(source, source_format, max_pixels)
    count = reading.frame_count(picture, source_format, max_pixels=max_pixels, max_pages=max_pages)
    return Opened(source_format, picture, count, max_pixels, _orientation(picture))


def _orientation(picture: Image.Image) -> int:
    try:
        told = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - broken EXIF is no reason to refuse a sound picture
        return 1
    return told if isinstance(told, int) and 1 <= told <= 8 else 1


def write(
    opened: Opened,
    path: str,
    target: str,
    options: Mapping[str, Any],
    report: Report,
    change: Callable[[Image.Image], Image.Image] = lambda frame: frame,
    *,
    strip: bool = True,
) -> None:
    """All frames, as they are or as `change` makes them, in one file: pages as pages, times as they were."""
    chosen = {**_FINE.get(target, {}), **options, "strip": strip}
    if opened.count == 1:
        upright = opened.frame(0)
        notes = None if strip else writing.notes_of(upright)
        writing.save(change(upright), path, target, chosen, max_pixels=opened.max_pixels, notes=notes)
        return
    changed = (change(frame) for frame in opened.all(report))
    if opened.pages:
        writing.save_pages(changed, path, chosen, max_pixels=opened.max_pixels)
        return
    writing.save_animation(
        changed, path, target, chosen, durations=opened.durations(), loop=opened.loop, max_pixels=opened.max_pixels
    )


_FINE: Mapping[str, Mapping[str, Any]] = {
    "jpg": {"quality": 92}, "webp": {"quality": 92}, "avif": {"quality": 85}, "heic": {"quality": 85},
    "jp2": {"lossless": True},
}  # fmt: skip
"""Nobody asked for less than there was."""
