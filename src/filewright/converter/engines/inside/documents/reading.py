"""Read structured text into dicts, lists and scalars, and refuse what is damaged, too deep or a bomb.

Where a key stands twice in one object, the last one wins, as in most readers. YAML is read by the core schema of
YAML 1.2 (so `no` is a text and `12:30` is no number), its aliases are counted before they are followed, and a tag
that would build an object is refused.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import yaml
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from filewright.chassis.sandbox.child import Refusal
from filewright.converter.engines.inside.encoding import decode
from filewright.converter.engines.inside.refusals import refusing

_DEPTH = 1_200
"""Levels of nesting that are read. C code spends stack on each, and no real document has a hundredth of them."""
_TOML_DEPTH = 500
_MAX_NODES = 2_000_000
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


def read(source: Path, source_format: str) -> Any:
    """The value that the file holds."""
    data = source.read_bytes()
    if source_format == "xml":
        return parse_xml(data)
    return _PARSERS[source_format](decode(data))


def parse_json(text: str) -> Any:
    """Strict JSON, except that `NaN` and `Infinity` are taken (and become null when written)."""
    sys.setrecursionlimit(_DEPTH)
    with refusing("corrupt_input", ValueError, RecursionError):
        return json.loads(text)


def parse_ndjson(text: str) -> list[Any]:
    """A value for each line that is not blank."""
    return [parse_json(line) for line in text.split("\n") if line.strip()]


def parse_toml(text: str) -> Any:
    """TOML 1.0."""
    sys.setrecursionlimit(_DEPTH)
    if any(line.partition("=")[0].count(".") > _TOML_DEPTH for line in text.split("\n")):
        raise Refusal("resource_limit")  # the reader needs time and memory by the square of a dotted key's length
    with refusing("corrupt_input", ValueError, RecursionError):
        return tomllib.loads(text.replace("\r\n", "\n"))


def parse_yaml(text: str) -> Any:
    """One document's value, or a list of values when there are several documents."""
    sys.setrecursionlimit(_DEPTH)
    with refusing("corrupt_input", yaml.YAMLError, ValueError, RecursionError):
        _refuse_depth(text)
        loader = _Yaml(text)
        try:
            documents = []
            while loader.check_node():
                node = loader.get_node()
                _refuse_bombs(node)
                documents.append(loader.construct_document(node))
        finally:
            loader.dispose()
        return documents[0] if len(documents) == 1 else documents


def _refuse_depth(text: str) -> None:
    """Count levels by events, which needs no stack; only for a text that could be deep at all."""
    longest_line = max(map(len, text.split("\n")))
    if text.count("[") + text.count("{") + longest_line < _DEPTH:
        return
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise Refusal("corrupt_input")


def _refuse_bombs(root: yaml.Node | None) -> None:
    """Count what the document would be with every alias written out; a node that holds itself has no end."""
    sizes: dict[int, int] = {}
    waiting: list[tuple[yaml.Node, bool]] = [(root, False)] if root is not None else []
    open_nodes: set[int] = set()
    while waiting:
        node, children_done = waiting.pop()
        if children_done:
            open_nodes.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(child)] for child in _children(node))
            if sizes[id(node)] > _MAX_NODES:
                raise Refusal("archive_bomb")
        elif id(node) not in sizes:
            if id(node) in open_nodes:
                raise Refusal("corrupt_input")
            open_nodes.add(id(node))
            waiting.append((node, True))
            waiting.extend((child, False) for child in _children(node) if id(child) not in sizes)
            if any(id(child) in open_nodes for child in _children(node)):
                raise Refusal("corrupt_input")


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


class _Yaml(yaml.CSafeLoader):
    """The safe loader with the scalars of YAML 1.2's core schema; a private tag (`!Ref`) leaves the plain value."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def plain_of_any_tag(self, suffix: str, node: yaml.Node) -> Any:
        """The value below a private tag."""
        if isinstance(node, yaml.MappingNode):
            return self.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return self.construct_sequence(node, deep=True)
        return str(node.value)

    def core_integer(self, node: yaml.ScalarNode) -> int:
        """Decimal, `0o` or `0x`; a leading zero is no octal."""
        text = self.construct_scalar(node)
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)


_Yaml.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(null|Null|NULL|~|)$"), ["n", "N", "~", ""])
_Yaml.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")
)
_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"),
    list("-+0123456789."),
)
_Yaml.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])
_Yaml.add_constructor("tag:yaml.org,2002:int", _Yaml.core_integer)
_Yaml.add_multi_constructor("!", _Yaml.plain_of_any_tag)


def parse_xml(data: bytes) -> dict[str, Any]:
    """`{root: ...}`: attributes as `@name`, text as `#text`, an element that repeats as a list. No DTD is followed."""
    sys.setrecursionlimit(_DEPTH)
    with refusing("corrupt_input", ParseError, DefusedXmlException, ValueError, RecursionError, LookupError):
        root = fromstring(_in_unicode(data))
        return {_local(root.tag): _element(root)}


def _in_unicode(data: bytes) -> bytes | str:
    """As it is, so that expat obeys the declaration; decoded when expat would not know the encoding."""
    if re.match(rb'\s*<\?xml[^>]*encoding=["\'](utf-?8|us-ascii|iso-8859-1|utf-?16)["\']', data[:200], re.IGNORECASE):
        return data
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data
    declared = re.match(rb'\s*<\?xml[^>]*encoding=["\']([A-Za-z0-9._-]+)["\']', data[:200])
    text = data.decode(declared.group(1).decode()) if declared else decode(data)
    return _DECLARATION.sub("", text, count=1).lstrip()


def _element(element: Element) -> Any:
    value: dict[str, Any] = {f"@{_local(name)}": text for name, text in element.attrib.items()}
    for child in element:
        _add(value, _local(child.tag), _element(child))
    text = "".join([element.text or "", *((child.tail or "") for child in element)]).strip()
    if not value:
        return text or None
    return {**value, "#text": text} if text else value


def _add(value: dict[str, Any], name: str, item: Any) -> None:
    if name not in value:
        value[name] = item
    elif isinstance(value[name], _Repeated):
        value[name].append(item)
    else:
        value[name] = _Repeated([value[name], item])


class _Repeated(list[Any]):
    """The list that repeated elements make: no element's own value is a list, so the two are never confused."""


def _local(name: str) -> str:
    return name.rpartition("}")[2]


_PARSERS: dict[str, Callable[[str], Any]] = {
    "json": parse_json,
    "ndjson": parse_ndjson,
    "yaml": parse_yaml,
    "toml": parse_toml,
}
