"""Facts about pictures, measured by ImageMagick and exiftool."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpus.facts.delivery import Delivery, run
from corpus.facts.reading import xml_root

Facts = Mapping[str, Any]
ONE_PICTURE = frozenset({"png", "jpg", "webp", "gif", "avif", "heic", "tiff", "bmp", "jp2", "jxl", "tga", "pcx", "dds",
                         "ppm", "qoi", "exr", "hdr"})  # fmt: skip
_MOVING = frozenset({"gif", "webp", "tiff", "avif", "png", "pdf"})
_DEEP = frozenset({"png", "tiff"})
_TURNED_BY_A_TAG = frozenset({"jpg", "tiff", "png", "webp", "avif", "heic", "jxl", "jp2"})
_POINT = {"pt": 1.0, "px": 0.75, "": 0.75, "mm": 72 / 25.4, "cm": 72 / 2.54, "in": 72.0}


def size(facts: Facts, delivery: Delivery) -> str | None:
    """Exact pixels, upright; for drawings and pages the shape."""
    upright = facts.get("upright_width_height")
    width, height = upright or (facts.get("width"), facts.get("height"))
    if not (isinstance(width, int) and isinstance(height, int)):
        return _shape(facts, delivery)
    if delivery.source_format == "ico" or delivery.target not in ONE_PICTURE:
        return _shape({"viewBox": f"0 0 {width} {height}"}, delivery) if delivery.source_format != "ico" else None
    found = size_of(delivery.first, delivery.target)
    if found != (width, height):
        return f"{found[0]:g} × {found[1]:g}, not {width} × {height}"
    if delivery.target not in _TURNED_BY_A_TAG:
        return ""
    turned = run("exiftool", "-s3", "-n", "-Orientation", delivery.first, check=False).strip()
    return "" if turned in {"", "1"} else f"its orientation tag says {turned}"


def frames(count: int, delivery: Delivery, facts: Facts) -> str | None:
    """Pictures in a row, where the target has room for them: in one file or as several."""
    if delivery.source_format == "ico" or delivery.target not in _MOVING:
        return None
    if delivery.target == "tiff" and delivery.source_format != "tiff":
        return None  # pages are no animation
    if delivery.target == "pdf":
        if delivery.source_format != "tiff":
            return None
        found = int(re.search(r"Pages:\s+(\d+)", run("pdfinfo", delivery.first))[1])
    elif delivery.target == "png" and len(delivery.products) == 1 and count > 1:
        found = _apng_frames(delivery.first)
    else:
        found = sum(frames_of(product) for product in delivery.products)
    return "" if found == count else f"{found} frames, not {count}"


def depth(bits: int, delivery: Delivery, facts: Facts) -> str | None:
    """Sixteen bits stay sixteen where there is room."""
    if bits <= 8 or delivery.target not in _DEEP:
        return None
    found = int(run("identify", "-format", "%z", f"{delivery.first}[0]"))
    return "" if found >= bits else f"{found} bits a channel, not {bits}"


def emf_frame(frame: list[int], delivery: Delivery, facts: Facts) -> str | None:
    """A metafile keeps its shape within 5 %: its frame and its bounds differ a little."""
    return _shape({"viewBox": " ".join(map(str, frame))}, delivery, within=0.05)


def size_of(path: Path, target: str) -> tuple[float, float]:
    """Width and height of a picture; of a drawing or page in points."""
    if target == "svg":
        return _svg_size(path)
    if target == "pdf":
        found = re.search(r"Page size:\s+([\d.]+) x ([\d.]+)", run("pdfinfo", path))
        return float(found[1]), float(found[2])
    if target in {"jxl", "qoi", "exr", "hdr", "dds", "avif"}:
        found = _by_exiftool(path) or _by_own_reading(path, target)
    else:
        found = re.match(r"(\d+) (\d+)", run("identify", "-format", "%w %h\n", f"{path}[0]"))
    if found is None:
        raise ValueError(f"{path.name}: no size")
    return int(found[1]), int(found[2])


def frames_of(path: Path) -> int:
    """How many pictures a file holds."""
    if path.suffix in {".avif", ".heic"}:
        counting = ("-select_streams", "v", "-count_packets", "-show_entries", "stream=nb_read_packets")
        said = re.search(r"nb_read_packets=(\d+)", run("ffprobe", "-v", "error", *counting, path, check=False))
        return int(said[1]) if said else 1
    if path.suffix in {".jxl", ".qoi", ".exr", ".hdr"}:
        return 1
    return len(run("identify", "-format", "%n\n", path).split())


def _by_exiftool(path: Path) -> re.Match[str] | None:
    return re.match(r"(\d+)[x ](\d+)", run("exiftool", "-s3", "-ImageSize", path, check=False))


def _by_own_reading(path: Path, target: str) -> re.Match[str] | None:
    head = path.read_bytes()[:64]
    if target == "jxl":
        decoded = path.with_suffix(".decoded.ppm")
        run("djxl", path, decoded)
        return re.match(r"(\d+) (\d+)", run("identify", "-format", "%w %h\n", decoded))
    if target == "qoi":
        return re.match(r"(\d+) (\d+)", f"{int.from_bytes(head[4:8], 'big')} {int.from_bytes(head[8:12], 'big')}")
    if target == "dds":
        return re.match(
            r"(\d+) (\d+)", f"{int.from_bytes(head[16:20], 'little')} {int.from_bytes(head[12:16], 'little')}"
        )
    return None


def _apng_frames(path: Path) -> int:
    data = path.read_bytes()
    at = data.find(b"acTL")
    return int.from_bytes(data[at + 4 : at + 8], "big") if at > 0 else 1


def _svg_size(path: Path) -> tuple[float, float]:
    root = xml_root(path.read_bytes())
    sides = [re.fullmatch(r"([\d.]+)(\w*)", root.get(name, "")) for name in ("width", "height")]
    if all(side is not None and side[2] in _POINT for side in sides):
        return tuple(float(side[1]) * _POINT[side[2]] for side in sides)
    box = [float(part) for part in re.split(r"[ ,]+", root.get("viewBox", "0 0 0 0").strip())]
    return box[2], box[3]


def _shape(facts: Facts, delivery: Delivery, within: float = 0.02) -> str | None:
    box = facts.get("viewBox")
    if box is None or delivery.target not in (ONE_PICTURE | {"pdf", "svg"}):
        return None
    width, height = (float(part) for part in box.split()[2:4])
    found = size_of(delivery.first, delivery.target)
    fits = abs(found[0] / found[1] / (width / height) - 1) < max(within, 1.01 / min(found))
    return "" if fits else f"{found[0]:g} × {found[1]:g}, not the shape of {width:g} × {height:g}"
