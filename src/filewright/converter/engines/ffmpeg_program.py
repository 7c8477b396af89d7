"""Start ffmpeg in the sandbox and judge how it ended.

The program is the one in the `imageio-ffmpeg` wheel (GPL-3, a separate process), which starts eight times faster than
Debian's; Debian's is taken where the wheel is absent. It may open local files and pipes only, and never reads
commands from its input.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from filewright.chassis.sandbox.port import Ending, Outcome
from filewright.converter.engines.installed import check_programs
from filewright.converter.engines.port import Availability, Work
from filewright.converter.errors import CorruptInput, EngineCrashed, ImageTooLarge, OutputInvalid, UnsupportedFormat

_FIXED = ("-nostdin", "-hide_banner")
_IDLE_SECONDS = 30.0
_OUTPUT_BYTES = 16 << 20

_PICTURE_SIZE = re.compile(r"Picture size (\d{1,9})x(\d{1,9}) (?:is invalid|exceeds)")
_NO_DECODER = ("no decoder found for", "Decoder not found", "Unsupported codec")
_OUR_FAULT = (
    "Unknown encoder", "Encoder not found", "Unrecognized option", "Option not found", "Requested output format",
    "No such filter", "codec not currently supported in container",
)  # fmt: skip
_DAMAGE = (
    "is invalid",
    "Invalid data found when processing input", "moov atom not found", "Error opening input", "partial file",
    "File ended prematurely", "Decode error rate", "Could not find codec parameters", "Nothing was written into output",
    "Cannot determine format of input", "error reading header", "Output file is empty", "does not contain any stream",
    "Error submitting packet to decoder", "Error while decoding", "Invalid NAL unit", "non monotonically increasing",
    "corrupt", "Packet too small", "EOF",
)  # fmt: skip
_CUT_OFF = ("partial file", "File ended prematurely")


@cache
def program() -> Path | None:
    """Where the wheel keeps the executable; found without importing the wheel."""
    spec = find_spec("imageio_ffmpeg")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        for candidate in sorted(Path(location, "binaries").glob("ffmpeg-*")):
            if candidate.is_file():
                return candidate
    return None


def check() -> Availability:
    """Whether there is a program at all, and which."""
    if program() is None:
        found = check_programs("ffmpeg", package="ffmpeg")
        return found if found.available else replace(found, install="pip install imageio-ffmpeg")
    try:
        return Availability(available=True, version=version("imageio-ffmpeg"))
    except PackageNotFoundError:
        return Availability(available=True)


async def run(
    work: Work, *arguments: str, level: str = "error", on_line: Callable[[bytes], None] | None = None
) -> Outcome:
    """Run it in the workspace. Every ending that is not its own doing has become an error."""
    wheel = program()
    limits = replace(work.limits, idle_seconds=_IDLE_SECONDS, output_bytes=_OUTPUT_BYTES)
    return await replace(work, limits=limits).command(
        str(wheel) if wheel else "ffmpeg",
        *_FIXED,
        "-loglevel",
        level,
        *arguments,
        on_line=on_line,
        readable=(wheel,) if wheel else (),
    )


def reading(work: Work, demuxer: str, path: Path | None = None) -> Sequence[str]:
    """The arguments that open the source, or `path`: by this demuxer or not at all, and nothing but the file itself."""
    return (
        *("-protocol_whitelist", "file,pipe"),
        *("-format_whitelist", demuxer),
        *("-max_pixels", str(work.max_pixels)),
        *("-threads", "2"),
        *("-f", demuxer),
        *("-i", f"file:{work.inside(path or work.source)}"),
    )


def failure(untrusted_errors: str, max_pixels: int) -> Exception:
    """The error for a run that did not end well, by what the program said."""
    for width, height in _PICTURE_SIZE.findall(untrusted_errors):
        if int(width) * int(height) > max_pixels:
            return ImageTooLarge(f"The film has more pixels than the {max_pixels:,} that are allowed.")
    if _says(untrusted_errors, _OUR_FAULT):
        return OutputInvalid()
    if _says(untrusted_errors, _NO_DECODER):
        return UnsupportedFormat("The sound or the pictures are coded in a way that cannot be read here.")
    if _says(untrusted_errors, _DAMAGE):
        return CorruptInput()
    return EngineCrashed()


def check_ending(outcome: Outcome, max_pixels: int) -> None:
    """Raise what a failed run means, or CorruptInput when a good one came upon the end of a file that was cut off."""
    untrusted_errors = outcome.untrusted_stderr.decode(errors="replace")
    if outcome.ending is Ending.FAILED:
        raise failure(untrusted_errors, max_pixels)
    if _says(untrusted_errors, _CUT_OFF):
        raise CorruptInput("The file is damaged or incomplete: it was cut off.")


def _says(untrusted_errors: str, signs: Sequence[str]) -> bool:
    return any(sign in untrusted_errors for sign in signs)
