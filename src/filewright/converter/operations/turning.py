"""Pictures and films turned and mirrored. PDFs are turned page by page; see `pdf`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from filewright.converter.engines.ffmpeg import FFmpeg
from filewright.converter.engines.ffmpeg_formats import FILMS, WRITERS
from filewright.converter.engines.pixels import WARM
from filewright.converter.engines.port import Availability, Loss
from filewright.converter.operations.library import LibraryOperator
from filewright.converter.operations.pictures import WRITTEN_AGAIN
from filewright.converter.operations.port import Ability, Errand, Made, same_format

Schema = Mapping[str, Any]
_TURN: Mapping[str, Schema] = {
    "degrees": {
        "enum": [90, 180, 270, -90, 0], "default": 90,
        "description": "How far to turn, clockwise: 90, 180, 270, or -90; 0 only sets a photo upright",
    },
}  # fmt: skip
_MIRROR: Mapping[str, Schema] = {
    "flip": {"enum": ["horizontal", "vertical"], "description": "Left and right, or top and bottom, change places"},
    "degrees": {**_TURN["degrees"], "default": 0},
}


def _abilities(source: str, cost: int) -> tuple[Ability, ...]:
    turned = same_format("rotate", (source,), cost=cost, loss=Loss.SMALL, options=_TURN)
    mirrored = same_format("rotate", (source,), cost=cost, loss=Loss.SMALL, options=_MIRROR, required=("flip",))
    return (*turned, *mirrored)


PICTURES_TURNED = LibraryOperator(
    name="pillow-rotate",
    packages=("pillow", "pillow-heif", "numpy"),
    function="filewright.converter.operations.inside.turning:operate",
    abilities=tuple(ability for source in WRITTEN_AGAIN for ability in _abilities(source, 100)),
    warm=WARM,
)


class FilmsTurned:
    """Films, coded again by ffmpeg; their sound goes in as it is."""

    name = "ffmpeg-rotate"
    abilities: Sequence[Ability] = tuple(
        ability for film in FILMS if film in WRITERS for ability in _abilities(film, 3000)
    )

    def check(self) -> Availability:
        """That of ffmpeg."""
        return FFmpeg().check()

    async def operate(self, work: Errand) -> Sequence[Made]:
        """As a conversion into the same format."""
        turn = {"turn": int(work.options["degrees"]) % 360, "flip": work.options.get("flip")}
        return [Made(path) for path in await FFmpeg().convert(replace(work, options=turn))]


FILMS_TURNED = FilmsTurned()
