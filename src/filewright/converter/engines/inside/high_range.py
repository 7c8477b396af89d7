"""OpenEXR to ordinary pictures; see `engines.high_range`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy
import OpenEXR
from numpy.typing import NDArray
from PIL import Image

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.pictures import writing

_Light: TypeAlias = NDArray[numpy.float32]
_WEIGHTS = (0.2126, 0.7152, 0.0722)
"""How bright red, green and blue look (Rec. 709)."""


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
    """Write the picture into `out/`."""
    width, height = _size(source)
    if width * height > max_pixels:
        raise Refusal("image_too_large")
    light, alpha = _read(source, width, height)
    report(0.5)
    picture = Image.fromarray(_shown(light * 2.0 ** float(options.get("exposure", 0))))
    if alpha is not None:
        picture.putalpha(Image.fromarray(numpy.round(numpy.clip(alpha, 0, 1) * 255).astype(numpy.uint8)))
    writing.save(picture, f"out/output.{target}", target, options, max_pixels=max_pixels)
    return [f"output.{target}"]


def _size(source: str) -> tuple[int, int]:
    try:
        header = OpenEXR.File(source, header_only=True).header()
        (left, top), (right, bottom) = header["dataWindow"]
    except Exception as error:
        raise Refusal("corrupt_input") from error
    width, height = int(right) - int(left) + 1, int(bottom) - int(top) + 1
    if width <= 0 or height <= 0:
        raise Refusal("corrupt_input")
    return width, height


def _read(source: str, width: int, height: int) -> tuple[_Light, _Light | None]:
    """Red, green and blue as (height, width, 3), and how opaque each pixel is, if the file says so."""
    try:
        stored = OpenEXR.File(source, separate_channels=True).channels()
    except Exception as error:
        raise Refusal("corrupt_input") from error
    planes = {name: _full_size(channel.pixels, width, height) for name, channel in stored.items()}
    return _colours(planes), planes.get("A")


def _full_size(plane: Any, width: int, height: int) -> _Light:
    """A plane may hold one value for each two pixels: colour is stored coarser than brightness."""
    values = numpy.nan_to_num(numpy.asarray(plane, dtype=numpy.float32), posinf=65504.0, neginf=0.0)
    if values.ndim != 2:
        raise Refusal("corrupt_input")
    if values.shape == (height, width):
        return values
    spread = Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR)
    return numpy.asarray(spread, dtype=numpy.float32)


def _colours(planes: Mapping[str, _Light]) -> _Light:
    if {"R", "G", "B"} <= planes.keys():
        return numpy.stack([planes["R"], planes["G"], planes["B"]], axis=-1)
    if {"Y", "RY", "BY"} <= planes.keys():
        return _from_brightness_and_colour(planes["Y"], planes["RY"], planes["BY"])
    for name in ("Y", *sorted(planes)):
        if name in planes and name != "A":
            return numpy.repeat(planes[name][:, :, None], 3, axis=2)
    raise Refusal("corrupt_input")


def _from_brightness_and_colour(bright: _Light, red_part: _Light, blue_part: _Light) -> _Light:
    """Undo OpenEXR's YC: RY is (R-Y)/Y, BY is (B-Y)/Y, and green is what then is missing from the brightness."""
    red, blue = (red_part + 1) * bright, (blue_part + 1) * bright
    green = (bright - _WEIGHTS[0] * red - _WEIGHTS[2] * blue) / _WEIGHTS[1]
    return numpy.stack([red, green, blue], axis=-1)


def _shown(light: _Light) -> NDArray[numpy.uint8]:
    """Bring light into 0..1 and write it as sRGB.

    What fits stays as it is. Where there is more, Reinhard's curve bends the highlights so that the brightest
    thousandth becomes white; it works on brightness, so hues stay.
    """
    safe = numpy.clip(light, 0, 65504)
    bright = safe @ numpy.asarray(_WEIGHTS, dtype=numpy.float32)
    white = float(numpy.percentile(bright, 99.9))
    if white > 1:
        bent = bright * (1 + bright / white**2) / (1 + bright)
        safe = safe * (bent / numpy.maximum(bright, 1e-6))[:, :, None]
    linear = numpy.clip(safe, 0, 1)
    curved = numpy.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return numpy.round(curved * 255).astype(numpy.uint8)
