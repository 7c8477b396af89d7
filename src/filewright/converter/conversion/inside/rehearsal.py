"""Do once in the warm parent what each of its children would do for the first time: readers load libraries, make
tables and remember codecs when they are first used, and a child lives for one file only.

The files are made here; the parent never sees a stranger's.
"""

from __future__ import annotations

import tempfile
import wave
import zipfile
from pathlib import Path

from PIL import Image

from filewright.converter.conversion.inside import probe

_TEXT = "Wörter"
_RELATED = "http://schemas.openxmlformats.org/package/2006/relationships"
_KIND = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_LETTER = {
    "_rels/.rels": f'<Relationships xmlns="{_RELATED}"><Relationship Id="a" Type="{_KIND}" Target="word/document.xml"/>'
    "</Relationships>",
    "word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body><w:p><w:r><w:rPr><w:rFonts w:ascii="Helvetica"/>'
    f"</w:rPr><w:t>{_TEXT}</w:t></w:r></w:p></w:body></w:document>",
}
_SHEET = (
    b"<</Type/Catalog/Pages 2 0 R>>",
    b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
    b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Resources<</Font<</F 4 0 R>>>>/Contents 5 0 R>>",
    b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    b"<</Length 37>>stream\nBT /F 9 Tf 9 50 Td (W\xf6rter) Tj ET       \nendstream",
)


def rehearse() -> None:
    """Look at one file of each kind that is common, and hold a letter against its page."""
    with tempfile.TemporaryDirectory(prefix=".warm-") as folder:
        place = Path(folder)
        letter, page = _letter(place / "a.docx"), _page(place / "a.pdf")
        probe.compare(
            paths=[str(page)], format_id="pdf", original=str(letter), original_format="docx", fonts={}, report=_nobody
        )
        for path in (letter, _picture(place / "a.png"), _picture(place / "a.jpg"), _tone(place / "a.wav")):
            probe.probe(paths=[str(path)], format_id=path.suffix[1:], report=_nobody)


def _nobody(fraction: float) -> None:
    """Nobody waits."""


def _letter(path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in _LETTER.items():
            package.writestr(name, text)
    return path


def _page(path: Path) -> Path:
    whole, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(_SHEET, 1):
        places.append(len(whole))
        whole += b"%d 0 obj%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(_SHEET) + 1
    whole += b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (
        count, table, count, whole.rindex(b"endobj") + 7,
    )  # fmt: skip
    path.write_bytes(whole)
    return path


def _picture(path: Path) -> Path:
    Image.new("RGB", (2, 2)).save(path)
    return path


def _tone(path: Path) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1600))
    return path
