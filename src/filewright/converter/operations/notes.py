"""What pictures, sound and films say about themselves: read, or left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from filewright.converter.engines.ffmpeg import FFmpeg
from filewright.converter.engines.ffmpeg_formats import FILMS, READERS, SOUNDS, WRITERS
from filewright.converter.engines.pixels import WARM
from filewright.converter.engines.port import Availability, Loss
from filewright.converter.operations.library import LibraryOperator
from filewright.converter.operations.pictures import PICTURES, WRITTEN_AGAIN
from filewright.converter.operations.port import Ability, Errand, Made, same_format

_MEDIA = tuple(kind for kind in (*SOUNDS, *FILMS) if kind in READERS and kind != "y4m")

Schema = Mapping[str, Any]


def _action(*, default: str) -> Mapping[str, Schema]:
    return {
        "action": {
            "enum": [default], "default": default,
            "description": "read: what the file says about itself, as JSON; strip: the file without it",
        }
    }  # fmt: skip


NOTES = LibraryOperator(
    name="metadata",
    packages=("pillow", "pillow-heif", "pymediainfo", "lxml", "numpy"),
    function="filewright.converter.operations.inside.notes:operate",
    abilities=(
        *(
            Ability(kind, "json", 30, Loss.MOST, operation="metadata", options=_action(default="read"))
            for kind in (*PICTURES, *_MEDIA)
        ),
        *same_format("metadata", WRITTEN_AGAIN, cost=60, loss=Loss.SMALL, options=_action(default="strip")),
    ),
    warm=WARM,
)


class MediaStripped:
    """Sound and films without what is written about them; not a sample is coded again."""

    name = "ffmpeg-metadata"
    abilities: Sequence[Ability] = same_format(
        "metadata",
        tuple(kind for kind in _MEDIA if kind in WRITERS),
        cost=100,
        loss=Loss.SMALL,
        options=_action(default="strip"),
    )

    def check(self) -> Availability:
        """That of ffmpeg."""
        return FFmpeg().check()

    async def operate(self, work: Errand) -> Sequence[Made]:
        """The streams as they are, in a new file."""
        return [Made(await FFmpeg().bare(work))]


MEDIA_STRIPPED = MediaStripped()
