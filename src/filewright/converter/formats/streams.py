"""Sound and film that is no box file: RIFF, Matroska, Ogg, MPEG, ASF, and the small ones."""

from __future__ import annotations

from collections.abc import Callable

from filewright.converter.formats.sample import Detection, Sample

_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_VIDEO = bytes.fromhex("c0ef19bc4d5bcf11a8fd00805f5c442b")
_RIFF = {b"WAVE": "wav", b"AVI ": "avi", b"WEBP": "webp"}
_OGG = (
    (b"\x80theora", "ogv"),
    (b"OpusHead", "opus"),
    (b"\x01vorbis", "ogg"),
    (b"\x7fFLAC", "ogg"),
    (b"Speex   ", "ogg"),
)
_FIXED = (
    (b"fLaC", "flac"),
    (b"#!AMR", "amr"),
    (b".snd", "au"),
    (b"caff\x00\x01", "caf"),
    (b"MAC ", "ape"),
    (b"wvpk", "wv"),
    (b"FLV\x01", "flv"),
    (b"YUV4MPEG2", "y4m"),
    (b"\x00\x00\x01\xba", "mpg"),
    (b"\x00\x00\x01\xb3", "mpg"),
)
_BITRATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_BITRATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44100, 48000, 32000)


def recognise(sample: Sample, hint: str | None) -> Detection | None:
    """By signature, and by two frames in a row where there is only a sync word."""
    head = sample.head
    if head.startswith((b"RIFF", b"RF64", b"BW64")):
        found = "wav" if head[:4] != b"RIFF" else _RIFF.get(head[8:12])
        return Detection(found) if found else None
    for magic, format_id in _FIXED:
        if head.startswith(magic):
            return Detection(format_id)
    if head.startswith(b"FORM") and head[8:12] in {b"AIFF", b"AIFC"}:
        return Detection("aiff")
    if head.startswith(b"\x1aE\xdf\xa3"):
        return _matroska(head, hint)
    if head.startswith(b"OggS"):
        return _ogg(head, hint)
    if head.startswith(_ASF):
        return Detection("wmv" if _ASF_VIDEO in head or hint == "wmv" else "wma")
    if head.startswith(b"ID3"):
        return _tagged(sample)
    return _framed(head)


def _matroska(head: bytes, hint: str | None) -> Detection:
    doctype_at = head.find(b"\x42\x82", 0, 256)
    if doctype_at >= 0 and head[doctype_at + 3 :].startswith(b"webm"):
        return Detection("webm")
    return Detection("mka" if hint == "mka" or _only_sound(head) else "mkv")


def _only_sound(head: bytes) -> bool:
    """By the type of each track (element 0x83: 1 is video, 2 is audio), which comes before the first cluster."""
    cluster = head.find(b"\x1f\x43\xb6\x75")
    tracks = head[: cluster if cluster >= 0 else len(head)]
    return b"\x83\x81\x02" in tracks and b"\x83\x81\x01" not in tracks


def _ogg(head: bytes, hint: str | None) -> Detection:
    first_pages = head[:4096]
    for mark, format_id in _OGG:
        if mark in first_pages:
            return Detection(format_id)
    return Detection(hint if hint in {"ogv", "opus"} else "ogg")


def id3_end(sample: Sample) -> int:
    """Where an ID3 tag at the start says that it ends; may lie beyond a cut-off file. 0: there is none."""
    head = sample.head
    if not head.startswith(b"ID3") or len(head) < 10:
        return 0
    a, b, c, d = (byte & 0x7F for byte in head[6:10])
    footer = 10 if head[5] & 0x10 else 0
    return 10 + (a << 21 | b << 14 | c << 7 | d) + footer


def _tagged(sample: Sample) -> Detection:
    """An ID3 tag stands before MP3, and in the wild also before AAC and FLAC."""
    after = sample.read(id3_end(sample), 16384).lstrip(b"\x00")
    if after.startswith(b"fLaC"):
        return Detection("flac")
    return _framed(after) or Detection("mp3")


def _framed(data: bytes) -> Detection | None:
    if data.startswith(b"\x0bw") and len(data) > 6:
        return Detection("ac3")
    if _two_frames(data, _adts_length):
        return Detection("aac")
    if _two_frames(data, _mpeg_audio_length):
        return Detection("mp3")
    for packet, offset in ((188, 0), (192, 4)):
        if len(data) > offset + 4 * packet and all(data[offset + n * packet] == 0x47 for n in range(5)):
            return Detection("ts")
    return None


def _two_frames(data: bytes, length_of: Callable[[bytes, int], int]) -> bool:
    first = length_of(data, 0)
    return first > 0 and (len(data) <= first or length_of(data, first) > 0)


def _adts_length(data: bytes, at: int) -> int:
    if len(data) < at + 7 or data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
        return 0
    length = (data[at + 3] & 0x03) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    return length if length > 7 else 0


def _mpeg_audio_length(data: bytes, at: int) -> int:
    """The length of the frame that begins here; 0 when none does (ISO 11172-3 2.4.2.3)."""
    if len(data) < at + 4:
        return 0
    word = int.from_bytes(data[at : at + 4], "big")
    version, layer, bitrate, rate = word >> 19 & 3, word >> 17 & 3, word >> 12 & 15, word >> 10 & 3
    if word >> 21 != 0x7FF or version == 1 or layer != 1 or bitrate in {0, 15} or rate == 3:
        return 0
    kilobits = (_BITRATES_1 if version == 3 else _BITRATES_2)[bitrate]
    frequency = _RATES[rate] >> (0 if version == 3 else 1 if version == 2 else 2)
    return (144 if version == 3 else 72) * kilobits * 1000 // frequency + (word >> 9 & 1)
