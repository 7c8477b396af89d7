"""Read what the slides of a presentation say, and in which fonts.

Fonts come down as in PowerPoint, in short: from the run, the shape, the styles of the slide master, the theme. What a
layout puts in between is left out.
"""

from __future__ import annotations

from typing import Any

from filewright.converter.conversion.inside.fidelity.package import Package, local, space_of
from filewright.converter.conversion.inside.fidelity.theme import Theme, theme_fonts
from filewright.converter.conversion.inside.fidelity.told import NotMeasured, ScriptFonts, Told

_TITLES = frozenset({"title", "ctrTitle"})
_NO_BODY = frozenset({"dt", "ftr", "sldNum", "hdr"})


def read(package: Package, told: Told) -> None:
    """The slides that are shown, in order."""
    found = package.first_related("", "officeDocument")
    if found is None or local(found[1]) != "presentation":
        raise NotMeasured
    name, presentation = found
    space = space_of(presentation)
    parts = package.related(name)
    masters: dict[str, _Master] = {}
    for entry in presentation.iter(f"{space}sldId"):
        identity = next((value for key, value in entry.attrib.items() if key.endswith("}id")), "")
        part = parts.get(identity, ("", ""))[1]
        slide = package.xml(part)
        if slide is not None and slide.get("show", "1") not in {"0", "false"}:
            _read_slide(slide, space, _master_of(package, part, space, masters), told)


class _Master:
    """The text styles of a slide master."""

    def __init__(self, root: Any | None, space: str, theme: Theme) -> None:
        self.theme = theme
        self._styles = {}
        for kind in ("titleStyle", "bodyStyle", "otherStyle"):
            style = None if root is None else root.find(f"{space}txStyles/{space}{kind}")
            properties = None if style is None else style.find("{*}lvl1pPr/{*}defRPr")
            self._styles[kind] = _fonts(properties, theme)

    def fonts(self, placeholder: str | None) -> ScriptFonts:
        title = placeholder in _TITLES
        other = placeholder is None or placeholder in _NO_BODY
        style = self._styles["titleStyle" if title else "otherStyle" if other else "bodyStyle"]
        return style.over(self.theme.get("major" if title else "minor", ScriptFonts()))


def _master_of(package: Package, slide: str, space: str, known: dict[str, _Master]) -> _Master:
    part = slide
    for kind in ("slideLayout", "slideMaster"):
        part = next((target for found, target in package.related(part).values() if found == kind), "")
        if not part:
            return _Master(None, space, {})
    if part not in known:
        theme = package.first_related(part, "theme")
        known[part] = _Master(package.xml(part, shared=True), space, theme_fonts(theme[1]) if theme is not None else {})
    return known[part]


def _read_slide(slide: Any, space: str, master: _Master, told: Told) -> None:
    for body in slide.iter(f"{space}txBody", "{http://schemas.openxmlformats.org/drawingml/2006/main}txBody"):
        shape = body.getparent()
        of_shape = _fonts(body.find("{*}lstStyle/{*}lvl1pPr/{*}defRPr"), master.theme)
        inherited = of_shape.over(master.fonts(_placeholder(shape, space)))
        for paragraph in body.iterchildren("{*}p"):
            _read_paragraph(paragraph, inherited, master.theme, told)


def _placeholder(shape: Any, space: str) -> str | None:
    """What place of the layout the shape fills; None: it is a text box."""
    found = shape.find(f"{space}nvSpPr/{space}nvPr/{space}ph")
    return None if found is None else found.get("type", "obj")


def _read_paragraph(paragraph: Any, inherited: ScriptFonts, theme: Theme, told: Told) -> None:
    said = []
    for run in paragraph.iterchildren("{*}r", "{*}br"):
        text = " " if local(run) == "br" else run.findtext("{*}t") or ""
        said.append(text)
        told.ask(_fonts(run.find("{*}rPr"), theme).over(inherited), text)
    if text := "".join(said).strip():
        told.paragraphs.append(text)


def _fonts(properties: Any, theme: Theme) -> ScriptFonts:
    if properties is None:
        return ScriptFonts()

    def named(script: str) -> str | None:
        found = properties.find("{*}" + script)
        face = None if found is None else found.get("typeface")
        if not face or not face.startswith("+"):
            return face
        fonts = theme.get("major" if face.startswith("+mj") else "minor", ScriptFonts())
        return {"latin": fonts.latin, "ea": fonts.east_asian, "cs": fonts.complex}.get(script)

    return ScriptFonts(named("latin"), named("ea"), named("cs"))
