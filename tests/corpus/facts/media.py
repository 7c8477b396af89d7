"""Facts about sound and film, by ffprobe and mediainfo."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from corpus.facts.delivery import Delivery, run
from filewright.converter.formats.catalogue import FORMATS, Family

Facts = Mapping[str, Any]
_SURROUND = frozenset({"wav", "flac", "m4a", "mp4", "mkv", "mka", "mov", "ac3", "ogg", "opus", "caf", "aiff"})
_ANY_RATE = frozenset({"wav", "flac", "aiff", "caf", "wv"})
_SAME_FRAME = frozenset({"mp4", "mkv", "webm", "mov", "avi", "wmv", "flv", "ogv", "ts", "y4m"})


def duration(seconds: float, delivery: Delivery, facts: Facts) -> str | None:
    """Within 0.15 s or 2 %. A bare AAC stream counts whole frames of 1,024 samples and a lead-in: two of them."""
    if not _plays(delivery):
        return None
    found = _seconds(delivery.first)
    frames = 2 * 1024 / facts["audio"]["sample_rate"] if delivery.target == "aac" else 0
    allowed = max(0.15, 0.02 * seconds, frames)
    if "video" in facts and FORMATS[delivery.target].family is Family.AUDIO and seconds / 2 < found < seconds:
        return ""  # the sound of a film may end before its pictures do
    return "" if abs(found - seconds) <= allowed else f"{found:.2f} s, not {seconds} s"


def audio(wanted: Mapping[str, Any], delivery: Delivery, facts: Facts) -> str | None:
    """There is sound, with its channels and rate where the target has room for them."""
    if not _plays(delivery) or delivery.target == "y4m":
        return None
    if FORMATS[delivery.target].family is Family.IMAGE:
        return None
    sound = _stream(delivery.first, "audio")
    if sound is None:
        return "it holds no sound"
    channels = wanted["channels"]
    if (channels <= 2 or delivery.target in _SURROUND) and delivery.target != "amr" and sound["channels"] != channels:
        return f"{sound['channels']} channels, not {channels}"
    if delivery.target in _ANY_RATE and int(sound["sample_rate"]) != wanted["sample_rate"]:
        return f"{sound['sample_rate']} Hz, not {wanted['sample_rate']}"
    return ""


def video(wanted: Mapping[str, Any], delivery: Delivery, facts: Facts) -> str | None:
    """There are moving pictures of the same size, or for an animation of the same shape."""
    if FORMATS[delivery.target].family is Family.AUDIO:
        return None
    if delivery.target == "gif":
        width, height = (
            int(side) for side in run("identify", "-format", "%w %h\n", f"{delivery.first}[0]").split()[:2]
        )
        return "" if abs(width / height / (wanted["width"] / wanted["height"]) - 1) < 0.03 else f"{width} × {height}"
    if not _plays(delivery):
        return None
    film = _stream(delivery.first, "video")
    if film is None:
        return "it holds no pictures"
    if delivery.target in _SAME_FRAME and (film["width"], film["height"]) != (wanted["width"], wanted["height"]):
        return f"{film['width']} × {film['height']}, not {wanted['width']} × {wanted['height']}"
    return ""


def _plays(delivery: Delivery) -> bool:
    return FORMATS[delivery.target].family in {Family.AUDIO, Family.VIDEO}


def said_of(path: Path) -> Mapping[str, Any]:
    """What Debian's ffprobe says, another build than the one that converts. Several facts ask it of one product."""
    return _said_of(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _said_of(path: Path, _written: int) -> Mapping[str, Any]:
    return json.loads(run("ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", path))


def _stream(path: Path, kind: str) -> Mapping[str, Any] | None:
    return next((stream for stream in said_of(path)["streams"] if stream["codec_type"] == kind), None)


def _seconds(path: Path) -> float:
    said = said_of(path)
    stated = said["format"].get("duration") or next((s["duration"] for s in said["streams"] if "duration" in s), None)
    if stated is not None and path.suffix not in {".aac", ".ac3", ".amr", ".y4m", ".mp3"}:
        return float(stated)
    return _decoded_seconds(path)


def _decoded_seconds(path: Path) -> float:
    """The end of the last packet, where the container does not say, or guesses."""
    said = json.loads(
        run("ffprobe", "-v", "error", "-show_entries", "packet=pts_time,duration_time", "-of", "json", path)
    )
    ends = [float(p.get("pts_time", 0)) + float(p.get("duration_time", 0)) for p in said["packets"]]
    return max(ends, default=0.0)
