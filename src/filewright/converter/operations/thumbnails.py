"""Small pictures of pictures, drawings, first pages and films.

Still sources are one function in the sandbox (`inside.thumbnails`). Of a film, ffmpeg takes one picture out first, and
the same function makes it small, so that size, fit and colours mean the same for every source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from filewright.converter.engines.ffmpeg import FFmpeg
from filewright.converter.engines.ffmpeg_formats import FILMS
from filewright.converter.engines.pixels import WARM
from filewright.converter.engines.port import Availability, Conversion, Loss
from filewright.converter.operations.library import LibraryOperator, carried_out
from filewright.converter.operations.pictures import PICTURES
from filewright.converter.operations.port import Ability, Errand, Made

_FUNCTION = "filewright.converter.operations.inside.thumbnails:operate"
_OPAQUE = {"jpg", "heic", "avif", "pdf", *FILMS}
"""What is rarely transparent is best shown as JPEG, unless the caller wants something else."""
_QUALITY = {"jpg": 82, "webp": 80}

Schema = Mapping[str, Any]
_BOX: Mapping[str, Schema] = {
    "width": {
        "type": "integer", "minimum": 1, "maximum": 4096, "default": 256, "description": "Most pixels across",
    },
    "height": {
        "type": "integer", "minimum": 1, "maximum": 4096, "default": 256, "description": "Most pixels down",
    },
    "fit": {
        "type": "string", "enum": ["contain", "cover", "pad"], "default": "contain",
        "description": "contain: inside width and height, never enlarged; cover: exactly that size, and what hangs "
        "over is cut off; pad: exactly that size, on a sheet of `background`",
    },
    "background": {
        "type": "string", "pattern": "^#[0-9a-fA-F]{6}$",
        "description": "Colour behind what is transparent; stays transparent if not given and the format can be",
    },
}  # fmt: skip
_PAGE: Mapping[str, Schema] = {
    "page": {
        "type": "integer", "minimum": 1, "maximum": 100_000, "default": 1, "description": "The page to show, from 1",
    },
}  # fmt: skip
_AT: Mapping[str, Schema] = {
    "at": {
        "type": "number", "minimum": 0, "maximum": 1e6,
        "description": "The second to show; if not given, one a little after the beginning",
    },
}  # fmt: skip


def _abilities(source: str, cost: int, more: Mapping[str, Schema], **declared: Any) -> list[Ability]:
    targets = ("jpg", "png", "webp") if source in _OPAQUE else ("png", "jpg", "webp")
    return [
        Ability(
            source,
            target,
            cost,
            Loss.MOST,
            operation="thumbnail",
            options={**_BOX, **_quality(target), **more},
            **declared,
        )
        for target in targets
    ]


def _quality(target: str) -> Mapping[str, Schema]:
    if target not in _QUALITY:
        return {}
    return {
        "quality": {
            "type": "integer", "minimum": 1, "maximum": 100, "default": _QUALITY[target],
            "description": "1 is smallest, 100 is best",
        }
    }  # fmt: skip


STILL_THUMBNAILS = LibraryOperator(
    name="pillow-thumbnails",
    packages=("pillow", "pillow-heif", "pypdfium2", "resvg-py", "lxml"),
    function=_FUNCTION,
    abilities=(
        *(ability for source in PICTURES for ability in _abilities(source, 30, {})),
        *_abilities("svg", 130, {}),
        *_abilities("pdf", 30, _PAGE, converts=True, shows_page=True),
    ),
    warm=WARM,
)


class FilmThumbnails:
    """A picture of a film, by ffmpeg and then as any other."""

    name = "ffmpeg-thumbnails"
    abilities: Sequence[Ability] = tuple(ability for source in (*FILMS,) for ability in _abilities(source, 150, _AT))

    def check(self) -> Availability:
        """That of ffmpeg; Pillow is always there."""
        return FFmpeg().check()

    async def operate(self, work: Errand) -> Sequence[Made]:
        """Take the picture out without loss, and make it small."""
        still = Conversion(work.conversion.source, "png", work.conversion.cost)
        options = {"at": work.options["at"]} if "at" in work.options else {}
        frame = await FFmpeg().frame(replace(work, conversion=still, options=options))
        return await carried_out(work, _FUNCTION, [frame], warm=WARM, source_format="png")


FILM_THUMBNAILS = FilmThumbnails()
