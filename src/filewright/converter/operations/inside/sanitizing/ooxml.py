"""Word, Excel and PowerPoint packages with nothing in them that acts, leads away or tells who wrote them.

A package is a graph of parts. Only parts that are reached by relations on a list of harmless kinds are taken into the
new one, so macros, controls, embedded files and whatever else will be invented stay behind. Then each part's XML loses
what referred to them, and fields and formulas that fetch or start something. What they showed last stays.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from lxml import etree

from filewright.chassis.sandbox.child import Refusal, Report
from filewright.converter.engines.inside.pictures import svg
from filewright.converter.operations.inside.sanitizing import fields, packages

_RELATIONS = "{http://schemas.openxmlformats.org/package/2006/relationships}"
_TYPES = "{http://schemas.openxmlformats.org/package/2006/content-types}"
_REFERENCES = (
    "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}",
    "{http://purl.oclc.org/ooxml/officeDocument/relationships}",
)
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"

_KEPT = frozenset(
    {
        # Word
        "officeDocument", "styles", "stylesWithEffects", "theme", "themeOverride", "settings", "webSettings",
        "fontTable", "font", "numbering", "footnotes", "endnotes", "comments", "commentsExtended", "commentsIds",
        "header", "footer", "glossaryDocument", "image", "hdphoto",
        # PowerPoint
        "slide", "slideLayout", "slideMaster", "notesSlide", "notesMaster", "handoutMaster", "presProps", "viewProps",
        "tableStyles", "commentAuthors", "audio", "video", "media",
        # Excel
        "worksheet", "chartsheet", "sharedStrings", "sheetMetadata", "table", "pivotTable", "pivotCacheDefinition",
        "pivotCacheRecords", "drawing", "vmlDrawing", "slicer", "slicerCache", "timeline", "timelineCache",
        # drawings
        "chart", "chartEx", "chartUserShapes", "chartStyle", "chartColorStyle", "diagramData", "diagramLayout",
        "diagramQuickStyle", "diagramColors", "diagramDrawing",
    }
)  # fmt: skip
_UNWRAPPED = frozenset({"hyperlink"})
"""In Word, a link is a wrapping around its text; what is called so in Excel is a remark on a cell, and empty."""
_REMOVED = frozenset(
    {
        "hlinkClick", "hlinkHover", "hlinkMouseOver", "OLEObject", "control", "attachedTemplate", "externalReference",
        "altChunk", "subDoc", "sheet", "externalData", "oleObject", "customPr", "webPublishItem", "externalBook",
        "legacyDrawingHF", "saveThroughXslt", "dataSource", "headerSource", "movie", "wavAudioFile", "quickTimeFile",
        "videoFile", "audioFile", "snd", "contentPart", "custData", "tags",
    }
)  # fmt: skip
"""Elements that are nothing without the part they refer to. Others lose the reference and stay."""
_GONE = frozenset(
    {
        "oleObjects", "controls", "externalReferences", "webPublishItems", "fileRecoveryPr", "attachedSchema",
        "mailMerge", "rsids", "docVars", "smartTagPr", "smartTags", "custDataLst", "externalLst", "connections",
        "documentProtection", "writeProtection", "fileSharing", "customWorkbookViews", "queryTablePart", "hlinkMacro",
    }
)  # fmt: skip
_SAFE_ACTIONS = frozenset({"", "ppaction://hlinksldjump", "ppaction://noaction"})
_REFERRING = ("id", "embed", "link", "href", "pict", "dm", "lo", "qs", "cs", "blip")
_MACRO_TYPES: Mapping[str, str] = {
    "application/vnd.ms-word.document.macroEnabled.main+xml":
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml",
    "application/vnd.ms-word.template.macroEnabledTemplate.main+xml":
        "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
    "application/vnd.ms-excel.sheet.macroEnabled.main+xml":
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml",
    "application/vnd.ms-excel.template.macroEnabled.main+xml":
        "application/vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml",
    "application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml":
        "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml",
    "application/vnd.ms-powerpoint.slideshow.macroEnabled.main+xml":
        "application/vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml",
    "application/vnd.ms-powerpoint.template.macroEnabled.main+xml":
        "application/vnd.openxmlformats-officedocument.presentationml.template.main+xml",
}  # fmt: skip
_WHO = ("author", "initials", "date", "dateUtc", "userId", "providerId")
_REVISION = re.compile(r"^rsid")
_FAR = re.compile(r"^\s*(?:[a-z][a-z0-9+.-]{1,20}:|//|\\\\)", re.IGNORECASE)


def clean(source: Path, out: Path, report: Report) -> None:
    """Write the harmless package to `out`."""
    parts = packages.read(source, report)
    package = _Package(parts)
    package.take("")
    if len(package.made) < 2:
        raise Refusal("corrupt_input")
    packages.write({"[Content_Types].xml": package.types(), **package.made}, out)


class _Package:
    """The graph of parts, walked from its root; `made` grows by what is kept."""

    def __init__(self, parts: Mapping[str, bytes]) -> None:
        self._parts = parts
        self._by_lower = {name.lower().lstrip("/"): name for name in parts}
        self.made: dict[str, bytes] = {}
        self._seen: set[str] = set()

    def take(self, root: str) -> None:
        """The parts that are reached from this one (the package itself is ``), by harmless relations."""
        waiting = [root]
        while waiting:
            part = waiting.pop()
            if part in self._seen:
                continue
            self._seen.add(part)
            dropped: set[str] = set()
            relations = self._find(_relations_of(part))
            if relations is not None:
                kept, targets, dropped = self._relations(part, packages.parsed(self._parts[relations]))
                if kept is not None:
                    self.made[_relations_of(part)] = kept
                waiting.extend(targets)
            if part:
                self.made[part] = _content(part, self._parts[part], dropped)

    def _relations(self, part: str, root: etree._Element) -> tuple[bytes | None, list[str], set[str]]:
        """The relations that stay, the parts they lead to, and the ids of those that do not stay."""
        targets, dropped = [], set()
        for relation in list(root):
            target = self._target(part, relation)
            if target is None:
                dropped.add(relation.get("Id", ""))
                root.remove(relation)
            else:
                targets.append(target)
        return (packages.written(root) if len(root) else None), targets, dropped

    def _target(self, part: str, relation: etree._Element) -> str | None:
        kind = relation.get("Type", "").rstrip("/").rpartition("/")[2]
        inside = kind in _KEPT or (kind == "hyperlink" and ".xml" in relation.get("Target", ""))
        if not inside or relation.get("TargetMode", "Internal") != "Internal":
            return None
        target = unquote(relation.get("Target", "")).partition("#")[0]
        path = posixpath.normpath(posixpath.join("/", posixpath.dirname(part), target)).lstrip("/")
        return self._find(path)

    def _find(self, path: str) -> str | None:
        return self._by_lower.get(path.lower())

    def types(self) -> bytes:
        """What each kept part is, as the source said it, and never that there are macros in it."""
        name = self._find("[Content_Types].xml")
        if name is None:
            raise Refusal("corrupt_input")
        root = packages.parsed(self._parts[name])
        kept = {f"/{part.lower()}" for part in self.made}
        for entry in list(root):
            if entry.tag == f"{_TYPES}Override":
                if entry.get("PartName", "").lower() not in kept:
                    root.remove(entry)
                    continue
                told = entry.get("ContentType", "")
                entry.set("ContentType", _MACRO_TYPES.get(told, told))
            elif "macro" in entry.get("ContentType", "").lower() or "vba" in entry.get("ContentType", "").lower():
                root.remove(entry)
        return packages.written(root)


def _relations_of(part: str) -> str:
    folder, _, name = part.rpartition("/")
    return f"{folder}/_rels/{name}.rels".lstrip("/")


def _content(part: str, content: bytes, dropped: set[str]) -> bytes:
    ending = posixpath.splitext(part.lower())[1]
    if ending == ".svg":
        path = Path("tmp/picture.svg")
        path.write_bytes(content)
        return svg.read(str(path)).text
    if ending not in {".xml", ".vml"}:
        return packages.bare_picture(part, content)
    root = packages.parsed(content)
    _without_dropped(root, dropped)
    _without_traces(root)
    fields.disarm(root)
    return packages.written(root)


def _without_dropped(root: etree._Element, dropped: set[str]) -> None:
    """Every mention of a relation that is gone, and what makes no sense without it."""
    for element in list(root.iter(etree.Element)):
        name = etree.QName(element).localname
        if name in _GONE or (name in {"hlinkClick", "hlinkHover", "hlinkMouseOver"} and _acts(element)):
            packages.remove(element)
            continue
        mentions = [
            key
            for key, value in element.attrib.items()
            if str(key).startswith(_REFERENCES) and (value in dropped or not value)
        ]
        if "relid" in str(element.attrib.keys()):
            mentions += [
                key for key, value in element.attrib.items() if str(key).endswith("relid") and value in dropped
            ]
        if mentions:
            _without_mention(element, name, mentions)
        elif name == "oleObj":
            _as_picture(element)


def _acts(element: etree._Element) -> bool:
    return element.get("action", "").partition("?")[0] not in _SAFE_ACTIONS and not element.get(
        "action", ""
    ).startswith("ppaction://hlinkshowjump")


def _without_mention(element: etree._Element, name: str, mentions: list[str]) -> None:
    if name == "oleObj":
        _as_picture(element)
    elif name in _UNWRAPPED and element.tag.startswith(_W):
        for key in mentions:
            del element.attrib[key]
        if element.get(f"{_W}anchor") is None:
            packages.unwrap(element)
    elif name in _REMOVED or name in _UNWRAPPED:
        packages.remove(element)
    else:
        for key in mentions:
            del element.attrib[key]


def _as_picture(embedded: etree._Element) -> None:
    """In place of an embedded object on a slide, the picture of it that the file brings along."""
    frame = next((one for one in embedded.iterancestors() if etree.QName(one).localname == "graphicFrame"), None)
    if frame is None:
        packages.remove(embedded)
        return
    pictures = [one for one in frame.iter(etree.Element) if etree.QName(one).localname == "pic"]
    parent = frame.getparent()
    if pictures and parent is not None:
        parent.replace(frame, pictures[0])
    else:
        packages.remove(frame)


def _without_traces(root: etree._Element) -> None:
    """Who wrote and when, and addresses outside relations."""
    for element in root.iter(etree.Element):
        name = etree.QName(element).localname
        for key, value in list(element.attrib.items()):
            plain = etree.QName(key).localname
            if _REVISION.match(plain) or (plain in _WHO and plain not in {"author", "initials"}):
                del element.attrib[key]
            elif plain in {"author", "initials"}:
                element.set(key, "Author")
            elif (plain in {"href", "src", "althref"} and _FAR.match(value)) or plain in {
                "onclick",
                "onload",
                "onaction",
            }:
                del element.attrib[key]
        if name == "cmAuthor":
            element.set("name", "Author")
            element.set("initials", "A")
        elif name == "author" and element.text:
            element.text = "Author"
