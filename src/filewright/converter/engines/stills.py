"""JPEG XL both ways, and Radiance HDR, by the ffmpeg that comes in the `imageio-ffmpeg` wheel, as a process of its own.

The demuxer is forced and only `file` is spoken, so no text in the input can send ffmpeg elsewhere. HDR goes to OpenEXR,
from where `high_range` makes pictures of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from filewright.chassis.sandbox.port import Ending, Outcome
from filewright.converter.engines.library import check_packages
from filewright.converter.engines.port import Availability, Conversion, Loss, Work
from filewright.converter.errors import CorruptInput, EngineMissing, ImageTooLarge, OutputInvalid

_DEMUXERS = {"jxl": "jpegxl_pipe", "png": "png_pipe", "hdr": "hdr_pipe"}
_ENCODERS = {"png": "png", "jxl": "libjxl", "exr": "exr"}
_JXL = {
    "quality": {
        "type": "integer", "minimum": 1, "maximum": 100, "default": 85,
        "description": "1 is smallest, 100 keeps every pixel exactly",
    },
}  # fmt: skip


class Stills:
    """One frame in, one picture out."""

    name = "ffmpeg-stills"
    conversions: Sequence[Conversion] = (
        Conversion("jxl", "png", cost=300, loss=Loss.NONE),
        Conversion("png", "jxl", cost=500, loss=Loss.SMALL, options=_JXL),
        Conversion("hdr", "exr", cost=120, loss=Loss.NONE),
    )

    def check(self) -> Availability:
        return check_packages("imageio-ffmpeg")

    async def convert(self, work: Work) -> Sequence[Path]:
        source, target = work.conversion.source, work.conversion.target
        outcome = await work.command(
            _ffmpeg(), "-nostdin", "-hide_banner", "-v", "error", "-xerror", "-threads", "2",
            "-protocol_whitelist", "file", "-f", _DEMUXERS[source], "-max_pixels", str(work.max_pixels),
            "-i", work.inside(work.source),
            "-frames:v", "1", "-an", "-c:v", _ENCODERS[target], *_settings(work),
            "-update", "1", "-f", "image2", work.inside(work.target),
        )  # fmt: skip
        _check(outcome, work.target)
        return [work.target]


def _settings(work: Work) -> tuple[str, ...]:
    match work.conversion.target:
        case "jxl":
            return ("-distance", f"{_distance(work.options.get('quality', 85)):.2f}", "-effort", "4")
        case "png":
            return ("-compression_level", "4", "-pred", "mixed")
        case _:
            return ()


def _distance(quality: int) -> float:
    """JPEG XL counts in just noticeable differences; this is the scale of its own tools."""
    if quality >= 100:
        return 0.0
    if quality >= 30:
        return 0.1 + (100 - quality) * 0.09
    return min(15.0, 53 / 3000 * quality**2 - 23 / 20 * quality + 25)


def _check(outcome: Outcome, product: Path) -> None:
    if b"exceeds specified max pixel count" in outcome.untrusted_stderr:
        raise ImageTooLarge
    if outcome.ending is not Ending.COMPLETED:
        raise CorruptInput
    if not product.is_file() or product.is_symlink() or product.stat().st_size == 0:
        raise OutputInvalid


@cache
def _ffmpeg() -> str:
    """The program inside the wheel; found without importing the package, which would look at the environment."""
    spec = find_spec("imageio_ffmpeg")
    folders: Sequence[str] = (spec.submodule_search_locations if spec else None) or ()
    programs = [path for folder in folders for path in sorted(Path(folder, "binaries").glob("ffmpeg-*"))]
    if not programs:
        raise EngineMissing
    return str(programs[0])
