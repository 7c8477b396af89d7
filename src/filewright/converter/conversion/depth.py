"""How deep JSON, XML and HTML are nested: parsers that recurse die of depth, so it is measured without recursion.

One linear pass by a pattern with possessive quantifiers (no backtracking) over the first megabytes.
"""

from __future__ import annotations

import re

MAX_JSON_DEPTH = 1_000
MAX_XML_DEPTH = 1_000
MAX_HTML_DEPTH = 5_000
"""Browsers close what an author left open; we do not know, so we are generous."""
_JSON_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z|\\)|[\[{]|[\]}]', re.DOTALL)
_TAG = re.compile(
    rb"<!--(?:.*?-->|.*+\Z)|<!\[CDATA\[(?:.*?\]\]>|.*+\Z)|<\?(?:.*?\?>|.*+\Z)|<(/?)([A-Za-z_][^\s<>/]{0,64})[^<>]*+(>?)",
    re.DOTALL,
)
_UNCLOSED = frozenset(
    b"area base br col embed hr img input link meta param source track wbr p li td th tr dt dd option".split()
)


def json_depth(data: bytes, limit: int = MAX_JSON_DEPTH) -> int:
    """The deepest nesting; counting stops past `limit`."""
    if data.count(b"[") + data.count(b"{") <= limit:
        return 0
    depth = deepest = 0
    for token in _JSON_TOKEN.finditer(data):
        first = data[token.start()]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
            if depth > limit:
                break
        elif first in b"]}":
            depth -= 1
    return deepest


def tag_depth(data: bytes, limit: int, *, html: bool = False) -> int:
    """The deepest nesting of elements; counting stops past `limit`."""
    if data.count(b"<") <= limit:
        return 0
    depth = deepest = 0
    for tag in _TAG.finditer(data):
        name = tag[2]
        if name is None or (html and name.lower() in _UNCLOSED):
            continue
        if tag[1]:
            depth = max(0, depth - 1)
        elif data[tag.end() - 2 : tag.end()] != b"/>":
            depth += 1
            deepest = max(deepest, depth)
            if depth > limit:
                break
    return deepest
