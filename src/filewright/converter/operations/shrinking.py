"""Pictures, sound and films in fewer bytes, in the format they have; but plain samples as FLAC, which loses nothing.

The product is never larger than what came in: when coding it again gives no less, the file comes back as it is.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from filewright.converter.engines.ffmpeg import FFmpeg
from filewright.converter.engines.ffmpeg_formats import FILMS, WRITERS, Writer
from filewright.converter.engines.pixels import WARM
from filewright.converter.engines.port import Availability, Loss
from filewright.converter.operations.library import LibraryOperator
from filewright.converter.operations.port import Ability, Errand, Made, same_format

Schema = Mapping[str, Any]
_LEVEL: Mapping[str, Schema] = {
    "level": {
        "type": "string", "enum": ["light", "balanced", "strong"], "default": "balanced",
        "description": "light: hardly to be seen or heard; strong: as small as is bearable",
    },
}  # fmt: skip
_QUALITY: Mapping[str, Schema] = {
    "quality": {
        "type": "integer", "minimum": 1, "maximum": 100,
        "description": "1 is smallest, 100 is best; as `level` says if not given",
    },
}  # fmt: skip
_LOSSLESS: Mapping[str, Schema] = {
    "lossless": {
        "type": "boolean",
        "description": "true keeps every pixel, false takes 256 colours at most; as `level` says if not given",
    },
}  # fmt: skip
_STRIP: Mapping[str, Schema] = {
    "strip": {
        "type": "boolean", "default": True,
        "description": "Leave out what the camera and programs wrote into the file (place, time, device)",
    },
}  # fmt: skip

PICTURES_SHRUNK = LibraryOperator(
    name="pillow-compress",
    packages=("pillow", "pillow-heif", "numpy"),
    function="filewright.converter.operations.inside.shrinking:operate",
    abilities=(
        *same_format(
            "compress", ("jpg", "webp", "avif"), cost=300, loss=Loss.SMALL,
            options={**_LEVEL, **_QUALITY, **_STRIP},
        ),
        *same_format("compress", ("png",), cost=600, loss=Loss.SMALL, options={**_LEVEL, **_LOSSLESS, **_STRIP}),
        *same_format("compress", ("gif", "tiff"), cost=600, loss=Loss.SMALL, options={**_LEVEL, **_STRIP}),
    ),
    warm=WARM,
)  # fmt: skip

_CRF = {
    "libx264": {"light": 25, "balanced": 29, "strong": 34},
    "libvpx-vp9": {"light": 34, "balanced": 40, "strong": 48},
}
_FILM_QUALITY = {"light": 75, "balanced": 60, "strong": 35}
"""Of encoders that count from 1 to 100."""
_KBPS_PER_CHANNEL: Mapping[str, Mapping[str, int]] = {
    "libmp3lame": {"light": 80, "balanced": 64, "strong": 40},
    "aac": {"light": 64, "balanced": 48, "strong": 32},
    "libvorbis": {"light": 64, "balanced": 48, "strong": 32},
    "libopus": {"light": 48, "balanced": 32, "strong": 20},
    "mp2": {"light": 96, "balanced": 80, "strong": 64},
    "ac3": {"light": 80, "balanced": 64, "strong": 48},
    "wmav2": {"light": 64, "balanced": 48, "strong": 32},
}
_SOUNDS = ("mp3", "m4a", "aac", "ogg", "opus", "wma", "ac3")
_SAMPLES = ("flac", "wav", "aiff")
"""Sound of which nothing is lost; as FLAC it takes the fewest bytes."""
_FILMS = tuple(film for film in FILMS if film in WRITERS)
_FILM_SIZE: Mapping[str, Schema] = {
    name: {
        "type": "integer", "minimum": 16, "maximum": 7680,
        "description": f"{text} in pixels, if the film has more; proportions are kept",
    }
    for name, text in (("width", "Width"), ("height", "Height"))
}  # fmt: skip


def _bit_rate(writer: Writer) -> Mapping[str, Schema]:
    if writer.sound is None or not writer.sound.most_kbps:
        return {}
    return {
        "bitrate_kbps": {
            "type": "integer", "minimum": 8, "maximum": writer.sound.most_kbps,
            "description": "Kilobits per second of the sound; as `level` says if not given",
        }
    }  # fmt: skip


class MediaShrunk:
    """Sound and films, coded again by ffmpeg."""

    name = "ffmpeg-compress"
    abilities: Sequence[Ability] = (
        *(
            ability
            for kind in _SOUNDS
            for ability in same_format("compress", (kind,), cost=500, options={**_LEVEL, **_bit_rate(WRITERS[kind])})
        ),
        *(Ability(kind, "flac", 400, Loss.NONE, operation="compress", options=_LEVEL) for kind in _SAMPLES),
        *(
            ability
            for kind in _FILMS
            for ability in same_format(
                "compress", (kind,), cost=3000, options={**_LEVEL, **_FILM_SIZE, **_bit_rate(WRITERS[kind])}
            )
        ),
    )

    def check(self) -> Availability:
        """That of ffmpeg."""
        return FFmpeg().check()

    async def operate(self, work: Errand) -> Sequence[Made]:
        """Code it again, and give the smaller of both where they are of one format."""
        if work.conversion.target == "flac":
            product = await FFmpeg().packed(work)
        else:
            product = await self._coded_again(work)
        alike = work.conversion.source == work.conversion.target
        if alike and product.stat().st_size >= work.source.stat().st_size:
            await asyncio.to_thread(shutil.copyfile, work.source, product)
        return [Made(product)]

    async def _coded_again(self, work: Errand) -> Path:
        writer, level = WRITERS[work.conversion.target], str(work.options["level"])
        rates = _KBPS_PER_CHANNEL.get(writer.sound.encoder) if writer.sound is not None else None
        return await FFmpeg().smaller(
            replace(work, options=_settings(writer, level, work.options)),
            kbps_per_channel=rates[level] if rates else None,
        )


def _settings(writer: Writer, level: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The level in the encoder's own figures."""
    settings = {name: value for name, value in options.items() if name in {"width", "height", "bitrate_kbps"}}
    if writer.picture is not None and writer.picture.crf is not None:
        settings["crf"] = _CRF[writer.picture.encoder][level]
    elif writer.picture is not None and writer.picture.quality is not None:
        settings["quality"] = _FILM_QUALITY[level]
    return settings


MEDIA_SHRUNK = MediaShrunk()
