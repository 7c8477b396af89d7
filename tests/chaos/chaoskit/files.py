"""Small real files to convert, and how to see, with a program that did not make it, that a result is what it says."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import wave
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docx
import lxml.html


@dataclass(frozen=True)
class Sample:
    """A file by name, what to make of it, and whether that can succeed."""

    name: str
    data: bytes
    to: str
    good: bool = True


def markdown(seed: int) -> Sample:
    words = random.Random(seed).choices(["storm", "lease", "token", "fence", "queue", "event", "row", "commit"], k=60)
    return Sample(f"note-{seed}.md", f"# Note {seed}\n\n{' '.join(words)}\n".encode(), "html")


def picture(seed: int, side: int = 48) -> Sample:
    rows = b"".join(b"\0" + random.Random(seed + y).randbytes(side * 3) for y in range(side))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return Sample(f"picture-{seed}.png", b"\x89PNG\r\n\x1a\n" + body, "jpg")


def letter(seed: int, *, paragraphs: int = 30) -> Sample:
    """Takes an office program a second or two when it starts from cold: long enough to be hit in the middle."""
    document = docx.Document()
    document.add_heading(f"Letter {seed}", 1)
    for n in range(paragraphs):
        document.add_paragraph(f"{seed}-{n}: " + "the quick brown fox jumps over the lazy dog. " * 4)
    made = io.BytesIO()
    document.save(made)
    return Sample(f"letter-{seed}.docx", made.getvalue(), "pdf")


def table(seed: int) -> Sample:
    lines = ["id,name,amount", *(f"{n},row {seed}-{n},{n * 1.5}" for n in range(200))]
    return Sample(f"table-{seed}.csv", "\n".join(lines).encode(), "parquet")


def tone(seed: int) -> Sample:
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(random.Random(seed).randbytes(2 * 8000))
    return Sample(f"tone-{seed}.wav", made.getvalue(), "mp3")


def torn(seed: int) -> Sample:
    """A picture whose second half never arrived."""
    whole = picture(seed)
    return Sample(f"torn-{seed}.png", whole.data[: len(whole.data) // 2], "jpg", good=False)


GOOD: tuple[Callable[[int], Sample], ...] = (markdown, picture, letter, table, tone)


def is_what_it_says(path: Path, to: str) -> bool:
    """Whether another program can open the result."""
    match to:
        case "html":
            return bool(lxml.html.parse(path).getroot().text_content().strip())
        case "pdf":
            return _runs("qpdf", "--check", str(path))
        case "jpg" | "mp3":
            return _runs("ffprobe", "-v", "error", "-i", str(path))
        case "parquet":
            data = path.read_bytes()
            return data[:4] == data[-4:] == b"PAR1"
    raise ValueError(to)


def _runs(*argv: str) -> bool:
    return subprocess.run(argv, capture_output=True, check=False, timeout=60).returncode == 0
