"""The first page of an office document long before LibreOffice would have read all of it; for previews.

It is given the beginning alone (`inside.beginning`). When the product has a second page, the first one is complete, and
that is the answer. In every other case the document is read whole, as ever, and only its first page written.
"""

from __future__ import annotations

from pathlib import Path

from filewright.converter.engines import libreoffice_filters as filters
from filewright.converter.engines.libreoffice_filters import Kind, Reader
from filewright.converter.engines.libreoffice_office import Answer, Office, Order, emptied
from filewright.converter.engines.pixels import WARM
from filewright.converter.engines.port import Work
from filewright.converter.errors import EngineCrashed

_INSIDE = "filewright.converter.engines.inside.beginning"
_CAN_BE_CUT = frozenset({"docx", "docm", "dotx", "odt", "ott", "fodt", "pptx", "pptm", "ppsx", "potx", "odp", "fodp"})
_PAGES = {Kind.WRITER: 2, Kind.IMPRESS: 1}
"""That there must be. A page of text is known to be whole by the one after it; a slide is a page."""


async def from_the_beginning(office: Office, work: Work, document: Path, reader: Reader) -> Answer | None:
    """The answer once the beginning was enough; None, and `out/` as empty as before, when the whole is needed."""
    if not work.options.get("preview") or work.conversion.source not in _CAN_BE_CUT:
        return None
    shorter = work.workspace / "tmp" / f"beginning{document.suffix}"
    was_cut = await work.python(
        f"{_INSIDE}:cut",
        warm=WARM,
        source=work.inside(document),
        source_format=work.conversion.source,
        target=work.inside(shorter),
    )
    if not was_cut:
        return None
    pages = _PAGES[reader.kind]
    options = {**work.options, "preview": False, "tagged": False, "pages": f"1-{pages}"}
    export = filters.export(work.conversion, options)
    try:
        answer = await office.convert(work, Order(shorter, reader.filters[0], export))
    except EngineCrashed:
        answer = Answer(opened=False)
    product = work.out / f"{shorter.stem}.{export.extension}"
    if answer.opened and product.is_file() and await keep_first_page(work, product) >= pages:
        return answer
    emptied(work.out)
    return None


async def keep_first_page(work: Work, product: Path) -> int:
    """Take the other pages out of it. How many there were."""
    had = await work.python(f"{_INSIDE}:first_page", warm=WARM, product=work.inside(product))
    return had if isinstance(had, int) else 0
