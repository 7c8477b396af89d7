"""Web pages and drawings that only show something.

A page is read as a browser reads it and written anew from lists of what is harmless: elements, attributes, and styles
that fetch nothing. What is on no list is left out, or unwrapped where it is words that it stands around. A policy in
the page's head forbids the rest to browsers that see more in it than we do. A drawing goes the way that every drawing
goes before it is drawn, and loses the rest of what could act when it is opened by itself.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import tinyhtml5
from lxml import etree

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside import encoding
from filewright.converter.engines.inside.pictures import svg
from filewright.converter.operations.inside.sanitizing import packages

_LARGEST = 64 << 20
_DEPTH = 400
_HTML = "{http://www.w3.org/1999/xhtml}"
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
_SHOWN = frozenset(
    {
        "html", "head", "body", "title", "style", "address", "article", "aside", "footer", "header", "h1", "h2", "h3",
        "h4", "h5", "h6", "hgroup", "main", "nav", "section", "blockquote", "dd", "div", "dl", "dt", "figcaption",
        "figure", "hr", "li", "ol", "p", "pre", "ul", "abbr", "b", "bdi", "bdo", "br", "cite", "code", "data", "dfn",
        "em", "i", "kbd", "mark", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strong", "sub", "sup",
        "time", "u", "var", "wbr", "img", "del", "ins", "caption", "col", "colgroup", "table", "tbody", "td", "tfoot",
        "th", "thead", "tr", "details", "summary", "center", "font", "big", "tt", "strike", "a",
    }
)  # fmt: skip
_GONE = frozenset(
    {
        "script", "noscript", "template", "iframe", "frame", "frameset", "noframes", "object", "embed", "applet",
        "param", "noembed", "plaintext", "xmp", "base", "link", "meta", "audio", "video", "source", "track", "canvas",
        "input", "button", "select", "option", "optgroup", "textarea", "datalist", "portal", "dialog", "slot", "area",
        "map", "svg", "math",
    }
)  # fmt: skip
"""With all that is in them. Other elements that are on no list lose their tags and keep their words."""
_EMPTY = frozenset({"br", "hr", "img", "wbr", "col"})
_ATTRIBUTES = frozenset(
    {
        "id", "class", "style", "title", "lang", "dir", "alt", "width", "height", "colspan", "rowspan", "scope",
        "headers", "start", "value", "type", "reversed", "datetime", "align", "valign", "bgcolor", "color", "face",
        "size", "border", "cellpadding", "cellspacing", "span", "open", "role", "cite", "href", "src",
    }
)  # fmt: skip
_WITH_ADDRESS = frozenset({"href", "src", "cite"})
_PICTURE = re.compile(r"^data:image/(?:png|jpeg|gif|webp|avif|bmp);base64,[A-Za-z0-9+/=\s]*$", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))", re.DOTALL)
_FETCHES = re.compile(
    r"@import|url\s*\(|image-set|expression|behavior|-moz-binding|javascript:|@charset|</", re.IGNORECASE
)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_ANIMATED = frozenset({"animate", "set", "animateMotion", "animateTransform", "animateColor"})
_ABOUT = frozenset({"metadata", "title", "desc"})
_SVG_NAMES = frozenset(
    {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink", "http://www.w3.org/XML/1998/namespace"}
)


def clean_page(source: Path, out: Path) -> None:
    """Write the harmless page to `out`."""
    if source.stat().st_size > _LARGEST:
        raise Refusal("resource_limit")
    try:
        root = tinyhtml5.parse(encoding.decode(source.read_bytes()), namespace_html_elements=True)
        text = "".join(_page(root))
    except RecursionError as error:
        raise Refusal("resource_limit") from error
    out.write_text(f"<!DOCTYPE html>\n{text}\n", encoding="utf-8")


def clean_drawing(source: Path, out: Path) -> None:
    """Write the harmless drawing to `out`."""
    root = etree.fromstring(svg.read(str(source)).text, etree.XMLParser(resolve_entities=False, no_network=True))
    for element in list(root.iter(etree.Element)):
        name = etree.QName(element)
        if name.namespace not in _SVG_NAMES or name.localname in _ABOUT or _leads(element, name.localname):
            packages.remove(element)
            continue
        for key in list(element.attrib):
            if (etree.QName(key).namespace or "http://www.w3.org/2000/svg") not in _SVG_NAMES:
                del element.attrib[key]
    etree.cleanup_namespaces(root)
    out.write_bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _leads(element: etree._Element, name: str) -> bool:
    """An animation of an address or of an event would write what was taken out."""
    animates = element.get("attributeName", "").lower()
    return name in _ANIMATED and (animates.endswith("href") or animates.startswith("on"))


def _page(element: object, depth: int = 0) -> Iterator[str]:
    """The element as text; the parser's elements are those of the standard library."""
    if depth > _DEPTH:
        raise Refusal("resource_limit")
    tag = getattr(element, "tag", None)
    if not isinstance(tag, str):
        return  # comments and document types
    space, _, name = tag.rpartition("}")
    if name in _GONE or (space and space + "}" != _HTML):
        return
    if name == "style":
        yield f"<style>{_style(''.join(element.itertext()))}</style>"  # type: ignore[attr-defined]
        return
    known = name in _SHOWN
    if known:
        yield f"<{name}{''.join(_attributes(name, element))}>"
        if name in _EMPTY:
            return
    if name == "head":
        yield f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield html.escape(element.text or "", quote=False)  # type: ignore[attr-defined]
    for child in element:  # type: ignore[attr-defined]
        yield from _page(child, depth + 1)
        yield html.escape(child.tail or "", quote=False)
    if known:
        yield f"</{name}>"


def _attributes(element_name: str, element: object) -> Iterator[str]:
    for key, value in element.attrib.items():  # type: ignore[attr-defined]
        if not isinstance(key, str) or not _may_stay(element_name, key, value):
            continue
        kept = _style(value) if key == "style" else value
        yield f' {key}="{html.escape(kept)}"'


def _may_stay(element: str, key: str, value: str) -> bool:
    if key not in _ATTRIBUTES and not re.fullmatch(r"aria-[a-z]{1,20}", key):
        return False
    if key not in _WITH_ADDRESS:
        return True
    if element == "a" and key == "href":
        return value.strip().startswith("#")
    return element == "img" and key == "src" and bool(_PICTURE.match(value.strip()))


def _style(text: str) -> str:
    """Styles that fetch nothing; of those that do, nothing, because half a style says something else."""
    plain = _ESCAPE.sub(_unescaped, _COMMENT.sub("", text))
    return "" if _FETCHES.search(plain) or "<" in plain else _COMMENT.sub("", text)


def _unescaped(found: re.Match[str]) -> str:
    if found[1] is None:
        return found[2]
    number = int(found[1], 16)
    return chr(number) if 0 < number < 0x110000 else ""
