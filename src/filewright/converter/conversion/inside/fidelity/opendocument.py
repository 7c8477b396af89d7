"""Read what an OpenDocument file says, and in which fonts: texts, sheets, slides and drawings, zipped or flat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from filewright.converter.conversion.inside.fidelity.package import Package, local
from filewright.converter.conversion.inside.fidelity.told import NotMeasured, ScriptFonts, Told

_NS = "{urn:oasis:names:tc:opendocument:xmlns:"
_OFFICE, _TEXT, _STYLE, _TABLE = (f"{_NS}{name}:1.0}}" for name in ("office", "text", "style", "table"))
_FO, _SVG = f"{_NS}xsl-fo-compatible:1.0}}", f"{_NS}svg-compatible:1.0}}"
_PARAGRAPHS = frozenset({f"{_TEXT}p", f"{_TEXT}h"})
_UNSEEN = frozenset(
    {
        f"{_TEXT}tracked-changes", f"{_OFFICE}annotation", f"{_OFFICE}forms", f"{_TEXT}ruby-text", f"{_TABLE}shapes",
        f"{_NS}presentation:1.0}}notes", f"{_TABLE}content-validations", f"{_TEXT}hidden-text", f"{_TABLE}label-ranges",
        f"{_TEXT}hidden-paragraph", f"{_TEXT}note-citation", f"{_TABLE}dde-links", f"{_TABLE}tracked-changes",
    }
)  # fmt: skip
_MADE_ANEW = frozenset(
    {
        "page-number", "page-count", "date", "time", "file-name", "sheet-name", "chapter", "creation-date", "title",
        "modification-date", "print-date", "paragraph-count", "word-count", "character-count", "template-name",
        "editing-cycles", "editing-duration", "author-name", "author-initials", "page-continuation", "expression",
    }
)  # fmt: skip
_DEEPEST_STYLE = 20
_WORDS_ONLY = frozenset({"string", ""})


def read(package: Package, told: Told) -> None:
    """Of a zipped file."""
    content, styles = package.xml("content.xml"), package.xml("styles.xml", shared=True)
    if content is None:
        raise NotMeasured
    _read([root for root in (styles, content) if root is not None], content, told)


def read_flat(root: Any, told: Told) -> None:
    """Of a file that is one piece of XML."""
    _read([root], root, told)


def _read(with_styles: list[Any], content: Any, told: Told) -> None:
    body = content.find(f"{_OFFICE}body")
    if body is None:
        raise NotMeasured
    _Reader(_Styles.of(with_styles), told).visit(body, ())


@dataclass(frozen=True)
class _Style:
    parent: str | None
    fonts: ScriptFonts
    hidden: bool


@dataclass(frozen=True)
class _Styles:
    styles: Mapping[str, _Style]
    defaults: Mapping[str, ScriptFonts]
    known: dict[str, ScriptFonts] = field(default_factory=dict)

    @classmethod
    def of(cls, roots: list[Any]) -> _Styles:
        faces: dict[str, str] = {}
        for root in roots:
            for face in root.iter(f"{_STYLE}font-face"):
                faces[face.get(f"{_STYLE}name", "")] = face.get(f"{_SVG}font-family", "").strip("'\"")
        styles, defaults = {}, {}
        for root in roots:
            for style in root.iter(f"{_STYLE}style", f"{_STYLE}default-style"):
                fonts, hidden = _said_by(style, faces)
                family = style.get(f"{_STYLE}family", "")
                if local(style) == "default-style":
                    defaults[family] = fonts
                else:
                    parent = style.get(f"{_STYLE}parent-style-name")
                    styles[style.get(f"{_STYLE}name", "")] = _Style(parent, fonts, hidden)
        return cls(styles, defaults)

    def fonts(self, names: tuple[str, ...], family: str) -> ScriptFonts:
        """The innermost name first."""
        found = ScriptFonts()
        for name in names:
            found = found.over(self._of(name))
        return found.over(self.defaults.get(family, ScriptFonts()))

    def hides(self, name: str | None) -> bool:
        style = self.styles.get(name or "")
        return style is not None and style.hidden

    def _of(self, name: str) -> ScriptFonts:
        if name not in self.known:
            fonts, at, steps = ScriptFonts(), self.styles.get(name), 0
            while at is not None and steps < _DEEPEST_STYLE:
                fonts, at, steps = fonts.over(at.fonts), self.styles.get(at.parent or ""), steps + 1
            self.known[name] = fonts
        return self.known[name]


def _said_by(style: Any, faces: Mapping[str, str]) -> tuple[ScriptFonts, bool]:
    text, table = style.find(f"{_STYLE}text-properties"), style.find(f"{_STYLE}table-properties")
    section = style.find(f"{_STYLE}section-properties")
    hidden = (
        (text is not None and text.get(f"{_TEXT}display") == "none")
        or (table is not None and table.get(f"{_TABLE}display") == "false")
        or (section is not None and section.get(f"{_TEXT}display") == "none")
    )
    if text is None:
        return ScriptFonts(), hidden

    def named(suffix: str) -> str | None:
        face = text.get(f"{_STYLE}font-name{suffix}")
        direct = text.get(f"{_FO if not suffix else _STYLE}font-family{suffix}") or ""
        return faces.get(face, face) if face else direct.split(",")[0].strip(" '\"") or None

    return ScriptFonts(named(""), named("-asian"), named("-complex")), hidden


class _Reader:
    def __init__(self, styles: _Styles, told: Told) -> None:
        self._styles = styles
        self._told = told

    def visit(self, element: Any, around: tuple[str, ...]) -> None:
        """Everything below that is shown; `around` are the styles of the frames and cells it stands in."""
        self._told.patience.ask()
        for child in element:
            if child.tag in _UNSEEN or self._is_hidden(child):
                continue
            if child.tag in _PARAGRAPHS:
                said = "".join(self._said(child, around, "paragraph"))
                if said.strip():
                    self._told.paragraphs.append(said)
            elif child.tag != f"{_TABLE}table-cell" or child.get(f"{_OFFICE}value-type", "") in _WORDS_ONLY:
                self.visit(child, (*_names(child), *around)[:4])

    def _is_hidden(self, child: Any) -> bool:
        name = child.get(f"{_TABLE}style-name") or child.get(f"{_TEXT}style-name")
        collapsed = child.get(f"{_TABLE}visibility", "visible") != "visible"
        return collapsed or child.get(f"{_TEXT}display") == "none" or self._styles.hides(name)

    def _said(self, element: Any, around: tuple[str, ...], family: str) -> Iterator[str]:
        """The words of a paragraph; what floats in it is visited as paragraphs of its own."""
        names = (*_names(element), *around)
        yield self._hear(element.text, names, family)
        for child in element:
            kind = local(child)
            if child.tag in _UNSEEN or (kind in _MADE_ANEW and child.tag.startswith(_TEXT)) or not kind:
                pass
            elif child.tag.startswith(_TEXT) and kind in {"s", "tab", "line-break"}:
                yield " "
            elif child.tag.startswith(_TEXT) and kind != "note":
                if not self._styles.hides(child.get(f"{_TEXT}style-name")):
                    yield from self._said(child, names, family)
            else:
                self.visit(child, names)
            yield self._hear(child.tail, names, family)

    def _hear(self, text: str | None, names: tuple[str, ...], family: str) -> str:
        if not text:
            return ""
        self._told.ask(self._styles.fonts(names, family), text)
        return text


def _names(element: Any) -> tuple[str, ...]:
    """The styles that an element names, the most telling first."""
    wanted = (f"{_TEXT}style-name", f"{_NS}presentation:1.0}}style-name", f"{_NS}drawing:1.0}}text-style-name",
              f"{_NS}drawing:1.0}}style-name", f"{_TABLE}style-name")  # fmt: skip
    return tuple(name for key in wanted if (name := element.get(key)))
