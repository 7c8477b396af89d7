"""Write plain Python values as structured text, in UTF-8.

TOML and XML hold less than JSON: TOML has no null (the key is left out) and only an object at the top (anything else
stands under `value`); XML element names are made legal.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from datetime import date, datetime, time
from io import StringIO
from pathlib import Path
from typing import Any
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

import tomli_w
import yaml

from filewright.converter.engines.inside.refusals import refusing
from filewright.converter.engines.inside.tables.values import jsonable

_DEPTH = 20_000
"""Writers in Python take some ten calls for each level of nesting."""
_NOT_IN_XML_NAMES = re.compile(r"[^\w.-]")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write(value: Any, out: Path, target: str) -> None:
    """The value in that format; too deep for the writer is refused."""
    sys.setrecursionlimit(_DEPTH)
    with refusing("resource_limit", RecursionError):
        text = _WRITERS[target](value)
    out.write_text(text, encoding="utf-8", errors="replace", newline="")


def to_json(value: Any) -> str:
    """Indented by two."""
    return json.dumps(jsonable(value), ensure_ascii=False, indent=2) + "\n"


def to_ndjson(value: Any) -> str:
    """A line for each item of a list; one line for anything else."""
    items = value if isinstance(value, list) else [value]
    return "".join(json.dumps(jsonable(item), ensure_ascii=False) + "\n" for item in items)


def to_yaml(value: Any) -> str:
    """Block style, keys in their order, no anchors. A text that YAML 1.1 would take for something else is quoted."""
    return str(yaml.dump(_yamlable(value), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100))


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yamlable(value: Any) -> Any:
    """Dicts and lists of exactly these classes, for the dumper asks for no other."""
    if isinstance(value, dict):
        return {key: _yamlable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_yamlable(item) for item in value]
    return value.isoformat() if isinstance(value, time) else value


def to_toml(value: Any) -> str:
    """A document; the keys of a YAML mapping that are no text become text."""
    document = value if isinstance(value, dict) else {"value": value}
    return tomli_w.dumps(_tomlable(document))


def _tomlable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _tomlable(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple | set):
        return [_tomlable(item) for item in value if item is not None]
    if isinstance(value, bytes):
        return jsonable(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 63:
        return str(value)
    return value


def to_xml(value: Any) -> str:
    """`@name` keys as attributes, `#text` as text, lists as repeated elements; a `root` around what needs one."""
    out = StringIO()
    writer = XMLGenerator(out, encoding="utf-8", short_empty_elements=True)
    writer.startDocument()
    if isinstance(value, dict) and len(value) == 1 and not isinstance(next(iter(value.values())), list):
        [(name, inner)] = value.items()
        _element(writer, str(name), inner)
    else:
        _element(writer, "root", value)
    return out.getvalue() + "\n"


def _element(writer: XMLGenerator, name: str, value: Any) -> None:
    record = value if isinstance(value, dict) else {"item": value} if isinstance(value, list) else {"#text": value}
    attributes = {
        _xml_name(str(key)[1:]): _xml_text(item)
        for key, item in record.items()
        if str(key).startswith("@") and not isinstance(item, dict | list)
    }
    writer.startElement(_xml_name(name), AttributesImpl(attributes))
    for key, item in record.items():
        if key == "#text" and not isinstance(item, dict | list):
            writer.characters(_xml_text(item))
        elif not str(key).startswith("@") or isinstance(item, dict | list):
            for one in item if isinstance(item, list) else [item]:
                _element(writer, str(key), one)
    writer.endElement(_xml_name(name))


def _xml_name(name: str) -> str:
    legal = _NOT_IN_XML_NAMES.sub("_", name)
    return legal if legal and (legal[0].isalpha() or legal[0] == "_") else f"_{legal}"


def _xml_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value.isoformat() if isinstance(value, datetime | date | time) else str(jsonable(value))
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


_WRITERS: dict[str, Callable[[Any], str]] = {
    "json": to_json,
    "ndjson": to_ndjson,
    "yaml": to_yaml,
    "toml": to_toml,
    "xml": to_xml,
}
