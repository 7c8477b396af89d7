"""Words over pictures: one time in a place, or again and again over all of it. Runs in the sandbox.

The words are drawn by the first font installed here that has all their letters; where none has, by the one that Pillow
brings, which has those of Western languages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont, TTLibError
from PIL import Image, ImageDraw, ImageFont

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.pictures.colours import has_alpha
from filewright.converter.operations.inside import frames
from filewright.converter.operations.inside.order import Order

_FONTS = Path("/usr/share/fonts")
_PREFERRED = ("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "NotoSans-Regular.ttf")
_MOST_FONTS = 300
_MARGIN = 0.02
"""Of the shorter side, between the words and the edge."""
_SMALLEST = 6
_OPAQUE = 255


def operate(order: Order) -> list[str]:
    """Write `out/output.<target>` with the words on every frame or page."""
    opened = frames.opened(order.source, order.source_format, order.max_pixels, order.max_pages)
    text = " ".join(str(order.options["text"]).split())
    if not text or not text.isprintable():
        raise Refusal("option_text")
    font = _font_for(text)

    def marked(frame: Image.Image) -> Image.Image:
        return _marked(frame, text, font, order.options)

    frames.write(opened, f"out/output.{order.target}", order.target, {}, order.report, marked, strip=False)
    return [f"output.{order.target}"]


def _marked(frame: Image.Image, text: str, font: Path | None, options: Mapping[str, Any]) -> Image.Image:
    """Laid over in colours; what was transparent stays so beside the words."""
    over = frame.convert("RGBA")
    stamp = _stamp(text, font, over.size, options)
    if options["place"] == "tiled":
        _tile(over, stamp)
    else:
        over.alpha_composite(stamp, _corner(str(options["place"]), over.size, stamp.size))
    made = over if has_alpha(frame) else over.convert("RGB")
    made.info = {key: value for key, value in frame.info.items() if key != "transparency"}
    return made


def _stamp(text: str, font: Path | None, size: tuple[int, int], options: Mapping[str, Any]) -> Image.Image:
    """The words alone, turned, as wide as asked for, on nothing; never larger than the picture."""
    wanted = max(_SMALLEST, round(size[0] * int(options["size"]) / 100))
    letters = _letters(font, 100)
    left, top, right, bottom = letters.getbbox(text)
    height = max(_SMALLEST, round(100 * wanted / max(1.0, right - left)))
    letters = _letters(font, min(height, 4 * size[1]))
    left, top, right, bottom = (math.floor(side) for side in letters.getbbox(text))
    stamp = Image.new("RGBA", (max(1, right - left + 2), max(1, bottom - top + 2)), (0, 0, 0, 0))
    red, green, blue = (int(options["color"][at : at + 2], 16) for at in (1, 3, 5))
    alpha = round(_OPAQUE * float(options["opacity"]))
    ImageDraw.Draw(stamp).text((1 - left, 1 - top), text, font=letters, fill=(red, green, blue, alpha))
    if options["angle"]:
        stamp = stamp.rotate(float(options["angle"]), expand=True, resample=Image.Resampling.BICUBIC)
    stamp.thumbnail(size)
    return stamp


def _letters(font: Path | None, size: int) -> ImageFont.FreeTypeFont:
    loaded = ImageFont.truetype(str(font), size) if font is not None else ImageFont.load_default(size)
    assert isinstance(loaded, ImageFont.FreeTypeFont)
    return loaded


def _tile(picture: Image.Image, stamp: Image.Image) -> None:
    """Row after row, every other one shifted by half."""
    step = max(8, round(stamp.width * 1.5)), max(8, round(stamp.height * 2))
    for row, top in enumerate(range(0, picture.height, step[1])):
        for left in range(-(step[0] // 2) * (row % 2), picture.width, step[0]):
            inside = stamp.crop((max(0, -left), 0, stamp.width, stamp.height))
            if inside.width:
                picture.alpha_composite(inside, (max(0, left), top))


def _corner(place: str, size: tuple[int, int], stamp: tuple[int, int]) -> tuple[int, int]:
    margin = round(min(size) * _MARGIN)
    free = max(0, size[0] - stamp[0]), max(0, size[1] - stamp[1])
    across = 0.0 if "left" in place else 1.0 if "right" in place else 0.5
    down = 0.0 if "top" in place else 1.0 if "bottom" in place else 0.5
    return _between(free[0], across, margin), _between(free[1], down, margin)


def _between(free: int, share: float, margin: int) -> int:
    return min(max(round(free * share), min(margin, free // 2)), max(free - margin, free // 2))


def _font_for(text: str) -> Path | None:
    found = sorted(path for path in _FONTS.rglob("*") if path.suffix.lower() in {".ttf", ".otf"})
    preferred = [path for name in _PREFERRED for path in found if path.name == name]
    for path in [*preferred, *found][:_MOST_FONTS]:
        if _has(path, text):
            return path
    return None


def _has(path: Path, text: str) -> bool:
    try:
        with TTFont(path, lazy=True) as font:
            known = font.getBestCmap() or {}
    except (TTLibError, OSError, KeyError, AssertionError):
        return False
    return all(ord(letter) in known for letter in text)
