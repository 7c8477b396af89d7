"""Office documents, sheets, slides and drawings by LibreOffice, which is a separate program (MPL-2.0).

This module says what one conversion takes, from a locked file to the last product. What LibreOffice can do stands in
`libreoffice_filters`, how it is started in `libreoffice_office` and `libreoffice_warm`, and locks are opened by
`office_lock`.

There is no true progress to be had from it. Sheets are never recalculated when the file holds the values, nothing
that a document points at is fetched, and no macro runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from filewright.converter.engines import libreoffice_filters as filters
from filewright.converter.engines import office_lock
from filewright.converter.engines.libreoffice_filters import READERS, Kind, Reader
from filewright.converter.engines.libreoffice_installation import MINIMUM, Installation, installation
from filewright.converter.engines.libreoffice_office import Answer, ColdOffice, Office, Order
from filewright.converter.engines.libreoffice_preview import from_the_beginning, keep_first_page
from filewright.converter.engines.libreoffice_warm import BestOffice
from filewright.converter.engines.plain_pdf import plain_pdf
from filewright.converter.engines.port import Availability, Conversion, Work
from filewright.converter.errors import CorruptInput, EngineMissing, OutputInvalid

_INSTALL = (
    "apt-get install -y --no-install-recommends libreoffice-writer-nogui libreoffice-calc-nogui "
    "libreoffice-impress-nogui libreoffice-draw-nogui python3-uno fonts-liberation fonts-dejavu "
    "fonts-crosextra-carlito fonts-crosextra-caladea fonts-wqy-microhei"
)
_LONGEST_BEGINNING = 16
_XLSB = "filewright.converter.engines.inside.xlsb_draft"
_METAFILE = "filewright.converter.engines.inside.metafile"
_SLIDE_SHOW = "filewright.converter.engines.inside.slide_show"


class LibreOffice:
    """The `libreoffice` engine. Debian's packages without a window system are enough."""

    name = "libreoffice"
    conversions: Sequence[Conversion] = filters.conversions()

    def check(self) -> Availability:
        found = installation()
        if found is None:
            return Availability(available=False, missing="LibreOffice", install=_INSTALL)
        version = ".".join(map(str, found.version))
        if found.version < MINIMUM:
            wanted = ".".join(map(str, MINIMUM))
            return Availability(available=False, version=version, missing=f"LibreOffice {wanted}", install=_INSTALL)
        return Availability(available=True, version=version)

    async def convert(self, work: Work) -> Sequence[Path]:
        reader = READERS[work.conversion.source]
        if reader.kind is Kind.PAGES:
            document, _ = await plain_pdf(work)
            # It reads a PDF by a program of its own, which a child of a fork could not start.
            answer = await _open(ColdOffice(_installed()), work, document, reader)
        else:
            answer = await _open_unlocked(BestOffice(_installed()), work, reader)
        if answer is None:
            raise CorruptInput
        products = _products(work, answer)
        if reader.kind is Kind.PICTURE:
            await work.python(f"{_METAFILE}:crop", warm=(_METAFILE,), drawing=work.inside(products[0]))
        if work.options.get("preview") and reader.kind is Kind.IMPRESS:  # of others, one page was made
            await keep_first_page(work, products[0])
        if work.conversion.target == "ppsx":
            await work.python(f"{_SLIDE_SHOW}:mark", warm=(_SLIDE_SHOW,), show=work.inside(products[0]))
        return products


def _installed() -> Installation:
    found = installation()
    if found is None:
        raise EngineMissing
    return found


async def _open_unlocked(office: Office, work: Work, reader: Reader) -> Answer | None:
    answer = None if work.password else await _open(office, work, work.source, reader)
    if answer is not None:
        return answer
    document = await office_lock.unlocked(work)
    was_locked = document != work.source
    return await _open(office, work, document, reader) if was_locked or work.password else None


async def _open(office: Office, work: Work, document: Path, reader: Reader) -> Answer | None:
    """The first filter that opens the document has converted it. None when no filter does."""
    if not _begins_well(document, reader):
        return None
    beginning = await from_the_beginning(office, work, document, reader)
    if beginning is not None:
        return beginning
    if work.conversion.source == "xlsb":
        document = await _published(work, document)
    export = filters.export(work.conversion, work.options)
    for import_filter in reader.filters:
        answer = await office.convert(work, Order(document, import_filter, export))
        if answer.opened:
            return answer
    return None


def _begins_well(document: Path, reader: Reader) -> bool:
    """Some filters (RTF, old sheets) make a document of any bytes; those must not see what is not theirs."""
    if not reader.beginnings:
        return True
    with document.open("rb") as file:
        return file.read(_LONGEST_BEGINNING).startswith(reader.beginnings)


async def _published(work: Work, document: Path) -> Path:
    """The workbook, in the form that was published in the end if it is of a pre-release."""
    copy = work.workspace / "tmp" / "published.xlsb"
    was_draft = await work.python(
        f"{_XLSB}:publish", warm=(_XLSB,), source=work.inside(document), target=work.inside(copy)
    )
    return copy if was_draft else document


def _products(work: Work, answer: Answer) -> Sequence[Path]:
    """Give what was made our names. Until then it is named after the document, and a sheet's file after the sheet."""
    made = sorted(path for path in work.out.iterdir() if path.is_file() and not path.is_symlink())
    if not made:
        raise _nothing_made(work)
    if work.options.get("sheets") == "all":
        ordered = enumerate(_in_order_of(answer.untrusted_lines, made), start=1)
        return [path.rename(work.out / f"output-{number:04}.{work.conversion.target}") for number, path in ordered]
    if len(made) != 1:
        raise OutputInvalid
    return [made[0].rename(work.target)]


def _nothing_made(work: Work) -> Exception:
    if work.options.get("pages"):
        return OutputInvalid("The document has none of the pages that `options.pages` asks for.")
    if work.options.get("sheet"):
        return OutputInvalid("The workbook has no sheet of the number that `options.sheet` asks for.")
    return OutputInvalid()


def _in_order_of(untrusted_lines: Sequence[str], made: Sequence[Path]) -> Sequence[Path]:
    """Files in the order in which the program said that it writes them; what it did not name comes last."""
    places = {line.rpartition("/")[2]: number for number, line in enumerate(untrusted_lines)}
    return sorted(made, key=lambda path: places.get(path.name, len(places)))
