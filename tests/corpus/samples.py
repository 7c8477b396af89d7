"""Small files of every family, for where no corpus is: made with usual tools, their facts true by construction.

Each maker writes one file into a folder. Nothing here is made by the engine that will convert it to the target that is
checked, so far as the format leaves a choice.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import mailbox
import sqlite3
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from corpus.cases import Case

PHRASE = "Die Brücke führt über den Fluss"
OTHER = "Un café à côté de l’église"
_MEMBER = b"a member of the archive\n" * 40


def samples() -> Sequence[Case]:
    """One file per family and more, and some that must be refused."""
    return [
        *(_case(name, make, facts) for name, (make, facts) in _GOOD.items()),
        *(_case(name, make, {}, reason) for name, (make, reason) in _BAD.items()),
    ]


def _case(name: str, make: Callable[[Path], None], facts: Mapping[str, Any], reason: str | None = None) -> Case:
    def place(folder: Path) -> Path:
        path = folder / name.replace("/", "-")
        if not path.exists():
            make(path)
        return path

    password = "opens it" if reason == "password-required" else None
    return Case(name, name.split("/", maxsplit=1)[0], place, facts, refused_for=reason, password=password)


def _program(*argv: str | Path, given: bytes | None = None) -> bytes:
    return subprocess.run(argv, check=True, capture_output=True, input=given, timeout=60).stdout


def _docx(path: Path) -> None:
    from docx import Document

    document = Document()
    document.add_heading("Bericht", 1)
    document.add_paragraph(PHRASE)
    table = document.add_table(2, 2)
    table.cell(0, 0).text = OTHER
    picture = io.BytesIO()
    _picture().save(picture, "PNG")
    picture.seek(0)
    document.add_picture(picture)
    document.save(path)


def _by_pandoc(path: Path) -> None:
    """Markdown into whatever the name ends with."""
    import pypandoc

    text = f"---\ntitle: Ein kleines Buch\nlang: de\n---\n\n# Eins\n\n{PHRASE}\n\n# Zwei\n\n{OTHER}\n"
    program = Path(pypandoc.__file__).parent / "files" / "pandoc"
    _program(program, "--standalone", "--from=markdown", f"--output={path}", given=text.encode())


def _text(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(content, encoding="utf-8") and None


def _xlsx(path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = "Zahlen"
    for row in (["Ort", "Summe"], ["Genève", 6.75], ["Łódź", 12]):
        book.active.append(row)
    second = book.create_sheet("Versteckt")
    second["A1"] = PHRASE
    second.sheet_state = "hidden"
    book.save(path)


def _pptx(path: Path) -> None:
    import pypandoc

    program = Path(pypandoc.__file__).parent / "files" / "pandoc"
    _program(
        program, "--from=markdown", f"--output={path}", given=f"# Eins\n\n{PHRASE}\n\n# Zwei\n\n{OTHER}\n".encode()
    )


def _pdf(path: Path) -> None:
    """Two pages with text in a standard font, written by hand."""
    pages = [f"BT /F1 18 Tf 72 700 Td (Page {number}: A quiet sentence stands here) Tj ET" for number in (1, 2)]
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [4 0 R 6 0 R] /Count 2 >>",
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]  # fmt: skip
    for number, content in enumerate(pages):
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * number} 0 R >>"
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode()
    path.write_bytes(
        out + f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{out.index(b'xref')}\n%%EOF".encode()
    )


def _locked_pdf(path: Path) -> None:
    plain = path.with_suffix(".plain")
    _pdf(plain)
    _program("qpdf", "--encrypt", "opens it", "owner", "256", "--", plain, path)


def _picture(size: tuple[int, int] = (64, 40)) -> Any:
    from PIL import Image

    return Image.radial_gradient("L").resize(size).convert("RGB")


def _image(**options: Any) -> Callable[[Path], None]:
    return lambda path: _picture().save(path, **options)


def _turned_jpeg(path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    _picture().save(path, exif=exif)


def _gif(path: Path) -> None:
    frames = [_picture().rotate(90 * turn) for turn in range(4)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=80, loop=0)


def _fax(path: Path) -> None:
    pages = [_picture((64 + page, 40)).convert("1") for page in range(3)]
    pages[0].save(path, save_all=True, append_images=pages[1:], compression="group4")


def _media(*arguments: str) -> Callable[[Path], None]:
    return lambda path: _program("ffmpeg", "-v", "error", "-y", *arguments, str(path)) and None


_TONE = ("-f", "lavfi", "-i", "sine=frequency=440:duration=1.5:sample_rate=44100")
_BARS = ("-f", "lavfi", "-i", "testsrc=duration=1.5:size=160x120:rate=20")


def _csv(path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["Ort", "Summe"], ["Genève, Ville", "7"], ['"Łódź"', "12"]])


def _parquet(path: Path) -> None:
    import polars

    polars.DataFrame({"ort": ["Genève", "Łódź"], "summe": [7, 12]}).write_parquet(path)


def _sqlite(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table orte (ort text, summe integer)")
        connection.executemany("insert into orte values (?, ?)", [("Genève", 7), ("Łódź", 12), ("Kyiv", 3)])
    connection.close()


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/naïve.txt", _MEMBER)
        archive.writestr("other.bin", bytes(range(256)))


def _tar(path: Path) -> None:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, data in (("folder/naïve.txt", _MEMBER), ("other.bin", bytes(range(256)))):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def _7z(path: Path) -> None:
    folder = path.parent / f"{path.name}.d"
    (folder / "folder").mkdir(parents=True)
    (folder / "folder" / "naïve.txt").write_bytes(_MEMBER)
    (folder / "other.bin").write_bytes(bytes(range(256)))
    subprocess.run(("7z", "a", path.resolve(), "."), cwd=folder, check=True, capture_output=True)


def _locked_7z(path: Path) -> None:
    member = path.with_suffix(".txt")
    member.write_bytes(_MEMBER)
    _program("7z", "a", "-popens it", "-mhe=on", path.resolve(), member)


def _gz(path: Path) -> None:
    import gzip

    path.write_bytes(gzip.compress(_MEMBER))


def _letter(subject: str = "Grüße aus Genève") -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "Žofie Nováková <zofie@example.org>", "me@example.org"
    message["Date"] = "Mon, 02 Nov 2026 10:00:00 +0000"
    message.set_content(PHRASE)
    message.add_attachment(_MEMBER, maintype="text", subtype="plain", filename="notes.txt")
    return message


def _mbox(path: Path) -> None:
    box = mailbox.mbox(path)
    for subject in ("First letter", "Second letter"):
        box.add(_letter(subject))
    box.close()


def _font(path: Path) -> None:
    from fontTools.ttLib import TTFont

    source = _program("fc-match", "--format", "%{file}", "DejaVu Sans").decode()
    if path.suffix == ".ttf":
        path.write_bytes(Path(source).read_bytes())
    else:
        font = TTFont(source)
        font.flavor = path.suffix[1:]
        font.save(path)


_CORNERS = ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
_FACES = ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))


def _stl(path: Path) -> None:
    triangles = b"".join(
        struct.pack("<12fH", 0, 0, 0, *(float(part) for corner in face for part in _CORNERS[corner]), 0)
        for face in _FACES
    )
    path.write_bytes(bytes(80) + struct.pack("<I", len(_FACES)) + triangles)


def _obj(path: Path) -> None:
    lines = [f"v {x} {y} {z}" for x, y, z in _CORNERS] + [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in _FACES]
    path.write_text("\n".join(lines) + "\n")


_PLACES = {
    "type": "FeatureCollection",
    "features": [
        {"type": "Feature", "properties": {"name": name}, "geometry": {"type": "Point", "coordinates": place}}
        for name, place in (("Genève", [6.14, 46.2]), ("Łódź", [19.46, 51.76]), ("Kyiv", [30.52, 50.45]))
    ],
}
_GPX = (
    '<?xml version="1.0"?><gpx version="1.1" creator="by hand" xmlns="http://www.topografix.com/GPX/1/1">'
    '<wpt lat="46.2" lon="6.14"><name>Genève</name></wpt><wpt lat="51.76" lon="19.46"><name>Łódź</name></wpt></gpx>'
)
_CUES = "1\n00:00:01,000 --> 00:00:02,500\nGuten Tag\n\n2\n00:00:03,000 --> 00:00:04,000\nAuf Wiedersehen\n"
_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="80" viewBox="0 0 120 80">'
    '<rect width="120" height="80" fill="#eef"/><circle cx="60" cy="40" r="30" fill="#36c"/></svg>'
)
_ICS = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:by hand\r\nBEGIN:VEVENT\r\nUID:1@example.org\r\n"
    "DTSTART:20261102T100000Z\r\nSUMMARY:Treffen am Fluss\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
_MEMBERS = {"files": 2, "names_sample": ["folder/naïve.txt", "other.bin"]}
_ONE_MEMBER = {"member_sha256": {"name": "folder/naïve.txt", "sha256": hashlib.sha256(_MEMBER).hexdigest()}}
_SIZE = {"width": 64, "height": 40}
_SOUND = {"duration_s": 1.5, "audio": {"sample_rate": 44100, "channels": 1}}
_FILM = {**_SOUND, "video": {"width": 160, "height": 120}}
_MESH = {"triangles": 4}
_HTML = f'<!DOCTYPE html><html lang="de"><meta charset="utf-8"><title>Seite</title><h1>Eins</h1><p>{PHRASE}</p></html>'
_LETTER = {
    "subject": "Grüße aus Genève",
    "from": "Žofie Nováková <zofie@example.org>",
    "attachment_names": ["notes.txt"],
}
_SHEET = {"sheets": ["Zahlen", "Versteckt"], "hidden_sheets": ["Versteckt"], "first_sheet_rows_cols": [3, 2],
          "cell": {"ref": "B2", "value": 6.75}}  # fmt: skip

_GOOD: Mapping[str, tuple[Callable[[Path], None], Mapping[str, Any]]] = {
    "office-text/report.docx": (_docx, {"text": PHRASE, "tables": 1, "media_files": 1}),
    "office-text/report.odt": (_by_pandoc, {"text": PHRASE}),
    "office-text/report.rtf": (_by_pandoc, {"text": OTHER}),
    "ebooks/book.epub": (_by_pandoc, {"title": "Ein kleines Buch", "language": "de", "text": OTHER}),
    "ebooks/book.fb2": (_by_pandoc, {"text": PHRASE}),
    "slides/show.pptx": (_pptx, {"slides": 2, "text": PHRASE}),
    "markup/page.html": (_text(_HTML), {"text": PHRASE}),
    "markup/notes.md": (_text(f"# Eins\n\n{PHRASE}\n\n* {OTHER}\n"), {"text": OTHER}),
    "markup/plain.txt": (lambda path: path.write_bytes(PHRASE.encode("cp1252")) and None, {"text": PHRASE}),
    "sheets/book.xlsx": (_xlsx, _SHEET),
    "pdf/two-pages.pdf": (_pdf, {"pages": 2, "page_size_pt": [612, 792], "text": "A quiet sentence stands here"}),
    "images/flat.png": (_image(), {**_SIZE, "frames": 1}),
    "images/turned.jpg": (_turned_jpeg, {**_SIZE, "frames": 1, "upright_width_height": [40, 64]}),
    "images/moving.gif": (_gif, {**_SIZE, "frames": 4}),
    "images/lossless.webp": (_image(lossless=True), _SIZE),
    "images/fax.tif": (_fax, {**_SIZE, "frames": 3}),
    "images/drawing.svg": (_text(_SVG), {"viewBox": "0 0 120 80"}),
    "audio/tone.wav": (_media(*_TONE), _SOUND),
    "audio/tone.flac": (_media(*_TONE), _SOUND),
    "video/bars.mp4": (_media(*_TONE, *_BARS, "-shortest"), _FILM),
    "data/places.csv": (_csv, {"records_with_header": 3, "columns": 2, "header": ["Ort", "Summe"],
                               "last_row": ['"Łódź"', "12"]}),
    "data/places.json": (_text(json.dumps({"orte": ["Genève"], "n": 2})),
                         {"top": "dict", "length": 2, "keys": ["orte", "n"]}),
    "data/places.yaml": (_text("ort: Łódź\nsumme: 12\n"), {"keys": 2, "first": ["ort", "Łódź"]}),
    "data/places.parquet": (_parquet, {"rows": 2, "columns": ["ort", "summe"]}),
    "data/places.db": (_sqlite, {"tables": {"orte": 3}}),
    "archives/two.zip": (_zip, {**_MEMBERS, **_ONE_MEMBER}),
    "archives/two.tar.gz": (_tar, {**_MEMBERS, **_ONE_MEMBER}),
    "archives/two.7z": (_7z, {**_MEMBERS, **_ONE_MEMBER}),
    "archives/one.gz": (_gz, {"sha256_decompressed": hashlib.sha256(_MEMBER).hexdigest()}),
    "email/letter.eml": (lambda path: path.write_bytes(_letter().as_bytes()) and None, {**_LETTER, "text": PHRASE}),
    "email/letters.mbox": (_mbox, {"subjects": ["First letter", "Second letter"]}),
    "email/meeting.ics": (_text(_ICS), {"events": 1, "summary": "Treffen am Fluss"}),
    "subtitles/film.srt": (_text(_CUES), {"cues": 2, "text": "Auf Wiedersehen"}),
    "subtitles/film.vtt": (_text("WEBVTT\n\n" + _CUES.replace(",", ".")), {"cues": 2, "text": "Guten Tag"}),
    "fonts/sans.ttf": (_font, {"family": "DejaVu Sans"}),
    "fonts/sans.woff": (_font, {"family": "DejaVu Sans"}),
    "cad/corner.stl": (_stl, _MESH),
    "cad/corner.obj": (_obj, _MESH),
    "geo/places.geojson": (_text(json.dumps(_PLACES)), {
        "layers": {"places": 3}, "extent_first_layer": "(6.140000, 46.200000) - (30.520000, 51.760000)"}),
    "geo/places.gpx": (_text(_GPX), {"layers": {"waypoints": 2}}),
}  # fmt: skip


def _half_of(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def half(path: Path) -> None:
        make(path)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])

    return half


_BAD: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "office-text/empty.docx": (lambda path: path.write_bytes(b"") and None, "empty"),
    "office-text/half.docx": (_half_of(_docx), "truncated"),
    "sheets/half.xlsx": (_half_of(_xlsx), "truncated"),
    "images/half.png": (_half_of(_image()), "truncated"),
    "images/half.jpg": (_half_of(_image()), "truncated"),
    "audio/half.wav": (_half_of(_media(*_TONE)), "truncated"),
    "video/half.mp4": (_half_of(_media(*_TONE, *_BARS, "-shortest")), "truncated"),
    "data/half.parquet": (_half_of(_parquet), "truncated"),
    "data/deep.json": (_text("[" * 100_000), "malformed-deep"),
    "subtitles/unsigned.vtt": (_text("NOT WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n"), "malformed"),
    "tricky/docx-named.pdf": (_docx, "wrong-extension"),
    "tricky/picture-named.epub": (lambda path: _picture().save(path, "PNG"), "wrong-extension"),
    "pdf/locked.pdf": (_locked_pdf, "password-required"),
    "archives/locked.7z": (_locked_7z, "password-required"),
}
