"""What ffmpeg is told for one file: pure, from what is in the file, the target and the options to arguments.

Sound and pictures stay what they are wherever the target can hold them: codecs are copied when nothing has to change,
sizes, sample rates and channels are kept when the encoder takes them. Nothing in an argument was typed by a user but
numbers and words that a schema allows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from filewright.converter.engines.ffmpeg_formats import (
    ANIMATIONS,
    STILLS,
    WRITERS,
    PictureCoding,
    SoundCoding,
    Writer,
)
from filewright.converter.engines.ffmpeg_sheet import Picture, Sheet, Sound

_UNTIMED = frozenset({"avi", "mpg", "wmv", "y4m", "gif"})
"""Containers that do not say when each picture is shown, so that their pictures are coded again."""
_PAINT = "paletteuse=dither=bayer:bayer_scale=5:diff_mode=rectangle"
_ONE_PICTURE = ("-c:v", "png", "-f", "image2", "-update", "1")
_ANIMATION_FPS = {"gif": 12.5, "webp": 15.0}
_WAVPACK_BLOCKS = ("-frame_size", "16384")
"""Else blocks are as long as the first frame of the source, of which an MP3 may have left too little."""


@dataclass(frozen=True)
class Recipe:
    """One conversion, as far as the program has to know it."""

    sheet: Sheet
    source: str
    target: str
    options: Mapping[str, Any]
    more: tuple[str, ...] = ()
    """Arguments for the encoders, beside those that follow from the options."""

    @property
    def writer(self) -> Writer:
        return WRITERS[self.target]

    @property
    def picture(self) -> Picture | None:
        """The pictures that go into the product."""
        return self.sheet.picture if self.writer.picture is not None else None

    @property
    def sound(self) -> Sound | None:
        """The sound that goes into the product."""
        return self.sheet.sound if self.writer.sound is not None and not self.options.get("mute") else None

    @property
    def is_still(self) -> bool:
        return self.target in STILLS

    @property
    def start(self) -> float:
        return float(self.options.get("at" if self.is_still else "start") or 0)

    @property
    def seconds(self) -> float | None:
        """How long the product should be; None when the source does not say."""
        chosen = self.options.get("duration")
        if self.sheet.seconds is None:
            return chosen
        left = max(0.0, self.sheet.seconds - self.start)
        return left if chosen is None else min(left, chosen)

    @property
    def copies_picture(self) -> bool:
        """Whether the pictures go in as they are coded."""
        coding = self.writer.picture
        if self.picture is None or coding is None or self.source in _UNTIMED or self._is_cut:
            return False
        changed = any(self.options.get(name) is not None for name in ("width", "height", "fps"))
        changed |= bool(_turn(self.options))
        changed |= self.options.get("crf", coding.crf) != coding.crf
        changed |= self.options.get("quality", coding.quality) != coding.quality
        return self.picture.codec in self.writer.copied and not changed

    @property
    def copies_sound(self) -> bool:
        """Whether the sound goes in as it is coded."""
        changed = any(self.options.get(name) is not None for name in ("bitrate_kbps", "sample_rate", "channels"))
        return self.sound is not None and self.sound.codec in self.writer.copied and not changed and not self._is_cut

    @property
    def _is_cut(self) -> bool:
        return self.start > 0 or self.options.get("duration") is not None

    def before_input(self) -> Sequence[str]:
        """Where to begin; looked for in the input, not by decoding all that comes before."""
        return ("-ss", _number(self.start)) if self.start else ()

    @property
    def wants_palette(self) -> bool:
        """Whether the best 256 colours have to be chosen first, in a run of their own over the whole film."""
        return self.target == "gif"

    def palette_arguments(self) -> Sequence[str]:
        """What makes a picture of those colours."""
        coding = self.writer.picture
        assert coding is not None
        filters = ",".join([*self._filters(coding), "palettegen=stats_mode=diff"])
        return ("-map", "0:V:0", *self._length_arguments(), "-filter_threads", "1", "-vf", filters, *_ONE_PICTURE)

    def after_input(self, *, may_copy: bool) -> Sequence[str]:
        """Everything but the name of the product. Where a palette is wanted, it is the second input."""
        if self.wants_palette:
            return (*self._painted(), *self._length_arguments(), "-f", self.writer.muxer)
        return (
            *self._picture_arguments(may_copy=may_copy),
            *self._sound_arguments(may_copy=may_copy),
            *self.more,
            *("-sn", "-dn"),
            *self._length_arguments(),
            *self.writer.arguments,
            *("-f", self.writer.muxer),
        )

    def one_after_the_other(self) -> Sequence[str]:
        """How stills are coded that are numbered files."""
        coding = self.writer.picture
        assert coding is not None
        return (
            "-c:v",
            coding.encoder,
            "-pix_fmt",
            coding.pixels,
            *_picture_quality(coding, self.options),
            "-f",
            "image2",
        )

    def _painted(self) -> Sequence[str]:
        coding = self.writer.picture
        assert coding is not None
        graph = f"[0:V:0]{','.join(self._filters(coding))}[shown];[shown][1:v:0]{_PAINT}"
        return ("-filter_complex_threads", "1", "-lavfi", graph)

    def _length_arguments(self) -> Sequence[str]:
        if self.is_still:
            return ("-frames:v", "1")
        chosen = self.options.get("duration")
        return ("-t", _number(chosen)) if chosen is not None else ()

    def _picture_arguments(self, *, may_copy: bool) -> Sequence[str]:
        coding = self.writer.picture
        if self.picture is None or coding is None:
            return ("-vn",)
        mapped = ("-map", "0:V:0")
        if may_copy and self.copies_picture:
            apple = ("-tag:v", "hvc1") if self.picture.codec == "hevc" and self.target in {"mp4", "mov"} else ()
            return (*mapped, "-c:v", "copy", *apple)
        return (
            *mapped,
            *("-c:v", coding.encoder, *coding.arguments, "-threads:v", "2"),
            *(("-pix_fmt", coding.pixels) if coding.pixels else ()),
            *_picture_quality(coding, self.options),
            *self._fps_arguments(coding),
            *_filter(self._filters(coding)),
        )

    def _fps_arguments(self, coding: PictureCoding) -> Sequence[str]:
        if self.is_still or self.target in ANIMATIONS:
            return ()
        chosen = self.options.get("fps")
        if coding.rates:
            declared = self.picture.fps if self.picture else None
            return ("-r", _frame_rate(chosen or declared or 25.0, coding.rates))
        return ("-r", _number(chosen)) if chosen is not None else ("-fpsmax", str(coding.most_fps))

    def _filters(self, coding: PictureCoding) -> Sequence[str]:
        size = _size(self.options, step=2 if coding.is_even else 1)
        filters = [*_turn(self.options), *size]
        if coding.is_even and not size:
            filters.append("pad=ceil(iw/2)*2:ceil(ih/2)*2")
        if self.target in ANIMATIONS:
            # The last picture passes even when all together last less than one picture of the animation.
            filters.insert(0, f"fps={_number(self._animation_fps())}:eof_action=pass")
        return filters

    def _animation_fps(self) -> float:
        usual = _ANIMATION_FPS[self.target]
        declared = self.sheet.picture.fps if self.sheet.picture else None
        return float(self.options.get("fps") or min(usual, max(declared or usual, 1.0)))

    def _sound_arguments(self, *, may_copy: bool) -> Sequence[str]:
        coding, sound = self.writer.sound, self.sound
        if coding is None or sound is None:
            return ("-an",)
        mapped = ("-map", "0:a:0")
        if may_copy and self.copies_sound:
            return (*mapped, "-c:a", "copy")
        channels = self.options.get("channels") or min(sound.channels, coding.most_channels)
        rate = self.options.get("sample_rate") or _nearest(sound.sample_rate, coding.rates)
        return (
            *mapped,
            *("-c:a", coding.encoder or _plain_samples(sound, big_endian=coding.big_endian)),
            # Always said where it could matter: a layout such as 5.1(side) is not one that every encoder knows.
            *(("-ac", str(channels)) if channels > 2 or channels != sound.channels else ()),
            *(("-ar", str(rate)) if rate != sound.sample_rate else ()),
            *_sound_quality(coding, sound, channels, self.options.get("bitrate_kbps")),
        )


def _picture_quality(coding: PictureCoding, options: Mapping[str, Any]) -> Sequence[str]:
    if coding.crf is not None:
        return ("-crf", str(options.get("crf", coding.crf)))
    if coding.quality is None:
        return ()
    quality = options.get("quality", coding.quality)
    match coding.encoder:
        case "libwebp_anim":
            return ("-q:v", str(quality))
        case "libtheora":
            return ("-q:v", str(round(quality / 10)))
        case _:  # the MPEG family counts from 2, the best, to 31
            return ("-q:v", str(31 - round((quality - 1) * 29 / 99)))


def _size(options: Mapping[str, Any], *, step: int) -> Sequence[str]:
    width, height = (int(options.get(name) or 0) for name in ("width", "height"))
    if width and height:
        fit = f"force_original_aspect_ratio=decrease:force_divisible_by={step}"
        return (f"scale={width}:{height}:{fit}",)
    if width:
        return (f"scale={width - width % step}:-{step}",)
    if height:
        return (f"scale=-{step}:{height - height % step}",)
    return ()


def _turn(options: Mapping[str, Any]) -> Sequence[str]:
    """What turns and mirrors, of what the operation of that name says: no conversion has such options."""
    flip = {"horizontal": "hflip", "vertical": "vflip"}.get(str(options.get("flip")))
    turn = {90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}.get(int(options.get("turn") or 0))
    return [step for step in (flip, turn) if step]


def _filter(filters: Sequence[str]) -> Sequence[str]:
    return ("-filter_threads", "1", "-vf", ",".join(filters)) if filters else ()


def _nearest(rate: int, allowed: Sequence[int]) -> int:
    """The rate itself, else the next one above, else the highest."""
    if not allowed:
        return rate
    return min((one for one in allowed if one >= rate), default=max(allowed))


def _frame_rate(fps: float, allowed: Sequence[str]) -> str:
    """The slowest that shows each picture equally often, else the next one above, else the fastest."""
    rates = [(float(Fraction(one)), one) for one in allowed]
    even = (name for rate, name in rates if round(rate / fps) >= 1 and math.isclose(rate % fps, 0, abs_tol=0.01))
    above = (name for rate, name in rates if rate >= fps)
    return next(even, None) or next(above, allowed[-1])


def _plain_samples(sound: Sound, *, big_endian: bool) -> str:
    """As fine as the source was kept; what was coded with a loss has no more than 16 bits to tell."""
    order = "be" if big_endian else "le"
    if not sound.is_lossless or sound.codec in {"pcm_alaw", "pcm_mulaw"}:
        return f"pcm_s16{order}"
    if sound.is_float:
        return f"pcm_f{sound.bits}{order}"
    bits = next((width for width in (16, 24) if sound.bits <= width), 32)
    return f"pcm_s{bits}{order}"


def _sound_quality(coding: SoundCoding, sound: Sound, channels: int, chosen_kbps: int | None) -> Sequence[str]:
    if chosen_kbps is not None:
        return ("-b:a", f"{chosen_kbps}k")
    if coding.quality:
        return coding.quality
    if coding.kbps_per_channel:
        return ("-b:a", f"{min(coding.kbps_per_channel * channels, coding.most_kbps)}k")
    if coding.encoder in {"flac", "wavpack"}:
        packed = coding.encoder == "wavpack"
        fine = sound.is_lossless and (sound.is_float or sound.bits > 16)
        kind = ("-sample_fmt", f"s{32 if fine else 16}{'p' if packed else ''}")
        return (*kind, *_WAVPACK_BLOCKS) if packed else kind
    return ()


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
