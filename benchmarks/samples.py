"""The inputs, made here: the same bytes every time, so that runs can be compared."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

_WORDS = (
    "river", "stone", "window", "letter", "garden", "market", "winter", "engine", "paper", "silver", "morning",
    "bridge", "forest", "number", "music", "harbour", "candle", "village", "thunder", "ocean", "story", "copper",
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """One input file."""

    path: Path
    description: str


def make_samples(folder: Path, wanted: set[str], *, quick: bool) -> Mapping[str, Sample]:
    """Those of the wanted formats; the media files need the ffmpeg that the product uses."""
    made = {}
    for name, (make, description) in _MAKERS.items():
        if name in wanted:
            path = folder / f"sample.{name}"
            make(path, quick)
            made[name] = Sample(path, description(quick))
    return made


def text(source: random.Random, words: int) -> str:
    """So many words as a sentence."""
    return " ".join(source.choice(_WORDS) for _ in range(words)).capitalize() + "."


def _md(path: Path, quick: bool) -> None:
    source, parts = random.Random(1), ["# A report\n"]
    for number in range(1, 21):
        parts.append(f"## Section {number}\n\n{text(source, 60)} [A link](https://example.org/{number}).\n")
        parts.append("\n".join(f"- *{text(source, 5)}* `code`" for _ in range(4)) + "\n")
        parts.append("| a | b |\n|---|---|\n" + "\n".join(f"| {n} | {text(source, 2)} |" for n in range(4)) + "\n")
    path.write_text("\n".join(parts), encoding="utf-8")


def _docx(path: Path, quick: bool) -> None:
    from docx import Document

    source, document = random.Random(2), Document()
    for number in range(1, 11):
        document.add_heading(f"Section {number}", 1)
        for _ in range(4):
            document.add_paragraph(text(source, 80))
        table = document.add_table(rows=4, cols=4)
        for row in table.rows:
            for cell in row.cells:
                cell.text = source.choice(_WORDS)
    document.save(str(path))


def _xlsx(path: Path, quick: bool) -> None:
    import xlsxwriter

    source = random.Random(3)
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        for row in range(200):
            for column in range(6):
                value = source.choice(_WORDS) if column % 2 else round(source.uniform(0, 1000), 2)
                sheet.write(row, column, value)


def _photo(path: Path, size: tuple[int, int]) -> None:
    """Smooth shapes with grain, which code about as well as a photo does."""
    import numpy
    from PIL import Image

    width, height = size
    down, across = numpy.mgrid[0:height, 0:width].astype("float32")
    noise = numpy.random.default_rng(4)
    layers = []
    for channel in range(3):
        waves = sum(
            numpy.sin(across / noise.uniform(20, 300) + down / noise.uniform(20, 300) + channel) for _ in range(6)
        )
        layers.append(128 + 18 * waves + noise.normal(0, 4, (height, width)))
    Image.fromarray(numpy.clip(numpy.stack(layers, axis=-1), 0, 255).astype("uint8")).save(path, quality=90)


def _jpg(path: Path, quick: bool) -> None:
    _photo(path, (1632, 1224))


def _png(path: Path, quick: bool) -> None:
    _photo(path, (816, 612) if quick else (1632, 1224))


def _csv(path: Path, quick: bool) -> None:
    source, day = random.Random(5), date(2020, 1, 1)
    with path.open("w", encoding="utf-8") as file:
        file.write("id,day,name,city,amount,share,paid\n")
        for number in range(20_000 if quick else 200_000):
            when = day + timedelta(days=number % 2000)
            cents, share = source.randrange(100_000), source.randrange(10_000)
            row = (
                number,
                when,
                source.choice(_WORDS),
                source.choice(_WORDS),
                f"{cents / 100:.2f}",
                f"{share / 1e4:.4f}",
            )
            file.write(",".join(map(str, row)) + (",true\n" if cents % 2 else ",false\n"))


def _mp4(path: Path, quick: bool) -> None:
    seconds = "2" if quick else "5"
    _ffmpeg(
        *("-f", "lavfi", "-i", f"testsrc2=size=1280x720:rate=25:duration={seconds}"),
        *("-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={seconds}"),
        *("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path)),
    )


def _wav(path: Path, quick: bool) -> None:
    tone = "aevalsrc=0.3*sin(440*2*PI*t)+0.2*sin(933*2*PI*t)|0.3*sin(554*2*PI*t):s=44100"
    _ffmpeg("-f", "lavfi", "-i", f"{tone}:d={10 if quick else 60}", "-c:a", "pcm_s16le", str(path))


def _ffmpeg(*arguments: str) -> None:
    from filewright.converter.engines import ffmpeg_program

    program = ffmpeg_program.program() or "ffmpeg"
    subprocess.run([str(program), "-nostdin", "-loglevel", "error", "-y", *arguments], check=True)


_Maker = tuple[Callable[[Path, bool], None], Callable[[bool], str]]
_MAKERS: Mapping[str, _Maker] = {
    "md": (_md, lambda quick: "20 sections with links, lists and tables"),
    "docx": (_docx, lambda quick: "10 sections, 10 tables"),
    "xlsx": (_xlsx, lambda quick: "200 rows of 6 columns"),
    "jpg": (_jpg, lambda quick: "photo of 2 million pixels"),
    "png": (_png, lambda quick: f"photo of {'0.5' if quick else '2'} million pixels"),
    "csv": (_csv, lambda quick: f"{'20,000' if quick else '200,000'} rows of 7 columns"),
    "mp4": (_mp4, lambda quick: f"{2 if quick else 5} s of 720p, H.264 and AAC"),
    "wav": (_wav, lambda quick: f"{10 if quick else 60} s, stereo"),
}
