"""A YAML file of an operator's, read with suspicion: bounded, without aliases and tags, each name given once.

Everything that is wrong is told with its line, all mistakes at once. What the fields mean is `document`'s business.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from filewright.converter.engines.plugins.problem import PluginError, Problem

_MAX_BYTES = 256 << 10
_MAX_DEPTH = 16
_Model = TypeVar("_Model", bound=BaseModel)
Place = Sequence[str | int]
"""The way to a field: names, and positions in lists."""


class YamlFile:
    """What stands in a file, and in which line. Raises PluginError for what is no YAML of ours."""

    def __init__(self, path: Path) -> None:
        self.path = path
        text = self._text()
        try:
            self._refuse_tricks(text)
            self._tree = yaml.compose(text, Loader=yaml.SafeLoader)
            self._value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            what = f"this is not YAML: {getattr(error, 'problem', None) or error}"
            raise self._error(what, mark.line + 1 if mark is not None else 1) from None
        except ValueError as error:  # a day that no calendar has, an integer of ten thousand digits
            raise self._error(f"this is not YAML: {error}", 1) from None
        for key in _doubled(self._tree):
            raise self._error(f"{key.value!r} stands here a second time", key.start_mark.line + 1)

    def checked(self, model: type[_Model]) -> _Model:
        """The file as that model. Raises PluginError with every mistake."""
        try:
            return model.model_validate(self._value)
        except ValidationError as error:
            raise PluginError(*sorted(self._mistakes(error), key=lambda problem: problem.line or 0)) from None

    def problem(self, what: str, place: Place = ()) -> Problem:
        """A mistake at that place."""
        return Problem(str(self.path), what, _line(self._tree, place))

    def _text(self) -> str:
        try:
            found = self.path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise self._error("this is no plain file")
            if found.st_mode & stat.S_IWOTH or self.path.parent.stat().st_mode & stat.S_IWOTH:
                raise self._error("everybody on this machine may change this file, or its folder: chmod o-w both")
            if found.st_size > _MAX_BYTES:
                raise self._error(f"the file has {found.st_size:,} bytes; {_MAX_BYTES:,} are read at most")
            return self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise self._error(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None

    def _refuse_tricks(self, text: str) -> None:
        """An alias can make a few lines into gigabytes, and depth ends the parser's own stack."""
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark is not None else 1
            if isinstance(event, yaml.AliasEvent):
                raise self._error("aliases (`*name`) are not read; write it out", line)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH:
                raise self._error(f"nothing is nested deeper than {_MAX_DEPTH} levels", line)

    def _mistakes(self, error: ValidationError) -> Iterator[Problem]:
        told = set()
        every = error.errors(include_url=False)
        for found in every:
            place = tuple(part for part in found["loc"] if part != "[key]")
            if found["type"] == "too_short" and any(len(other["loc"]) > len(place) for other in every):
                continue  # nothing is left of a list because what is in it is wrong, which is told
            reached = _reached(self._tree, place)
            name = ".".join(map(str, reached)) or "the file"
            what = f"{name}: {_sentence(found['msg'], found['type'], place)}"
            if what not in told:
                told.add(what)
                yield self.problem(what, reached)

    def _error(self, what: str, line: int | None = None) -> PluginError:
        return PluginError(Problem(str(self.path), what, line))


def _sentence(message: str, kind: str, place: Place) -> str:
    if kind == "missing":
        return f"{place[-1]!r} is missing"
    if kind == "extra_forbidden":
        return "there is no such field"
    return message.removeprefix("Value error, ")


def _doubled(tree: Any) -> Iterator[Any]:
    """The later key of each pair in one mapping."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            seen = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value in seen:
                    yield key
                seen.add(str(key.value))
                waiting.append(value)


def _reached(tree: Any, place: Place) -> Place:
    """As much of the way as stands in the file; the names that only the model has are left out."""
    node, way = tree, list[str | int]()
    for part in place:
        found = _child(node, part)
        if found is not None:
            way.append(part)
            node = found[1]
    return way


def _line(tree: Any, place: Place) -> int:
    """Where the field stands, or what is nearest above it."""
    line, node = 1, tree
    for part in place:
        found = _child(node, part)
        if found is None:
            break
        line, node = found
    return line


def _child(node: Any, part: str | int) -> tuple[int, Any] | None:
    """The line and the value of one step of the way."""
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part].start_mark.line + 1, node.value[part]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key.start_mark.line + 1, value
    return None
