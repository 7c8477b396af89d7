"""What is in a sound or film file, as ffmpeg itself sees it: read from the summary that it prints of an input.

The program is asked rather than another reader, because what decides is what this program will make of the file:
which stream it takes, by which name it knows the codec, how long it believes the whole to be. All of it comes from a
stranger's file, so nothing here is more than a claim with sane bounds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPENED = re.compile(r"^Input #0, ", re.MULTILINE)
_DURATION = re.compile(r"^  Duration: (\d+):(\d\d):(\d\d\.\d+)", re.MULTILINE)
_GUESSED = "Estimating duration from bitrate"
_STREAM = re.compile(r"^  Stream #0:\d+[^:]*: (Video|Audio): ([a-z0-9_]+)(.*)$", re.MULTILINE)
_ANY_STREAM = re.compile(r"^  Stream #0:\d+(?!.*\(attached pic\))", re.MULTILINE)
_SIZE = re.compile(r", (\d+)x(\d+)(?=[ ,\n]|$)")
_RATE_OF_FRAMES = re.compile(r", ([\d.]+)(k?) fps")
_USUAL_RATE_OF_FRAMES = re.compile(r", ([\d.]+)(k?) tbr")
_SAMPLES = re.compile(r", (\d+) Hz, ([^,]+)(?:, (\w+)(?: \((\d+) bit\))?)?")
_COUNTED = re.compile(r"(\d+) channels")
_DOTTED = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
_NAMED_LAYOUTS = {"mono": 1, "stereo": 2, "downmix": 2, "quad": 4, "hexagonal": 6, "octagonal": 8, "cube": 8}
_LOSSLESS = frozenset({"flac", "alac", "wavpack", "ape", "tta", "truehd", "mlp", "tak", "wmalossless", "shorten"})
_MOST_SAMPLES = 768_000
_MOST_CHANNELS = 64


@dataclass(frozen=True)
class Picture:
    """The first stream of moving pictures; covers of albums do not count."""

    codec: str
    width: int
    height: int
    fps: float | None
    """Frames per second as declared; None when the file does not say."""

    @property
    def pixels(self) -> int:
        return self.width * self.height


@dataclass(frozen=True)
class Sound:
    """The first stream of sound."""

    codec: str
    sample_rate: int
    channels: int
    bits: int
    """Bits of a sample as decoded."""
    is_float: bool

    @property
    def is_sane(self) -> bool:
        return 0 < self.sample_rate <= _MOST_SAMPLES and 0 < self.channels <= _MOST_CHANNELS

    @property
    def is_lossless(self) -> bool:
        """Coded so that every bit is worth keeping."""
        return self.codec.startswith("pcm_") or self.codec in _LOSSLESS


@dataclass(frozen=True)
class Sheet:
    """What a file says of itself."""

    picture: Picture | None
    sound: Sound | None
    seconds: float | None
    """Length of the longest stream; None when the file does not say."""
    is_guess: bool = False
    """The length was worked out from the size, so nothing may be concluded from it."""
    has_more: bool = False
    """There are streams beside these two (subtitles, more languages), which may be longer."""


def read_sheet(untrusted_summary: str) -> Sheet | None:
    """None when the program could not open the file at all."""
    if _OPENED.search(untrusted_summary) is None:
        return None
    streams = [(kind, codec, rest) for kind, codec, rest in _STREAM.findall(untrusted_summary) if codec != "none"]
    pictures = [_picture(codec, rest) for kind, codec, rest in streams if kind == "Video" and not _is_cover(rest)]
    sounds = [_sound(codec, rest) for kind, codec, rest in streams if kind == "Audio"]
    return Sheet(
        picture=pictures[0] if pictures else None,
        sound=sounds[0] if sounds else None,
        seconds=_seconds(untrusted_summary),
        is_guess=_GUESSED in untrusted_summary,
        has_more=len(_ANY_STREAM.findall(untrusted_summary)) > bool(pictures) + bool(sounds),
    )


def _is_cover(rest: str) -> bool:
    return "(attached pic)" in rest


def _seconds(summary: str) -> float | None:
    found = _DURATION.search(summary)
    if found is None:
        return None
    hours, minutes, seconds = found.groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _picture(codec: str, rest: str) -> Picture:
    size = _SIZE.search(rest)
    fps = _RATE_OF_FRAMES.search(rest) or _USUAL_RATE_OF_FRAMES.search(rest)
    return Picture(
        codec,
        width=int(size[1]) if size else 0,
        height=int(size[2]) if size else 0,
        fps=float(fps[1]) * (1000 if fps[2] else 1) if fps else None,
    )


def _sound(codec: str, rest: str) -> Sound:
    found = _SAMPLES.search(rest)
    if found is None:
        return Sound(codec, 0, 0, 16, is_float=False)
    rate, layout, sample, told_bits = found.groups()
    kind = (sample or "s16").rstrip("p")
    bits = int(told_bits) if told_bits else {"u8": 8, "s32": 32, "flt": 32, "dbl": 64, "s64": 64}.get(kind, 16)
    return Sound(codec, int(rate), _channels(layout), bits, is_float=kind in {"flt", "dbl"})


def _channels(layout: str) -> int:
    """Of `stereo`, `5.1(side)`, `6 channels (FL+FR+...)`."""
    if counted := _COUNTED.match(layout):
        return int(counted[1])
    if dotted := _DOTTED.match(layout):
        return sum(int(part) for part in dotted.groups() if part)
    return _NAMED_LAYOUTS.get(layout.split("(", 1)[0].strip(), 2)
