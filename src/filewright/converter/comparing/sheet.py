"""The pages that changed most, side by side, as one HTML file that needs nothing else and runs nothing."""

from __future__ import annotations

import base64
from html import escape

from filewright.converter.comparing.holding import Comparison, Pair, Verdict

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 80rem; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.05rem; overflow-wrap: anywhere; margin-bottom: .2rem }
table { border-collapse: collapse } td, th { border: 1px solid #8886; padding: .2rem .6rem; text-align: left }
section { border-top: 1px solid #8886; margin-top: 1.5rem }
.pages { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem }
figure { margin: 0 } figcaption { opacity: .75 } img { width: 100%; border: 1px solid #8886; background: #fff }
"""


def sheet(comparison: Comparison, *, most: int) -> str:
    """At most so many pairs of pages, the gravest first."""
    before, now = comparison.before, comparison.now
    shown = [pair for pair in comparison.pairs if pair.pictures is not None][:most]
    title = f"{before.engine} {before.version} and {now.engine} {now.version}"
    counts = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td>{count}</td></tr>" for name, count in comparison.counts().items()
    )
    failing = "".join(
        f"<li>{escape(pair.source)}: {escape(pair.now.code)} {escape(pair.now.detail)}</li>"
        for pair in comparison.pairs
        if pair.verdict is Verdict.FAILS and pair.now is not None
    )
    parts = [
        "<!doctype html><html lang=en><head><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width, initial-scale=1'>",
        f'<meta http-equiv=Content-Security-Policy content="{_POLICY}">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>{escape(title)}</h1><table>{counts}</table>",
        f"<h2>Fails now</h2><ul>{failing}</ul>" if failing else "",
        *(_pair(pair, before.version, now.version) for pair in shown),
        "</main></body></html>\n",
    ]
    return "".join(parts)


def _pair(pair: Pair, before: str, now: str) -> str:
    assert pair.pictures is not None
    said = [pair.verdict.value, f"page {pair.worst_page}", f"{pair.worst:.3f} alike"]
    if pair.recall is not None:
        said.append(f"{pair.recall:.1%} of the words")
    if pair.before is not None and pair.now is not None and pair.before.pages != pair.now.pages:
        said.append(f"{pair.before.pages} pages before, {pair.now.pages} now")
    figures = "".join(
        f"<figure><img alt='{word}' src='data:image/png;base64,{base64.b64encode(picture).decode()}'>"
        f"<figcaption>{word}: {escape(version)}</figcaption></figure>"
        for word, version, picture in zip(("before", "now"), (before, now), pair.pictures, strict=True)
    )
    return (
        f"<section><h2>{escape(pair.source)}</h2><p>{escape(', '.join(said))}</p>"
        f"<div class=pages>{figures}</div></section>"
    )
