"""Small documents like those that people send: letters, notes, slides, sheets; and small files of other kinds.

The office documents are in the proportions of a collection of real ones (47 docx, 66 pptx, 1 xlsx) and differ from each
other; with real documents of your own, figures are nearer to what you will see.
"""

from __future__ import annotations

import io
import json
import random
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pypandoc
from docx import Document
from docx.shared import Pt
from samples import text

_SLIDES_AMONG = 12
"""Of so many documents seven are slides, and the rest are texts; a sheet comes once."""
_SLIDES = frozenset({1, 3, 5, 7, 8, 10, 11})


def source(seed: int) -> random.Random:
    """For those whose words should be the same every time."""
    return random.Random(seed)


def office_documents(folder: Path, count: int) -> Sequence[Path]:
    """So many, the same ones every time."""
    folder.mkdir(parents=True)
    made = []
    for number in range(count):
        source = random.Random(number)
        if number == 4:
            made.append(_write(folder / f"{number:03}.xlsx", sheet(source)))
        elif number % _SLIDES_AMONG in _SLIDES:
            made.append(slides(folder / f"{number:03}.pptx", source))
        else:
            made.append(_write(folder / f"{number:03}.docx", letter(source, pages=1 + number % 2)))
    return made


def letter(source: random.Random, *, pages: int = 1) -> bytes:
    """A docx of headings, paragraphs in two faces, a list and a table; about that many pages."""
    document = Document()
    for _ in range(pages):
        document.add_heading(text(source, 4), 1)
        for _ in range(3):
            paragraph = document.add_paragraph(text(source, 45))
            run = paragraph.add_run(" " + text(source, 6))
            run.bold, run.font.name, run.font.size = True, "Arial", Pt(10)
        for _ in range(3):
            document.add_paragraph(text(source, 6), style="List Bullet")
        table = document.add_table(rows=3, cols=3)
        for row in table.rows:
            for cell in row.cells:
                cell.text = text(source, 2)
    return _saved(document.save)


def sheet(source: random.Random) -> bytes:
    """An xlsx of one page."""
    import xlsxwriter

    held = io.BytesIO()
    with xlsxwriter.Workbook(held, {"in_memory": True}) as book:
        page = book.add_worksheet()
        for row in range(30):
            page.write_row(row, 0, [text(source, 2), row, round(source.uniform(0, 100), 2)])
    return held.getvalue()


def slides(path: Path, source: random.Random) -> Path:
    """A pptx of one to four slides."""
    words = "\n\n".join(
        f"## {text(source, 3)}\n\n" + "\n".join(f"- {text(source, 6)}" for _ in range(4))
        for _ in range(source.randint(1, 4))
    )
    argv = [pypandoc.get_pandoc_path(), "--from=markdown", "--to=pptx", "--slide-level=2", f"--output={path}"]
    subprocess.run(argv, input=words.encode(), check=True)
    return path


def pdf(pages: int) -> bytes:
    """Pages of text."""
    import pikepdf

    source, made = random.Random(9), pikepdf.new()
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    for _ in range(pages):
        page = made.add_blank_page(page_size=(595, 842))
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=made.make_indirect(font)))
        shown = b"".join(b"(%s) Tj T*\n" % text(source, 11).encode() for _ in range(45))
        page.Contents = made.make_stream(b"BT /F1 11 Tf 50 790 Td 16 TL\n" + shown + b"ET")
    return _saved(made.save)


def picture(kind: str, size: tuple[int, int]) -> bytes:
    """A smooth one with grain."""
    import numpy
    from PIL import Image

    width, height = size
    down, across = numpy.mgrid[0:height, 0:width].astype("float32")
    grain = numpy.random.default_rng(4).normal(0, 4, (height, width))
    layers = [128 + 60 * numpy.sin(across / (90 + 30 * n) + down / 70) + grain for n in range(3)]
    held = io.BytesIO()
    Image.fromarray(numpy.clip(numpy.stack(layers, axis=-1), 0, 255).astype("uint8")).save(held, kind, quality=88)
    return held.getvalue()


def drawing() -> bytes:
    """An svg of shapes and words."""
    source = random.Random(6)
    shapes = "".join(
        f'<circle cx="{source.randint(0, 400)}" cy="{source.randint(0, 300)}" r="{source.randint(2, 60)}"'
        f' fill="#{source.randrange(1 << 24):06x}" opacity="0.6"/>'
        for _ in range(60)
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="400" height="300">{shapes}</svg>\n'.encode()


def markdown() -> bytes:
    source = random.Random(7)
    return "\n\n".join(f"# {text(source, 3)}\n\n{text(source, 50)}\n\n- *one*\n- `two`" for _ in range(5)).encode()


def page() -> bytes:
    source = random.Random(8)
    body = "".join(f"<h2>{text(source, 3)}</h2><p>{text(source, 60)}</p>" for _ in range(5))
    return f"<!DOCTYPE html><html><head><title>Page</title></head><body>{body}</body></html>\n".encode()


def rows(count: int) -> bytes:
    source = random.Random(5)
    lines = (
        f"{n},2020-01-{n % 28 + 1:02},{source.randrange(10**6)},{text(source, 1)},{n / 7:.2f},0.25,true\n"
        for n in range(count)
    )
    return ("id,day,number,name,amount,share,paid\n" + "".join(lines)).encode()


def records() -> bytes:
    source = random.Random(3)
    return json.dumps({"records": [{"id": n, "name": text(source, 2)} for n in range(50)]}).encode()


def captions() -> bytes:
    source = random.Random(2)
    parts = (f"{n + 1}\n00:00:{n:02},000 --> 00:00:{n:02},900\n{text(source, 5)}\n" for n in range(40))
    return "\n".join(parts).encode()


def sound(seconds: float) -> bytes:
    """A wav in stereo."""
    import wave

    import numpy

    moments = numpy.arange(int(44100 * seconds)) / 44100
    tones = numpy.stack([numpy.sin(2 * numpy.pi * hertz * moments) for hertz in (440, 554)], axis=-1)
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes((tones * 9000).astype("<i2").tobytes())
    return held.getvalue()


def bundle() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(5):
            file.writestr(f"folder/{number}.md", markdown())
    return held.getvalue()


def _saved(save: object) -> bytes:
    held = io.BytesIO()
    save(held)  # type: ignore[operator]
    return held.getvalue()


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
