# ruff: noqa: E501 - a payload reads best in one piece
"""Formats that are programming languages: TeX, Typst, PostScript (recipe 7)."""

from __future__ import annotations

from makers.attack import ANY, EITHER, Attack, Bait, Twin, ends


def _tex(bait: Bait) -> bytes:
    reads = "".join(
        f"\\input{{{path}}}\\include{{{path}}}\\verbatiminput{{{path}}}\\lstinputlisting{{{path}}}\\openin5={path} \\read5 to\\x \\x"
        f"\\usepackage{{{path}}}\\bibliography{{{path}}}\\includegraphics{{{path}}}\n"
        for path in bait.files
    )
    return (
        f"\\documentclass{{article}}\\begin{{document}}Harmless\n{reads}\\immediate\\write18{{touch {bait.pwned}}}"
        f'\\immediate\\openout6={bait.pwned} \\includegraphics{{{bait.url}/x.png}}\\input{{|"cat {bait.file}"}}\\end{{document}}\n'
    ).encode()


def _typst(expression: str) -> bytes:
    return f"= Harmless\n#{expression}\n".encode()


def _ps(bait: Bait) -> bytes:
    tries = [
        *(f"({path}) (r) file 200 string readstring pop show" for path in bait.files), f"({bait.file}) run",
        f"({bait.pwned}) (w) file dup (x) writestring closefile", f"(%pipe%touch {bait.pwned}) (w) file closefile",
        f"(%pipe%cat {bait.file}) (r) file 200 string readstring pop show", f"(/tmp/{bait.pwned_name}) (w) file closefile",
        "(HOSTILE_SECRET) getenv {show} if", f"(/tmp/{bait.pwned_name}*) {{ (r) file 200 string readstring pop show }} 200 string filenameforall",
        f"({bait.planted.folder}/*) {{ show }} 300 string filenameforall",
        f"<< /OutputFile ({bait.pwned}) >> setpagedevice", f"<< /OutputFile (%pipe%touch {bait.pwned}) >> setpagedevice",
        f"({bait.file}) (/tmp/x) renamefile", f"({bait.file}) deletefile", ".locksafe", "<< /LockSafetyParams false >> .setuserparams2",
        f"mark /OutputFile ({bait.pwned}) (pdfwrite) finddevice putdeviceprops",
    ]  # fmt: skip
    body = "\n".join(f"20 {n * 15 + 20} moveto {{ {attempt} }} stopped pop clear" for n, attempt in enumerate(tries))
    return f"%!PS\n/Helvetica findfont 9 scalefont setfont 20 700 moveto (Harmless) show\n{body}\nshowpage\n".encode()


_ENDLESS = ends("resource_limit", "timeout", "corrupt_input")
_SHOW = "/Helvetica findfont 12 scalefont setfont 20 20 moveto (Harmless) show showpage\n"

ATTACKS = (
    Attack("tex-reads", "a.tex", _tex, ("html", "pdf"), ("B9",), EITHER),
    Attack("tex-endless", "a.tex", lambda _: b"\\documentclass{article}\\begin{document}\\def\\a{\\a\\a}\\a\\loop\\iftrue\\repeat"
           b"\\end{document}", ("html",), ("B31",), ANY),
    Attack("typst-read", "a.typ", lambda bait: _typst(f'read("{bait.file}")'), ("pdf", "html"), ("B9",), EITHER),
    Attack("typst-read-beside", "a.typ", lambda _: _typst('read("../../../canary.txt")'), ("pdf",), ("B9",), EITHER),
    Attack("typst-package", "a.typ", lambda _: _typst('import "@preview/example:0.1.0": *'), ("pdf",), ("B9",), EITHER),
    Attack("typst-endless", "a.typ", lambda _: _typst("{ let x = (1,); while true { x = x + x } }"), ("pdf",), ("B31",), _ENDLESS),
    Attack("ps-files", "a.ps", _ps, ("pdf",), ("B16",), EITHER),
    Attack("ps-lists-everything", "a.ps", lambda _: b"%!PS\n/Helvetica findfont 9 scalefont setfont 9 9 moveto (../../*) { show } 300 string "
           b"filenameforall showpage\n", ("pdf",), ("B16",), ANY),
    Attack("eps-files", "a.eps", lambda bait: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 500 800\n" + _ps(bait), ("pdf", "png"),
           ("B16", "B17"), EITHER),
    Attack("ps-endless", "a.ps", lambda _: b"%!PS\n{} loop\n", ("pdf",), ("B16",), _ENDLESS),
    Attack("ps-array-bomb", "a.ps", lambda _: b"%!PS\n/a [] def { /a [ a aload pop 65000 array ] def } loop\n", ("pdf",), ("B16",), _ENDLESS),
    Attack("ps-pages", "a.ps", lambda _: b"%!PS\n0 0 moveto 9 9 lineto 5000 { gsave stroke grestore showpage } repeat\n", ("pdf",),
           ("B16",), ANY),
)  # fmt: skip

TWINS = (
    Twin("tex with a macro", "a.tex", lambda: b"\\documentclass{article}\\newcommand{\\a}{Harmless}\\begin{document}\\a{} text"
         b"\\end{document}", "html", "Harmless", ("B9",)),
    Twin("typst with a loop", "a.typ", lambda: b"= Harmless\n#for n in range(9) [#n ]\n", "pdf", "Harmless", ("B9",)),
    Twin("postscript with a loop", "a.ps", f"%!PS\n9 {{ 0 0 moveto 9 9 lineto stroke }} repeat\n{_SHOW}".encode, "pdf",
         "Harmless", ("B16",)),
)  # fmt: skip
