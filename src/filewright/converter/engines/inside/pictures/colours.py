"""Bring a picture into colours that its target format can hold, losing as little as can be.

A profile stays with the picture as long as the target has a place for it and the colour model does not change;
otherwise the colours are computed into sRGB, which is what every program assumes of a picture without a profile.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy
from PIL import Image, ImageCms

PROFILED = frozenset({"jpg", "png", "webp", "tiff", "avif", "heic", "jp2"})
"""Targets that carry a colour profile."""

_MODES: Mapping[str, tuple[str, ...]] = {
    "jpg": ("L", "RGB"),
    "png": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "webp": ("RGB", "RGBA"),
    "gif": ("1", "L", "P", "RGB", "RGBA"),
    "avif": ("RGB", "RGBA"),
    "heic": ("RGB", "RGBA"),
    "tiff": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"),
    "bmp": ("1", "L", "P", "RGB"),
    "ico": ("RGBA",),
    "icns": ("RGBA",),
    "jp2": ("L", "LA", "RGB", "RGBA", "I;16"),
    "tga": ("L", "LA", "RGB", "RGBA"),
    "pcx": ("1", "L", "RGB"),
    "dds": ("L", "LA", "RGB", "RGBA"),
    "ppm": ("1", "L", "RGB", "I;16"),
    "qoi": ("RGB", "RGBA"),
    "pdf": ("1", "L", "RGB"),
}


def suited(picture: Image.Image, target: str, *, background: str, keep_profile: bool) -> Image.Image:
    """The picture in a mode that `target` can be written from; its `info` holds a profile only if that still fits."""
    plain = _plain(picture, deep="I;16" in _MODES[target])
    if plain.info.get("icc_profile") and not (keep_profile and target in PROFILED and _keeps(plain.mode, target)):
        plain = in_srgb(plain)
    profile = plain.info.get("icc_profile")
    fitted = _in_mode(plain, _MODES[target], background)
    fitted.info = {"icc_profile": profile} if profile else {}
    if "transparency" in plain.info and fitted.mode == "P":
        fitted.info["transparency"] = plain.info["transparency"]
    return fitted


def has_alpha(picture: Image.Image) -> bool:
    return picture.has_transparency_data


def in_srgb(picture: Image.Image) -> Image.Image:
    """The colours that the profile meant, in sRGB and without the profile. A profile that is nonsense is dropped."""
    converted = picture
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
        indexed = picture.mode in {"P", "1", "LA"}
        colours = picture.convert("RGBA" if has_alpha(picture) else "RGB") if indexed else picture
        mode = "RGBA" if colours.mode == "RGBA" else "RGB"
        done = ImageCms.profileToProfile(colours, source, ImageCms.createProfile("sRGB"), outputMode=mode)
        converted = done or colours
    except (ImageCms.PyCMSError, OSError, ValueError, KeyError):
        converted = picture.copy()
    converted.info.pop("icc_profile", None)
    return converted


def flattened(picture: Image.Image, background: str) -> Image.Image:
    """The picture laid on a sheet of that colour."""
    over = picture.convert("RGBA")
    sheet = Image.new("RGBA", over.size, background)
    return Image.alpha_composite(sheet, over).convert("RGB")


def _keeps(mode: str, target: str) -> bool:
    """Whether a picture of this mode stays in its colour model in that target."""
    return mode != "CMYK" or "CMYK" in _MODES[target]


def _in_mode(picture: Image.Image, modes: tuple[str, ...], background: str) -> Image.Image:
    transparent = has_alpha(picture)
    if picture.mode in modes and (picture.mode != "P" or not transparent or "RGBA" in modes):
        return picture.copy()
    if transparent:
        if "RGBA" in modes:
            return picture.convert("RGBA")
        return flattened(picture, background)
    if picture.mode in {"1", "L", "LA"} and "L" in modes:
        return picture.convert("L")
    return picture.convert("RGB") if "RGB" in modes else picture.convert("RGBA")


def _plain(picture: Image.Image, *, deep: bool) -> Image.Image:
    """Out of the rare modes: what is left is 1, L, LA, P, RGB, RGBA, CMYK, and I;16 if `deep`."""
    mode = picture.mode
    if mode in {"1", "L", "LA", "P", "RGB", "RGBA", "CMYK"}:
        return picture
    if mode.startswith("I;16") or mode in {"I", "F"}:
        plain = _from_deep(picture, deep=deep)
    elif mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        plain = ImageCms.profileToProfile(picture, lab, srgb, outputMode="RGB") or picture
    elif mode in {"PA", "La", "RGBa"}:
        plain = picture.convert("RGBA")
    else:
        plain = picture.convert("RGB")
    plain.info = {key: value for key, value in picture.info.items() if key == "icc_profile" and mode[:2] == "I;"}
    return plain


def _from_deep(picture: Image.Image, *, deep: bool) -> Image.Image:
    """From 16 or 32 bits or floating point a channel: to 16 bits if wanted, else to 8.

    Whole numbers up to 255 or 65535 and fractions up to 1 mean what they usually mean; any other range is spread over
    all greys.
    """
    values = numpy.nan_to_num(numpy.asarray(picture).astype(numpy.float32))
    low, high = float(values.min()), float(values.max())
    if picture.mode == "F" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif picture.mode.startswith("I;16"):
        low, high = 0.0, 65535.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    elif picture.mode == "I" and low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    fraction = (values - low) / max(high - low, 1e-9)
    if deep:
        return Image.fromarray(numpy.round(fraction * 65535).astype(numpy.uint16))
    return Image.fromarray(numpy.round(fraction * 255).astype(numpy.uint8))
