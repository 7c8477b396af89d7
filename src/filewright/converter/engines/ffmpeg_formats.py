"""Sound and film formats as data: how each is read, how each is written, which options that takes.

A reader is the name of a demuxer, and the only one that the program is let use on the file: whatever a file is called
and whatever it begins with, it is never taken for a playlist. A writer is a muxer, one coding for pictures, one for
sound, and the codecs that go into it as they are, without being coded again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from filewright.converter.engines.port import Conversion, Loss

READERS: Mapping[str, Sequence[str]] = {
    "mp3": ("mp3",),
    "wav": ("wav",),
    "flac": ("flac",),
    "m4a": ("mov",),
    "aac": ("aac",),
    "ogg": ("ogg",),
    "opus": ("ogg",),
    "aiff": ("aiff",),
    "amr": ("amr",),
    "wma": ("asf",),
    "ac3": ("ac3", "eac3"),
    "au": ("au",),
    "caf": ("caf",),
    "ape": ("ape",),
    "wv": ("wv",),
    "mka": ("matroska",),
    "mp4": ("mov",),
    "mkv": ("matroska",),
    "webm": ("matroska",),
    "mov": ("mov",),
    "avi": ("avi",),
    "wmv": ("asf",),
    "flv": ("flv",),
    "mpg": ("mpeg", "mpegvideo"),
    "ts": ("mpegts",),
    "3gp": ("mov",),
    "3g2": ("mov",),
    "ogv": ("ogg",),
    "y4m": ("yuv4mpegpipe",),
    "gif": ("gif",),
}
"""Format to the demuxers that may read it; the first that opens the file is taken."""

SOUNDS = (
    "mp3", "wav", "flac", "m4a", "aac", "ogg", "opus", "aiff", "amr", "wma", "ac3", "au", "caf", "ape", "wv", "mka",
)  # fmt: skip
FILMS = ("mp4", "mkv", "webm", "mov", "avi", "wmv", "flv", "mpg", "ts", "3gp", "3g2", "ogv", "y4m")
STILLS = ("jpg", "png")
ANIMATIONS = ("gif", "webp")


@dataclass(frozen=True)
class SoundCoding:
    """How sound is coded. `encoder` is empty for plain samples, whose kind depends on what comes in (`pcm`)."""

    encoder: str
    quality: tuple[str, ...] = ()
    """Arguments when the caller does not choose a bit rate."""
    kbps_per_channel: int = 0
    """The bit rate when `quality` does not settle it."""
    most_kbps: int = 0
    """0: there is nothing to choose."""
    most_channels: int = 8
    rates: tuple[int, ...] = ()
    """The only sample rates that it takes; empty: any."""
    big_endian: bool = False


@dataclass(frozen=True)
class PictureCoding:
    """How pictures are coded."""

    encoder: str
    arguments: tuple[str, ...] = ()
    crf: int | None = None
    """The default of the option `crf`, where the encoder has such a scale."""
    quality: int | None = None
    """The default of the option `quality` (1..100), where the encoder has a scale of its own."""
    most_fps: int = 120
    pixels: str = "yuv420p"
    rates: tuple[str, ...] = ()
    """The only frame rates that it takes, slowest first; empty: any."""
    is_even: bool = False
    """It takes even widths and heights only."""


@dataclass(frozen=True)
class Writer:
    """How a format is written."""

    muxer: str
    sound: SoundCoding | None
    picture: PictureCoding | None = None
    copied: frozenset[str] = frozenset()
    """Codecs that go in unchanged, by ffmpeg's names."""
    arguments: tuple[str, ...] = ()


_MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_PCM = frozenset({"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"})
_PCM_BIG = frozenset({"pcm_s16be", "pcm_s24be", "pcm_s32be"})

# Below 16 kHz an MP3 is an extension that not every player knows, and the silence that its encoder adds gets long.
_MP3 = SoundCoding(
    "libmp3lame", ("-q:a", "2"), most_kbps=320, most_channels=2, rates=(16000, 22050, 24000, 32000, 44100, 48000)
)
_AAC = SoundCoding("aac", kbps_per_channel=96, most_kbps=512, rates=(*_MPEG_RATES, 64000, 88200, 96000))
_VORBIS = SoundCoding("libvorbis", ("-q:a", "5"), most_kbps=500, rates=(*_MPEG_RATES, 64000, 88200, 96000))
_OPUS = SoundCoding(
    "libopus", kbps_per_channel=72, most_kbps=510, rates=(8000, 12000, 16000, 24000, 48000), most_channels=8
)
_MP2 = SoundCoding(
    "mp2", kbps_per_channel=112, most_kbps=384, most_channels=2, rates=(16000, 22050, 24000, 32000, 44100, 48000)
)
_AC3 = SoundCoding("ac3", kbps_per_channel=96, most_kbps=640, most_channels=6, rates=(32000, 44100, 48000))
_WMA = SoundCoding("wmav2", kbps_per_channel=64, most_kbps=320, most_channels=2, rates=_MPEG_RATES)
_AMR = SoundCoding("libopencore_amrnb", ("-b:a", "12.2k"), most_channels=1, rates=(8000,))
_FLAC = SoundCoding("flac")
_SAMPLES = SoundCoding("")
_SAMPLES_BIG = SoundCoding("", big_endian=True)

_H264 = PictureCoding("libx264", ("-preset", "veryfast"), crf=23, is_even=True)
_VP9 = PictureCoding(
    "libvpx-vp9", ("-deadline", "realtime", "-cpu-used", "8", "-row-mt", "1", "-b:v", "0"), crf=32, is_even=False
)
_MPEG4 = PictureCoding("mpeg4", ("-vtag", "xvid"), quality=90)
_MPEG2 = PictureCoding(
    "mpeg2video",
    quality=90,
    most_fps=60,
    rates=("24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60"),
)
_WMV = PictureCoding("wmv2", quality=90)
_THEORA = PictureCoding("libtheora", quality=70)
_GIF = PictureCoding("gif", most_fps=50, pixels="")
_WEBP = PictureCoding("libwebp_anim", ("-loop", "0", "-compression_level", "2"), quality=75, most_fps=50)

_FIRST_INDEX = ("-movflags", "+faststart")
_SHORT_PACKETS = ("-pes_payload_size", "0")
"""Each piece of sound with a time of its own: else quiet sound seems a third of a second shorter than it is."""

WRITERS: Mapping[str, Writer] = {
    "mp3": Writer("mp3", _MP3, copied=frozenset({"mp3"})),
    "wav": Writer("wav", _SAMPLES, copied=_PCM, arguments=("-rf64", "auto")),
    "flac": Writer("flac", _FLAC, copied=frozenset({"flac"})),
    "m4a": Writer("ipod", _AAC, copied=frozenset({"aac", "alac"}), arguments=_FIRST_INDEX),
    "aac": Writer("adts", _AAC, copied=frozenset({"aac"})),
    "ogg": Writer("ogg", _VORBIS, copied=frozenset({"vorbis"})),
    "opus": Writer("opus", _OPUS, copied=frozenset({"opus"})),
    "aiff": Writer("aiff", _SAMPLES_BIG, copied=_PCM_BIG, arguments=("-write_id3v2", "1")),
    "amr": Writer("amr", _AMR, copied=frozenset({"amr_nb"})),
    "wma": Writer("asf", _WMA, copied=frozenset({"wmav1", "wmav2", "wmapro", "wmalossless"})),
    "ac3": Writer("ac3", _AC3, copied=frozenset({"ac3"})),
    "au": Writer("au", _SAMPLES_BIG, copied=_PCM_BIG | {"pcm_mulaw", "pcm_alaw"}),
    "caf": Writer("caf", _SAMPLES, copied=_PCM | _PCM_BIG),
    "wv": Writer("wv", SoundCoding("wavpack"), copied=frozenset({"wavpack"})),
    "mka": Writer(
        "matroska",
        _VORBIS,
        copied=frozenset({"aac", "mp3", "mp2", "opus", "vorbis", "flac", "alac", "ac3", "eac3", "dts", "wavpack"})
        | {"pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"},
    ),
    "mp4": Writer(
        "mp4",
        _AAC,
        _H264,
        frozenset({"h264", "hevc", "av1", "mpeg4", "vp9", "aac", "mp3", "ac3", "eac3", "alac"}),
        _FIRST_INDEX,
    ),
    "mov": Writer(
        "mov",
        _AAC,
        _H264,
        frozenset({"h264", "hevc", "mpeg4", "prores", "mjpeg", "aac", "mp3", "ac3", "alac", "pcm_s16le"}),
        _FIRST_INDEX,
    ),
    "mkv": Writer(
        "matroska",
        _AAC,
        _H264,
        frozenset({"h264", "hevc", "av1", "mpeg4", "vp8", "vp9", "mpeg2video", "mpeg1video", "theora", "mjpeg"})
        | {"prores", "aac", "mp3", "mp2", "opus", "vorbis", "flac", "alac", "ac3", "eac3", "dts", "pcm_s16le"},
    ),
    "webm": Writer("webm", _OPUS, _VP9, frozenset({"vp8", "vp9", "av1", "opus", "vorbis"})),
    "avi": Writer("avi", _MP3, _MPEG4, frozenset({"mjpeg", "mp3", "ac3"})),
    "wmv": Writer("asf", _WMA, _WMV, frozenset({"wmv1", "wmv2", "wmav1", "wmav2"})),
    "flv": Writer("flv", _AAC, _H264, frozenset({"h264", "flv1", "aac"})),
    "mpg": Writer("vob", _MP2, _MPEG2, frozenset({"mp2"})),
    "ts": Writer(
        "mpegts", _AAC, _H264, frozenset({"h264", "hevc", "mpeg2video", "aac", "mp3", "mp2", "ac3"}), _SHORT_PACKETS
    ),
    "3gp": Writer("3gp", _AAC, _H264, frozenset({"h264", "mpeg4", "h263", "aac", "amr_nb"}), _FIRST_INDEX),
    "3g2": Writer("3g2", _AAC, _H264, frozenset({"h264", "mpeg4", "h263", "aac", "amr_nb"}), _FIRST_INDEX),
    "ogv": Writer("ogv", _VORBIS, _THEORA, frozenset({"theora", "vorbis"})),
    "gif": Writer("gif", None, _GIF),
    "webp": Writer("webp", None, _WEBP),
    "jpg": Writer("image2", None, PictureCoding("mjpeg", quality=92, pixels="yuvj420p"), arguments=("-update", "1")),
    "png": Writer("image2", None, PictureCoding("png", pixels="rgb24"), arguments=("-update", "1")),
}

_LOSSLESS = frozenset({"wav", "flac", "aiff", "au", "caf", "wv"})
_COST = {
    "mp3": 400, "opus": 500, "ogg": 900, "m4a": 600, "aac": 600, "flac": 110, "wav": 60, "wma": 300, "ac3": 200,
    "mka": 300, "amr": 300, "mkv": 1500, "mp4": 1600, "mov": 1600, "ts": 1700, "flv": 1800, "3gp": 1900, "3g2": 1900,
    "webm": 3600, "avi": 2000, "mpg": 2000, "wmv": 2100, "ogv": 4000, "gif": 2500, "webp": 5000, "jpg": 100, "png": 120,
}  # fmt: skip


def conversions() -> tuple[Conversion, ...]:
    """Sound to sound, film to film, film to its sound, to a still or to an animation, and animation to film."""
    films = [target for target in WRITERS if target in FILMS]
    sounds = [target for target in WRITERS if target in SOUNDS]
    pairs = [
        *((source, target, _fineness(source, target)) for source in SOUNDS for target in sounds),
        *((source, target, Loss.SMALL) for source in FILMS for target in films),
        *((source, target, Loss.MOST) for source in FILMS for target in (*sounds, *ANIMATIONS, *STILLS)),
        *(("gif", target, Loss.SMALL) for target in ("mp4", "webm")),
    ]
    return tuple(
        Conversion(source, target, cost=_COST.get(target, 100), loss=loss, options=_options(source, target))
        for source, target, loss in pairs
        if source != target and not (source == "y4m" and target in SOUNDS)
    )


def _fineness(source: str, target: str) -> Loss:
    if target == "amr":
        return Loss.LARGE
    return Loss.NONE if target in _LOSSLESS or source == "amr" else Loss.SMALL


Schema = Mapping[str, Any]
_PART: Mapping[str, Schema] = {
    "start": {"type": "number", "minimum": 0, "maximum": 1e6, "description": "Seconds to leave out at the beginning"},
    "duration": {
        "type": "number", "exclusiveMinimum": 0, "maximum": 1e6, "description": "Seconds to keep; all if not given",
    },
}  # fmt: skip
_SIZE: Mapping[str, Schema] = {
    "width": {
        "type": "integer", "minimum": 16, "maximum": 7680,
        "description": "Width in pixels; the height follows. With `height`, the largest size that fits in both",
    },
    "height": {"type": "integer", "minimum": 16, "maximum": 7680, "description": "Height in pixels; the width follows"},
}  # fmt: skip
_AT: Schema = {"type": "number", "minimum": 0, "maximum": 1e6, "default": 0, "description": "The second to show"}
_MUTE: Schema = {"type": "boolean", "default": False, "description": "Leave the sound out"}


def _options(source: str, target: str) -> Mapping[str, Schema]:
    writer = WRITERS[target]
    if target in STILLS:
        return {"at": _AT, **_SIZE, **_picture_quality(writer)}
    if writer.picture is None:
        return {**_PART, **_sound_options(writer)}
    shown = {**_PART, **_SIZE, "fps": _fps(writer.picture), **_picture_quality(writer)}
    return shown if writer.sound is None or source in {"gif", "y4m"} else {**shown, "mute": _MUTE}


def _sound_options(writer: Writer) -> Mapping[str, Schema]:
    coding = writer.sound
    assert coding is not None
    options: dict[str, Schema] = {}
    if coding.most_kbps:
        text = "Kilobits per second; a good quality is chosen if not given"
        options["bitrate_kbps"] = {"type": "integer", "minimum": 8, "maximum": coding.most_kbps, "description": text}
    if len(coding.rates) != 1:
        allowed = {"enum": sorted(coding.rates)} if coding.rates else {"minimum": 8000, "maximum": 192_000}
        text = "Samples per second; as in the source if not given"
        options["sample_rate"] = {"type": "integer", **allowed, "description": text}
    if coding.most_channels > 1:
        text = "1 is mono, 2 is stereo; as in the source if not given"
        most = min(coding.most_channels, 8)
        options["channels"] = {"type": "integer", "minimum": 1, "maximum": most, "description": text}
    return options


def _fps(coding: PictureCoding) -> Schema:
    text = "Pictures per second; as in the source if not given"
    return {"type": "number", "minimum": 1, "maximum": coding.most_fps, "description": text}


def _picture_quality(writer: Writer) -> Mapping[str, Schema]:
    coding = writer.picture
    assert coding is not None
    if coding.crf is not None:
        text = "The encoder's scale of quality: lower is better and larger"
        most = 51 if coding is _H264 else 63
        return {"crf": {"type": "integer", "minimum": 0, "maximum": most, "default": coding.crf, "description": text}}
    if coding.quality is not None:
        text = "1 is small, 100 is best"
        return {
            "quality": {
                "type": "integer", "minimum": 1, "maximum": 100, "default": coding.quality, "description": text,
            }
        }  # fmt: skip
    return {}
