"""Read what a Word document says, and in which fonts.

Read is what must be seen on its pages: text that is hidden, deleted or a remark is not, and neither is a number that a
page makes, such as its own. Headers count where they are on every page. Fonts come down as in Word: from the run, its
style, the paragraph's style, the document's defaults; only what a table's style says is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from filewright.converter.conversion.inside.fidelity.package import Package, local, space_of
from filewright.converter.conversion.inside.fidelity.theme import Theme, theme_fonts
from filewright.converter.conversion.inside.fidelity.told import NotMeasured, ScriptFonts, Told

_MADE_BY_PAGES = frozenset(
    {
        "PAGE", "NUMPAGES", "SECTIONPAGES", "SECTION", "PAGEREF", "DATE", "TIME", "SAVEDATE", "PRINTDATE", "CREATEDATE",
        "EDITTIME", "FILENAME", "FILESIZE", "NUMWORDS", "NUMCHARS", "REVNUM", "TC", "XE", "RD", "AUTHOR", "TITLE",
    }
)  # fmt: skip
"""Fields whose words are put in anew when the document is shown, or never shown."""
_DEEPEST_STYLE = 20
_NO = frozenset({"0", "false", "off", "none"})


def read(package: Package, told: Told) -> None:
    """The body, notes, and the headers and footers of every page."""
    found = package.first_related("", "officeDocument")
    if found is None:
        raise NotMeasured
    name, body = found
    space = space_of(body)
    styles = _Styles.of(package, name, space)
    _read_part(body, styles, told)
    parts = package.related(name)
    wanted = set(_headers(body, space))
    for identity, (kind, part) in parts.items():
        root = package.xml(part) if kind in {"footnotes", "endnotes"} or identity in wanted else None
        if root is not None:
            _read_part(root, styles, told)


@dataclass(frozen=True)
class _Styles:
    """Where a run has its font from when it does not say so itself."""

    space: str
    theme: Theme
    styles: Mapping[str, Any]
    paragraphs: str | None
    """The style of paragraphs that name none."""
    defaults: ScriptFonts
    known: dict[str, ScriptFonts] = field(default_factory=dict)

    @classmethod
    def of(cls, package: Package, document: str, space: str) -> _Styles:
        theme_part = package.first_related(document, "theme")
        settings = package.first_related(document, "settings")
        language = settings[1].find(f"{space}themeFontLang") if settings is not None else None
        east_asian = "" if language is None else language.get(f"{space}eastAsia", "")
        theme = theme_fonts(theme_part[1], east_asian) if theme_part is not None else {}
        found = package.first_related(document, "styles")
        if found is None:
            return cls(space, theme, {}, None, ScriptFonts())
        root = found[1]
        styles = {style.get(f"{space}styleId", ""): style for style in root.iterchildren(f"{space}style")}
        usual = (name for name, style in styles.items() if _is_usual(style, space))
        paragraphs = next(usual, None)
        defaults = root.find(f"{space}docDefaults/{space}rPrDefault/{space}rPr")
        return cls(space, theme, styles, paragraphs, _fonts(defaults, space, theme))

    def fonts(self, run: Any, paragraph: Any) -> ScriptFonts:
        properties = run.find(f"{self.space}rPr")
        own = ScriptFonts() if properties is None else _fonts(properties, self.space, self.theme)
        return own.over(self._of_style(self._named(properties, "rStyle"))).over(self._of_paragraph(paragraph))

    def is_hidden(self, run: Any) -> bool:
        properties = run.find(f"{self.space}rPr")
        if properties is None:
            return False
        own = _hidden(properties, self.space)
        if own is None and (named := self.styles.get(self._named(properties, "rStyle") or "")) is not None:
            own = _hidden(named.find(f"{self.space}rPr"), self.space)
        return bool(own)

    def _of_paragraph(self, paragraph: Any) -> ScriptFonts:
        properties = None if paragraph is None else paragraph.find(f"{self.space}pPr")
        named = self._named(properties, "pStyle")
        return self._of_style(named if named in self.styles else self.paragraphs).over(self.defaults)

    def _of_style(self, identity: str | None) -> ScriptFonts:
        if identity is None or identity not in self.styles:
            return ScriptFonts()
        if identity not in self.known:
            fonts, at, steps = ScriptFonts(), self.styles.get(identity), 0
            while at is not None and steps < _DEEPEST_STYLE:
                fonts = fonts.over(_fonts(at.find(f"{self.space}rPr"), self.space, self.theme))
                at, steps = self.styles.get(self._named(at, "basedOn") or ""), steps + 1
            self.known[identity] = fonts
        return self.known[identity]

    def _named(self, properties: Any, kind: str) -> str | None:
        found = None if properties is None else properties.find(f"{self.space}{kind}")
        return None if found is None else found.get(f"{self.space}val")


def _is_usual(style: Any, space: str) -> bool:
    return style.get(f"{space}type") == "paragraph" and style.get(f"{space}default", "0") not in _NO


def _fonts(properties: Any, space: str, theme: Theme) -> ScriptFonts:
    found = None if properties is None else properties.find(f"{space}rFonts")
    if found is None:
        return ScriptFonts()

    def named(*slots: str) -> str | None:
        for slot in slots:
            themed = found.get(f"{space}{slot}Theme") or found.get(f"{space}{slot.lower()}theme") or ""
            fonts = theme.get(themed[:5])
            font = None
            if fonts is not None:
                font = fonts.east_asian if "East" in themed else fonts.complex if "Bidi" in themed else fonts.latin
            if font := font or found.get(f"{space}{slot}"):
                return str(font)
        return None

    return ScriptFonts(named("ascii", "hAnsi"), named("eastAsia"), named("cs"))


def _hidden(properties: Any, space: str) -> bool | None:
    found = None if properties is None else properties.find(f"{space}vanish")
    return None if found is None else found.get(f"{space}val", "1") not in _NO


def _headers(body: Any, space: str) -> Iterator[str]:
    """The relationships of headers and footers that are on all pages of their section."""
    for section in body.iter(f"{space}sectPr"):
        if section.find(f"{space}titlePg") is not None:
            continue
        for reference in section:
            if local(reference) in {"headerReference", "footerReference"} and (
                reference.get(f"{space}type") == "default"
            ):
                yield next((value for name, value in reference.attrib.items() if name.endswith("}id")), "")


def _read_part(root: Any, styles: _Styles, told: Told) -> None:
    space = styles.space
    _leave_out(root, space)
    fields = _Fields(space)
    paragraphs: dict[Any, list[str]] = {}
    for element in root.iter(*(f"{space}{name}" for name in ("t", "tab", "br", "cr", "p", "fldChar", "instrText"))):
        kind = local(element)
        if kind in {"fldChar", "instrText"}:
            fields.pass_by(element)
            continue
        if kind == "p":
            paragraphs.setdefault(element, [])
            continue
        run = element.getparent()
        if fields.silent or local(run) != "r" or _in_silent_field(run, space) or styles.is_hidden(run):
            continue
        paragraph = next(run.iterancestors(f"{space}p"), None)
        text = (element.text or "") if kind == "t" else " "
        paragraphs.setdefault(paragraph, []).append(text)
        told.ask(styles.fonts(run, paragraph), text)
    told.paragraphs.extend(text for parts in paragraphs.values() if (text := "".join(parts)).strip())


def _leave_out(root: Any, space: str) -> None:
    """What is there twice for older programs, and what was moved away."""
    for name in ("{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback", f"{space}moveFrom"):
        for element in list(root.iter(name)):
            element.getparent().remove(element)


def _in_silent_field(run: Any, space: str) -> bool:
    around = run.getparent()
    return (
        around is not None and around.tag == f"{space}fldSimple" and _is_made_by_pages(around.get(f"{space}instr", ""))
    )


def _is_made_by_pages(instruction: str) -> bool:
    return (instruction.split() or [""])[0].upper() in _MADE_BY_PAGES


class _Fields:
    """Which of the fields that are open are not to be heard."""

    def __init__(self, space: str) -> None:
        self._space = space
        self._open: list[list[str]] = []

    def pass_by(self, element: Any) -> None:
        """The next mark of the text: where a field begins or ends, or what it is for."""
        if local(element) == "instrText":
            if self._open:
                self._open[-1].append(element.text or "")
            return
        kind = element.get(f"{self._space}fldCharType")
        if kind == "begin":
            self._open.append([])
        elif kind == "end" and self._open:
            self._open.pop()

    @property
    def silent(self) -> bool:
        return any(_is_made_by_pages("".join(instruction)) for instruction in self._open)
