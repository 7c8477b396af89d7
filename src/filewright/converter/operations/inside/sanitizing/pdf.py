"""A PDF that does nothing, leads nowhere and says nothing of who made it; or one that is nothing but its pixels.

The structural way goes through every object: actions other than going to a page, scripts, embedded files, media, XFA
and metadata are taken out, and what nothing refers to any more is not written. It keeps text, fonts, forms and notes.
What no list of dangers can promise, `pixels` does: each page is drawn, and the drawings are the new document.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside import pdfium, unlocked
from filewright.converter.engines.inside.pictures.paged import Book
from filewright.converter.operations.inside import stripping

_OUT = "out/output.pdf"
_DEPTH = 100
_HARMLESS_ACTIONS = frozenset({Name.GoTo, Name.Named})
_HARMLESS_NAMES = frozenset({Name.NextPage, Name.PrevPage, Name.FirstPage, Name.LastPage})
_LIVE_NOTES = frozenset(
    {Name.FileAttachment, Name.Movie, Name.Sound, Name.Screen, Name.RichMedia, Name("/3D"), Name.TrapNet}
)
_OF_CATALOG = (
    "/OpenAction", "/AA", "/URI", "/AF", "/Metadata", "/PieceInfo", "/Collection", "/Perms", "/SpiderInfo", "/Legal",
    "/DSS", "/Requirements", "/Threads", "/Extensions",
)  # fmt: skip
_ANYWHERE = ("/AA", "/PA", "/Metadata", "/PieceInfo", "/AF", "/JS", "/OPI", "/LastModified", "/EF", "/RF")
_OF_STREAMS = ("/F", "/FFilter", "/FDecodeParms", "/Ref")
"""A stream whose content would be fetched from another file, and a form that stands for a page of one."""
_OF_FORMS = ("/XFA", "/CO", "/SigFlags")


def clean(source: str, password: str | None, max_pages: int, report: Report) -> None:
    """Write `out/output.pdf` with what does no harm of the source."""
    pdfium.open_document(source, password, max_pages).close()
    if unlocked.is_encrypted(source, password):
        source = unlocked.write(source, password)
    try:
        with pikepdf.open(source) as pdf:
            _clean(pdf, report)
            pdf.save(_OUT, object_stream_mode=pikepdf.ObjectStreamMode.generate, compress_streams=True)
    except (pikepdf.PdfError, RuntimeError, ValueError) as error:
        raise Refusal("corrupt_input") from error


def redraw(
    source: str, password: str | None, dpi: int, quality: int, max_pixels: int, max_pages: int, report: Report
) -> None:
    """Write `out/output.pdf` with a picture of each page and nothing else."""
    document = pdfium.open_document(source, password, max_pages)
    pdfium.init_forms(document)
    with Book({"dpi": dpi, "quality": quality}, max_pixels=max_pixels) as book:
        for number in range(len(document)):
            report(number / len(document))
            book.add(pdfium.drawn(document, number, {"dpi": dpi}, max_pixels), lossy_before=True)
        book.save(_OUT)


def _clean(pdf: Pdf, report: Report) -> None:
    _without(pdf.Root, _OF_CATALOG)
    _only_places(pdf)
    if isinstance(pdf.Root.get(Name.AcroForm), Dictionary):
        _without(pdf.Root.AcroForm, _OF_FORMS)
    for page in pdf.pages:
        _without_live_notes(page.obj)
    count = len(pdf.objects)
    for number, thing in enumerate(pdf.objects):
        report(number / count)
        _disarm(thing, 0)
    # The notes lost their actions, so a link that leads nowhere any more can be told now.
    for page in pdf.pages:
        _without_dead_links(page.obj)
    for key in ("/Info", "/ID"):
        if key in pdf.trailer:
            del pdf.trailer[key]


def _only_places(pdf: Pdf) -> None:
    """Of the names of a document only those of places in it; scripts and embedded files have names too."""
    names = pdf.Root.get(Name.Names)
    if names is None:
        return
    kept = Dictionary(Dests=names.Dests) if isinstance(names, Dictionary) and Name.Dests in names else None
    del pdf.Root.Names
    if kept is not None:
        pdf.Root.Names = kept


def _without_live_notes(page: Object) -> None:
    _keep_notes(page, lambda note: note.get(Name.Subtype) not in _LIVE_NOTES)


def _without_dead_links(page: Object) -> None:
    def leads(note: Object) -> bool:
        return note.get(Name.Subtype) != Name.Link or Name.A in note or Name.Dest in note

    _keep_notes(page, leads)


def _keep_notes(page: Object, wanted: Any) -> None:
    notes = page.get(Name.Annots)
    if not isinstance(notes, Array):
        if notes is not None:
            del page.Annots
        return
    kept = [note for note in notes if isinstance(note, Dictionary) and wanted(note)]
    if len(kept) != len(notes):
        page.Annots = Array(kept)


def _disarm(thing: Object, depth: int) -> None:
    """This object and what stands directly in it; objects of their own come by themselves."""
    if depth > _DEPTH:
        raise Refusal("corrupt_input")
    if isinstance(thing, Stream):
        _without(thing, _OF_STREAMS)
        _without_notes_of_cameras(thing)
    if isinstance(thing, Dictionary | Stream):
        _without(thing, _ANYWHERE)
        for key in ("/A", "/Next", "/OpenAction"):
            if key in thing and _is_action(thing[key]) and not _is_harmless(thing[key]):
                del thing[key]
        if _is_action(thing) and not _is_harmless(thing):
            # Reached from somewhere that nobody thought of: what it would have done is gone.
            for key in list(thing.keys()):
                del thing[key]
    for child in _direct(thing):
        _disarm(child, depth + 1)


def _is_action(thing: Object) -> bool:
    """An action, or a list of them; a dictionary with `S` and one of the names that only actions have."""
    if isinstance(thing, Array):
        return any(_is_action(part) for part in thing)
    return isinstance(thing, Dictionary) and thing.get(Name.S) in _ACTIONS


def _is_harmless(thing: Object) -> bool:
    if isinstance(thing, Array):
        return all(_is_harmless(part) for part in thing)
    kind = thing.get(Name.S)
    return kind in _HARMLESS_ACTIONS and (kind != Name.Named or thing.get(Name.N) in _HARMLESS_NAMES)


_ACTIONS = frozenset(
    Name(f"/{name}")
    for name in (
        "GoTo", "Named", "GoToR", "GoToE", "GoToDp", "Launch", "Thread", "URI", "Sound", "Movie", "Hide", "SubmitForm",
        "ResetForm", "ImportData", "JavaScript", "SetOCGState", "Rendition", "Trans", "GoTo3DView", "RichMediaExecute",
    )
)  # fmt: skip


def _without_notes_of_cameras(stream: Stream) -> None:
    """A photo goes into a PDF as the file that it was, with place and device in it."""
    if stream.get(Name.Filter) != Name.DCTDecode or stream.get(Name.Subtype) != Name.Image:
        return
    try:
        bare = stripping.stripped(stream.read_raw_bytes(), "jpg", 1)
    except (Refusal, pikepdf.PdfError):
        return  # a reader may still show it
    stream.write(bare, filter=Name.DCTDecode, decode_parms=stream.get(Name.DecodeParms))


def _without(thing: Object, keys: tuple[str, ...]) -> None:
    for key in keys:
        if key in thing:
            del thing[key]


def _direct(thing: Object) -> Iterator[Object]:
    if isinstance(thing, Array):
        parts: list[Any] = list(thing)
    elif isinstance(thing, Dictionary | Stream):
        parts = [value for _, value in thing.items()]
    else:
        return
    for part in parts:
        if isinstance(part, Array | Dictionary) and not part.is_indirect:
            yield part
