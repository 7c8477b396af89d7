"""The same picture in fewer bytes, in the format it has. Runs in the sandbox.

Whatever comes out is held against the file that came in: the smaller one is the product, so nobody is ever given more
bytes than they brought.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from filewright.chassis.sandbox.child import Report
from filewright.converter.engines.inside.pictures import colours, writing
from filewright.converter.operations.inside import frames, stripping
from filewright.converter.operations.inside.order import Order

_QUALITY: Mapping[str, Mapping[str, int]] = {
    "jpg": {"light": 85, "balanced": 75, "strong": 55},
    "webp": {"light": 80, "balanced": 70, "strong": 50},
    "avif": {"light": 65, "balanced": 55, "strong": 40},
}
_COLOURS = {"light": 256, "balanced": 256, "strong": 64}
_GIF_COLOURS = {"light": 256, "balanced": 128, "strong": 64}
_HARDEST: Mapping[str, Mapping[str, Any]] = {"webp": {"method": 6}, "avif": {"speed": 5}}


def operate(order: Order) -> list[str]:
    """Write `out/output.<target>`: the smallest of what can be made of the picture, and of the picture itself."""
    source = Path(order.source)
    opened = frames.opened(str(source), order.source_format, order.max_pixels, order.max_pages)
    made = Path("tmp") / f"smaller.{order.target}"
    _write(opened, order.target, order.options, str(made), order.report)
    found = [made]
    if order.target in stripping.KINDS and order.options["strip"]:
        bare = Path("tmp") / f"bare.{order.target}"
        bare.write_bytes(stripping.stripped(source.read_bytes(), order.target, opened.orientation))
        found.append(bare)
    else:
        found.append(source)
    smallest = min((path for path in (*found, source) if path.is_file()), key=lambda path: path.stat().st_size)
    shutil.copyfile(smallest, f"out/output.{order.target}")
    return [f"output.{order.target}"]


def _write(opened: frames.Opened, target: str, options: Mapping[str, Any], path: str, report: Report) -> None:
    if opened.count == 1:
        _still(opened.frame(0), target, options, path)
    elif target == "tiff":
        writing.save_pages(opened.all(report), path, {"strip": options["strip"]}, max_pixels=opened.max_pixels)
    else:
        _animation(opened, target, options, path, report)


def _still(upright: Image.Image, target: str, options: Mapping[str, Any], path: str) -> None:
    """As `writing` would, with the effort that nobody waits for when converting."""
    strip = bool(options["strip"])
    notes = writing.Notes() if strip else writing.notes_of(upright)
    fitted = colours.suited(upright, target, background="#ffffff", keep_profile=True)
    kept: dict[str, Any] = {}
    if fitted.info.get("icc_profile"):
        kept["icc_profile"] = fitted.info["icc_profile"]
    if notes.exif and target in {"jpg", "png", "webp", "avif"}:
        kept["exif"] = notes.exif
    few = _few_colours(fitted, options) if target == "png" else fitted
    few.save(path, format=_NAMES.get(target, target.upper()), **_effort(target, options), **kept)


def _animation(opened: frames.Opened, target: str, options: Mapping[str, Any], path: str, report: Report) -> None:
    durations = opened.durations()
    if target == "gif":
        _gif(opened, durations, options, path, report)
        return
    known = {"quality": _quality(target, options)} if target in _QUALITY else {}
    writing.save_animation(
        opened.all(report),
        path,
        target,
        {**known, "strip": options["strip"]},
        durations=durations,
        loop=opened.loop,
        max_pixels=opened.max_pixels,
    )


def _gif(
    opened: frames.Opened, durations: Sequence[int], options: Mapping[str, Any], path: str, report: Report
) -> None:
    """Fewer colours, and of each frame only the part that changes, where none has holes."""
    most = _GIF_COLOURS[options["level"]]
    holes = False

    def fewer(frame: Image.Image) -> Image.Image:
        nonlocal holes
        holes = holes or colours.has_alpha(frame)
        if colours.has_alpha(frame):
            return frame.convert("RGBA").quantize(most, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        return frame.convert("RGB").quantize(most, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)

    first, *rest = [fewer(frame) for frame in opened.all(report)]
    first.save(
        path,
        format="GIF",
        save_all=True,
        append_images=rest,
        duration=list(durations),
        optimize=True,
        **({"disposal": 2} if holes else {}),
        **({} if opened.loop == 1 else {"loop": opened.loop}),
    )


def _few_colours(picture: Image.Image, options: Mapping[str, Any]) -> Image.Image:
    """A picture with a table of colours. It is exact when there are few to begin with, or when it has to be."""
    if picture.mode not in {"RGB", "RGBA", "P"}:
        return picture
    lossless = options.get("lossless")
    lossless = options["level"] == "light" if lossless is None else lossless
    plain = picture.convert("RGBA" if colours.has_alpha(picture) else "RGB")
    few = plain.getcolors(256) is not None
    if lossless and not few:
        return picture
    most = 256 if few else _COLOURS[options["level"]]
    if plain.mode == "RGBA":
        made = plain.quantize(most, Image.Quantize.FASTOCTREE)
        # Few levels of transparency come out exactly; a table of them is not worth a colour that is off.
        exact = not lossless or _same(made.convert("RGBA"), plain)
        made.info = picture.info
        return made if exact else picture
    table = plain.quantize(most, Image.Quantize.MEDIANCUT)
    made = plain.quantize(palette=table, dither=Image.Dither.NONE if few else Image.Dither.FLOYDSTEINBERG)
    made.info = {key: value for key, value in picture.info.items() if key == "icc_profile"}
    return made


def _same(one: Image.Image, other: Image.Image) -> bool:
    return ImageChops.difference(one, other).getbbox(alpha_only=False) is None


def _effort(target: str, options: Mapping[str, Any]) -> dict[str, Any]:
    match target:
        case "jpg":
            return {"quality": _quality(target, options), "subsampling": 2, "optimize": True, "progressive": True}
        case "png":
            return {"optimize": True}
        case "gif":
            return {"optimize": True}
        case "tiff":
            return {"compression": "tiff_adobe_deflate"}
        case _:
            return {"quality": _quality(target, options), **_HARDEST.get(target, {})}


def _quality(target: str, options: Mapping[str, Any]) -> int:
    chosen = options.get("quality")
    return int(chosen) if chosen is not None else _QUALITY[target][options["level"]]


_NAMES = {"jpg": "JPEG"}
