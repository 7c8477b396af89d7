"""Parts of files: the sound of a film, pictures of a film or an animation, the words of a document.

Members of archives are taken out by `archives`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from filewright.converter.engines.ffmpeg import FFmpeg
from filewright.converter.engines.ffmpeg_formats import FILMS
from filewright.converter.engines.pdfium import PDFIUM
from filewright.converter.engines.pillow import PILLOW
from filewright.converter.engines.port import Availability, Conversion, Loss
from filewright.converter.operations.port import Ability, Errand, Made

_SOUNDS = ("mp3", "m4a", "wav", "flac", "ogg", "opus")
_USUAL = {"mp4": "m4a", "mov": "m4a", "3gp": "m4a", "webm": "opus", "ogv": "ogg"}
"""What takes the sound of most such films as it is."""
_ANIMATED = ("gif", "webp", "avif", "tiff")

Schema = Mapping[str, Any]
_ABOUT = (
    "audio: the sound of a film; frames: pictures of a film, an animation or a TIFF; text: the words of a document; "
    "members: files out of an archive"
)


def _what(kind: str) -> Mapping[str, Schema]:
    return {"what": {"const": kind, "default": kind, "description": _ABOUT}}


_EVERY: Mapping[str, Schema] = {
    "every": {
        "type": "number", "minimum": 0.02, "maximum": 3600, "default": 1,
        "description": "Seconds from one picture to the next",
    },
    "most": {
        "type": "integer", "minimum": 1, "maximum": 1000, "default": 100, "description": "How many pictures at most",
    },
    "start": {"type": "number", "minimum": 0, "maximum": 1e6, "description": "Seconds to leave out at the beginning"},
}  # fmt: skip


def _sounds_of(film: str) -> tuple[Ability, ...]:
    usual = _USUAL.get(film, "mp3")
    targets = (usual, *(target for target in _SOUNDS if target != usual))
    return tuple(
        Ability(film, target, 400, Loss.MOST, operation="extract", options=_what("audio")) for target in targets
    )


class FromFilms:
    """Sound and pictures, by ffmpeg. Sound goes in as it is coded where the target can hold it."""

    name = "ffmpeg-extract"
    abilities: Sequence[Ability] = (
        *(ability for film in FILMS if film != "y4m" for ability in _sounds_of(film)),
        *(
            Ability(film, target, 800, Loss.MOST, operation="extract", many=True, options={**_what("frames"), **_EVERY})
            for film in FILMS
            for target in ("jpg", "png")
        ),
    )

    def check(self) -> Availability:
        """That of ffmpeg."""
        return FFmpeg().check()

    async def operate(self, work: Errand) -> Sequence[Made]:
        """Either of the two."""
        if work.options["what"] == "audio":
            return [Made(path) for path in await FFmpeg().convert(replace(work, options={}))]
        start = {"start": work.options["start"]} if "start" in work.options else {}
        every, most = float(work.options["every"]), int(work.options["most"])
        pictures = await FFmpeg().frames(replace(work, options=start), every=every, most=most)
        return [Made(path) for path in pictures]


class FromPictures:
    """Every frame of an animation, every page of a TIFF."""

    name = "pillow-extract"
    abilities: Sequence[Ability] = tuple(
        Ability(source, target, 200, Loss.SMALL, operation="extract", many=True, options=_what("frames"))
        for source in _ANIMATED
        for target in ("png", "jpg")
    )

    def check(self) -> Availability:
        """That of the engine of pictures."""
        return PILLOW.check()

    async def operate(self, work: Errand) -> Sequence[Made]:
        """As the engine does for a conversion."""
        return [Made(path) for path in await PILLOW.convert(replace(work, options={"frame": "all"}))]


class FromDocuments:
    """The words of a PDF, and of whatever can be made one."""

    name = "pdfium-extract"
    abilities: Sequence[Ability] = (
        Ability("pdf", "txt", 15, Loss.MOST, operation="extract", converts=True, options=_what("text")),
    )

    def check(self) -> Availability:
        """That of the engine of PDFs."""
        return PDFIUM.check()

    async def operate(self, work: Errand) -> Sequence[Made]:
        """As the engine does for a conversion."""
        as_text = Conversion("pdf", "txt", work.conversion.cost)
        return [Made(path) for path in await PDFIUM.convert(replace(work, conversion=as_text, options={}))]


FROM_FILMS, FROM_PICTURES, FROM_DOCUMENTS = FromFilms(), FromPictures(), FromDocuments()
