"""The XML parts of a zipped office document, read with bounds: what is larger than it needs to be is not measured."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lxml import etree

from filewright.converter.conversion.inside.fidelity.told import NotMeasured

_MOST_BYTES = 12 << 20
"""Of XML, unpacked, of all parts together."""
_OF_TEMPLATES = frozenset({"styles", "theme", "settings"})
_MOST_KEPT_BYTES = 1 << 20
_RELATIONSHIP = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"


class Package:
    """An open package; use it as a context."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError) as error:
            raise NotMeasured from error
        self._left = _MOST_BYTES
        self._related: dict[str, Mapping[str, tuple[str, str]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def xml(self, name: str, *, shared: bool = False) -> Any | None:
        """The root element of a part, not to be changed; None when there is none of that name.

        `shared`: other documents may have the very same, as those made from one template have their styles.
        """
        try:
            info = self._zip.getinfo(name)
        except KeyError:
            return None
        self._left -= info.file_size
        if self._left < 0:
            raise NotMeasured
        with self._zip.open(info) as part:
            data = part.read(info.file_size + 1)
        return _parsed_once(data) if shared and len(data) <= _MOST_KEPT_BYTES else parsed(data)

    def related(self, name: str) -> Mapping[str, tuple[str, str]]:
        """By id: the last word of a relationship's kind, and the part it leads to. Nothing outside of the package."""
        if name not in self._related:
            self._related[name] = self._read_related(name)
        return self._related[name]

    def first_related(self, name: str, kind: str) -> tuple[str, Any] | None:
        """The first part of a kind that `name` leads to, with its name."""
        for found, target in self.related(name).values():
            if found == kind:
                root = self.xml(target, shared=kind in _OF_TEMPLATES)
                return None if root is None else (target, root)
        return None

    def _read_related(self, name: str) -> Mapping[str, tuple[str, str]]:
        folder, base = posixpath.split(name)
        root = self.xml(posixpath.join(folder, "_rels", f"{base}.rels"))
        if root is None:
            return {}
        return {
            entry.get("Id", ""): (
                entry.get("Type", "").rpartition("/")[2],
                posixpath.normpath(posixpath.join("/", folder, entry.get("Target", ""))).lstrip("/"),
            )
            for entry in root.iter(_RELATIONSHIP)
            if entry.get("TargetMode") != "External"
        }


def parsed(data: bytes) -> Any:
    """The root of some XML, with no entity resolved and nothing fetched."""
    if len(data) > _MOST_BYTES:
        raise NotMeasured
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    return etree.fromstring(data, parser)


_parsed_once = lru_cache(8)(parsed)
"""By the bytes themselves: who reads several documents (of one owner) reads the styles of their template once."""


def local(element: Any) -> str:
    """The name of an element without its namespace; empty for what is none."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def space_of(element: Any) -> str:
    """The namespace of an element, in braces; strict and transitional OOXML differ by that and little else."""
    head, brace, _ = element.tag.partition("}")
    return f"{head}{brace}" if brace else ""
