"""Sound, film and subtitles."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from corpus.making.tools import XML, run

_TONE = ("-f", "lavfi", "-i", "sine=frequency=440:duration=1.5:sample_rate=44100")
_BARS = ("-f", "lavfi", "-i", "testsrc=duration=1.5:size=160x120:rate=25")
_CODECS = {
    "3gp": ("-c:v", "mpeg4", "-c:a", "aac"),
    "3g2": ("-c:v", "mpeg4", "-c:a", "aac"),
    "webm": ("-c:v", "libvpx", "-c:a", "libopus", "-ar", "48000"),
    "ogv": ("-c:v", "libtheora", "-c:a", "libvorbis"),
}


def _ffmpeg(*arguments: str | Path) -> None:
    run("ffmpeg", "-v", "error", "-y", *arguments)


def sound(path: Path) -> None:
    _ffmpeg(*_TONE, "-map_metadata", "-1", path)


def amr(path: Path) -> None:
    """Narrow band, every frame without sound: 20 ms each, of 13 bytes at 4.75 kbit/s."""
    path.write_bytes(b"#!AMR\n" + (b"\x04" + bytes(12)) * 75)


def film(path: Path) -> None:
    _ffmpeg(*_TONE, *_BARS, "-shortest", *_CODECS.get(path.suffix[1:], ()), path)


def silent_film(path: Path) -> None:
    _ffmpeg(*_BARS, "-pix_fmt", "yuv420p", path)


def ape(path: Path) -> None:
    """A second of silence, for which the format has a flag, so that nothing needs its coder; mono, 16 bits, fast."""
    blocks = 44_100
    wave = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + 2 * blocks, b"WAVE", b"fmt ", 16, 1, 1, 44_100, 88_200, 2,
                       16, b"data", 2 * blocks)  # fmt: skip
    crc = (zlib.crc32(bytes(2 * blocks)) >> 1) | 0x80000000
    frame = struct.pack("<III", crc, 1, 0)
    header = struct.pack("<HHIIIHHI", 1000, 0, 73_728, blocks, 1, 16, 1, 44_100)
    seek_at = 52 + len(header)
    seek = struct.pack("<I", seek_at + 4 + len(wave))
    descriptor = struct.pack("<4sHHIIIIIII16s", b"MAC ", 3990, 0, 52, len(header), len(seek), len(wave), len(frame),
                             0, 0, bytes(16))  # fmt: skip
    path.write_bytes(descriptor + header + seek + wave + frame)


_LINES = ((1.0, 2.5, "Guten Tag"), (3.0, 4.0, "Auf Wiedersehen"))


def subtitles(path: Path) -> None:
    """As other programs write them."""
    head = {
        "ass": "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
        "Style: Default,Arial,20\n\n[Events]\nFormat: Layer, Start, End, Style, Text\n",
        "ssa": "[Script Info]\nScriptType: v4.00\n\n[V4 Styles]\nFormat: Name, Fontname, Fontsize\n"
        "Style: Default,Arial,20\n\n[Events]\nFormat: Marked, Start, End, Style, Text\n",
        "ttml": f'{XML}<tt xmlns="http://www.w3.org/ns/ttml" xml:lang="de"><body><div>',
        "sub": "{1}{1}25.000\n",
    }
    line = {
        "ass": "Dialogue: 0,0:00:{0:05.2f},0:00:{1:05.2f},Default,{2}\n",
        "ssa": "Dialogue: Marked=0,0:00:{0:05.2f},0:00:{1:05.2f},Default,{2}\n",
        "ttml": '<p begin="00:00:{0:06.3f}" end="00:00:{1:06.3f}">{2}</p>',
        "sub": "{{{3}}}{{{4}}}{2}\n",
    }
    kind = path.suffix[1:]
    body = "".join(
        line[kind].format(start, end, text, round(start * 25), round(end * 25)) for start, end, text in _LINES
    )
    path.write_text(head[kind] + body + ("</div></body></tt>" if kind == "ttml" else ""), encoding="utf-8")


def smi(path: Path) -> None:
    body = "".join(
        f"<SYNC Start={start * 1000:.0f}><P Class=DE>{text}\n<SYNC Start={end * 1000:.0f}><P Class=DE>&nbsp;\n"
        for start, end, text in _LINES
    )
    path.write_text(
        '<SAMI><HEAD><STYLE TYPE="text/css"><!--\n.DE {Name: Deutsch; lang: de-DE;}\n--></STYLE></HEAD><BODY>\n'
        f"{body}</BODY></SAMI>\n",
        encoding="utf-8",
    )


def scc(path: Path) -> None:
    """`Hello` from one second to three, in the codes of line 21."""
    path.write_text(
        "Scenarist_SCC V1.0\n\n00:00:01:00\t9420 9420 9470 9470 c8e5 ecec ef80 942f 942f\n\n00:00:03:00\t942c 942c\n"
    )


def ebu(path: Path) -> None:
    general = (b"850STL25.011" + b"00").ljust(1024, b" ")
    words = b"Auf Wiedersehen".ljust(112, b"\x8f")
    path.write_bytes(general + bytes([0, 1, 0, 0xFF, 0, 0, 0, 1, 0, 0, 0, 2, 12, 20, 2, 0]) + words)
