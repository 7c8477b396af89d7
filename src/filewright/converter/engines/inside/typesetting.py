"""Runs in the sandbox: Typst source to PDF."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import typst

from filewright.chassis.sandbox.child import Refusal, Report

_DRAWABLE = frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp"})


_LINK = """#let link(dest, ..more) = {
  let words = more.pos().at(0, default: [])
  if type(dest) == label { context if query(dest).len() == 1 { std.link(dest, ..more) } else { words } }
  else if dest == "" { words }
  else { std.link(dest, ..more) }
}
"""
"""A link to nowhere is its words, as in browsers; Typst would refuse the document."""


def compile_pdf(source: str, target: str, media: str | None, report: Report) -> None:
    """Typeset `source`. With `media`, pandoc wrote it: pictures come from that folder only, and one that is not there
    or cannot be drawn is left out, as browsers do. Refuses what does not compile.
    """
    text = Path(source).read_text(encoding="utf-8")
    written = [_pictures(_drawable(Path(media))), _pictures(())] if media is not None else []
    attempts = [_before_the_body(_LINK + pictures, text) for pictures in written] or [text]
    for attempt in attempts:
        Path(source).write_text(attempt, encoding="utf-8")
        pdf = _compile(source)
        if pdf is not None:
            Path(target).write_bytes(pdf)
            return
    raise Refusal("corrupt_input" if media is None else "output_invalid")


def _before_the_body(definitions: str, text: str) -> str:
    """The template keeps the meaning that `link` and `image` have in Typst; the document gets ours."""
    body = "#show: doc => conf("
    return text.replace(body, definitions + body, 1) if body in text else definitions + text


def _compile(source: str) -> bytes | None:
    try:
        made = typst.compile(source, root=".", format="pdf")
    except RuntimeError:
        return None
    return bytes(made)


def _drawable(folder: Path) -> Iterable[str]:
    return [str(path) for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix.lower() in _DRAWABLE]


def _pictures(names: Iterable[str]) -> str:
    """A definition of `image` that draws these files and puts nothing in the place of all others."""
    known = "".join(f"{json.dumps(name, ensure_ascii=False)}, " for name in names)
    return f'#let image(name, ..more) = if name in ({known}) {{ std.image("/" + name, ..more) }}\n'
