"""Small pictures of large things: of a picture, of a drawing, of the first page of a PDF. Runs in the sandbox.

A drawing and a page are drawn in the size that is wanted, not scaled down; a photo is decoded no larger than it takes.
"""

from __future__ import annotations

from PIL import Image

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.pictures import reading, svg, writing
from filewright.converter.engines.inside.pictures.colours import flattened, has_alpha
from filewright.converter.operations.inside.order import Order

_LARGEST_SIDE = 4096
_TURNED = {5, 6, 7, 8}
_ORIENTATION = 0x0112


def operate(order: Order) -> list[str]:
    """Write `out/output.<target>` and give its name."""
    source = order.source
    box = int(order.options["width"]), int(order.options["height"])
    fit = str(order.options["fit"])
    if order.source_format == "svg":
        picture = _of_drawing(source, box, fit, order.max_pixels)
    elif order.source_format == "pdf":
        picture = _of_page(order, box, fit)
    else:
        picture = _of_picture(source, order.source_format, box, fit, order.max_pixels)
    name = f"output.{order.target}"
    background = order.options.get("background")
    fitted = fitted_into(picture, box, fit, background)
    kept = {"quality": order.options["quality"]} if order.options.get("quality") else {}
    # What a camera wrote, the place among it, has no business in a picture that is shown to everybody.
    writing.save(
        fitted,
        f"out/{name}",
        order.target,
        {**kept, "background": background or "#ffffff", "strip": True},
        max_pixels=order.max_pixels,
    )
    return [name]


def fitted_into(picture: Image.Image, box: tuple[int, int], fit: str, background: str | None) -> Image.Image:
    """`contain`: inside the box, never enlarged; `cover`: fills it, what hangs over is cut off; `pad`: on a sheet."""
    across, down = box[0] / picture.width, box[1] / picture.height
    if fit == "cover":
        scale = max(across, down)
        wanted = max(box[0], round(picture.width * scale)), max(box[1], round(picture.height * scale))
        scaled = writing.resized(picture, wanted)
        left, top = (wanted[0] - box[0]) // 2, (wanted[1] - box[1]) // 2
        cut = scaled.crop((left, top, left + box[0], top + box[1]))
        cut.info = scaled.info
        return cut
    scale = min(across, down, 1.0)
    inside = writing.resized(picture, (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    if fit != "pad":
        return inside if background is None or not has_alpha(inside) else flattened(inside, background)
    sheet = Image.new("RGBA", box, background or "#00000000")
    place = (box[0] - inside.width) // 2, (box[1] - inside.height) // 2
    over = inside.convert("RGBA")
    sheet.paste(over, place, over)
    return sheet


def drawn_size(natural: tuple[float, float], box: tuple[int, int], fit: str) -> float:
    """By how much to scale what can be drawn in any size, so that nothing is lost in the box."""
    across, down = box[0] / natural[0], box[1] / natural[1]
    return max(across, down) if fit == "cover" else min(across, down)


def _of_picture(source: str, source_format: str, box: tuple[int, int], fit: str, max_pixels: int) -> Image.Image:
    picture = reading.open_picture(source, source_format, max_pixels)
    if source_format == "jpg":
        width, height = picture.size
        if picture.getexif().get(_ORIENTATION, 1) in _TURNED:
            width, height = height, width
        scale = max(box[0] / width, box[1] / height) if fit == "cover" else min(box[0] / width, box[1] / height)
        # Twice the size that is wanted, so that what the decoder leaves out is nothing that would be seen.
        across, down = (max(1, min(side, round(side * scale * 2))) for side in picture.size)
        picture.draft(None, (across, down))
    return reading.frame(
        picture, 0 if source_format in reading.ANIMATED or source_format == "tiff" else None, max_pixels
    )


def _of_drawing(source: str, box: tuple[int, int], fit: str, max_pixels: int) -> Image.Image:
    from filewright.converter.engines.inside import resvg  # noqa: PLC0415 - other thumbnails do without

    drawing = svg.read(source)
    scale = drawn_size((drawing.width, drawing.height), box, fit)
    width, height = max(1, round(drawing.width * scale)), max(1, round(drawing.height * scale))
    if width * height > max_pixels or max(width, height) > _LARGEST_SIDE * 16:
        raise Refusal("image_too_large")
    return resvg.drawn_at(drawing, width, height)


def _of_page(order: Order, box: tuple[int, int], fit: str) -> Image.Image:
    from filewright.converter.engines.inside import pdfium  # noqa: PLC0415 - other thumbnails do without

    document = pdfium.open_document(order.source, order.password, order.max_pages)
    page = int(order.options.get("page", 1))
    if page > len(document):
        raise Refusal("option_page")
    width, height = pdfium.page_size(document, page - 1)
    scale = drawn_size((width, height), box, fit)
    return pdfium.drawn(document, page - 1, {"width": max(1, round(width * scale))}, order.max_pixels)
