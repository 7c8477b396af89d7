"""Open a picture that nobody trusts with Pillow: forced to the format we detected, measured before it is decoded.

Everything a decoder throws at a file becomes `corrupt_input`; a picture over the limit becomes `image_too_large`
before its pixels are touched.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pillow_heif
from PIL import Image, ImageFile, ImageOps

from filewright.chassis.sandbox.child import Refusal

pillow_heif.register_heif_opener(thumbnails=False)
Image.init()
ImageFile.LOAD_TRUNCATED_IMAGES = False

DECODERS: Mapping[str, tuple[str, ...]] = {
    "jpg": ("JPEG", "MPO"),
    "png": ("PNG",),
    "webp": ("WEBP",),
    "gif": ("GIF",),
    "avif": ("AVIF",),
    "heic": ("HEIF",),
    "tiff": ("TIFF",),
    "bmp": ("BMP", "DIB"),
    "ico": ("ICO", "CUR"),
    "icns": ("ICNS",),
    "jp2": ("JPEG2000",),
    "psd": ("PSD",),
    "tga": ("TGA",),
    "pcx": ("PCX",),
    "dds": ("DDS",),
    "ppm": ("PPM",),
    "qoi": ("QOI",),
}
"""Our format to Pillow's decoders of it. No other decoder ever sees the file, whatever its bytes look like."""

ANIMATED = frozenset({"gif", "webp", "avif", "png"})
"""Formats whose frames follow each other in time; those of a TIFF are pages."""


@contextmanager
def reading() -> Iterator[None]:
    """Name what goes wrong while a decoder works: the file's fault, unless the machine ran out of something."""
    try:
        yield
    except Refusal:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refusal("image_too_large") from error
    except MemoryError:
        raise
    except OSError as error:
        # Decoders raise OSError without a number; one with a number comes from the kernel (disk full, ...). EINVAL is
        # a seek to an offset that only a damaged file asks for.
        if error.errno not in {None, 22}:
            raise
        raise Refusal("corrupt_input") from error
    except Exception as error:
        raise Refusal("corrupt_input") from error


def open_picture(path: str, format_id: str, max_pixels: int) -> Image.Image:
    """The picture with its header read and its size checked, its pixels not decoded."""
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = max_pixels
    if format_id in {"avif", "heic"}:
        _check_declared_size(Path(path), max_pixels)
    with reading():
        picture = Image.open(path, formats=DECODERS[format_id])
        check_size(picture, max_pixels)
        return picture


def check_size(picture: Image.Image, max_pixels: int) -> None:
    width, height = picture.size
    if width <= 0 or height <= 0:
        raise Refusal("corrupt_input")
    if width * height > max_pixels:
        raise Refusal("image_too_large")


def _check_declared_size(path: Path, max_pixels: int) -> None:
    """Refuse a HEIF or AVIF by the sizes in its `ispe` boxes: its decoders call one too large "not an image".

    The boxes stand in the `meta` box, before the data, within the first megabyte of any sane file.
    """
    with path.open("rb") as file:
        head = file.read(1 << 20)
    at = head.find(b"ispe")
    while at != -1:
        width = int.from_bytes(head[at + 8 : at + 12], "big")
        height = int.from_bytes(head[at + 12 : at + 16], "big")
        if head[at - 4 : at] == b"\0\0\0\x14" and width * height > max_pixels:
            raise Refusal("image_too_large")
        at = head.find(b"ispe", at + 4)


def frame_count(picture: Image.Image, format_id: str, *, max_pixels: int, max_pages: int) -> int:
    """How many frames or pages there are; refuses more than `max_pages`, and animations of too many pixels in all.

    Frames are found one by one where the file is a chain, so that a chain of a million, or one that bites its tail,
    ends here.
    """
    if format_id not in ANIMATED and format_id != "tiff":
        return 1
    with reading():
        if format_id in {"webp", "avif", "png"}:
            count = int(getattr(picture, "n_frames", 1))
        else:
            count = _counted(picture, max_pages)
    if count > max_pages:
        raise Refusal("too_many_pages")
    if format_id in ANIMATED and count > 1 and count * picture.width * picture.height > max_pixels:
        raise Refusal("image_too_large")
    return count


def _counted(picture: Image.Image, most: int) -> int:
    count = 1
    try:
        while count <= most:
            picture.seek(count)
            count += 1
    except EOFError:
        pass
    finally:
        picture.seek(0)
    return count


def frame(picture: Image.Image, number: int | None, max_pixels: int) -> Image.Image:
    """Frame `number` (from 0), decoded to its last pixel and turned upright. The original is not changed.

    None is the picture as it opens: for a PSD all layers together, for an icon its largest size.
    """
    with reading():
        if number is not None:
            picture.seek(number)
        check_size(picture, max_pixels)
        picture.load()
        check_size(picture, max_pixels)
        return _upright(picture)


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # noqa: BLE001 - broken EXIF is no reason to refuse a sound picture
        return picture.copy()
