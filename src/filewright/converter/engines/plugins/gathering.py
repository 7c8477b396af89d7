"""All engines of this installation: Filewright's own, then those of packages, then those of the operator's files.

One broken plug-in is left out and told of; it never keeps the others, or the service, from working.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filewright.converter.engines.plugins.engine_files import find_files, read_engine
from filewright.converter.engines.plugins.packages import installed_entry_points, load_engine
from filewright.converter.engines.plugins.problem import PluginError, Problem
from filewright.converter.engines.port import Engine
from filewright.converter.engines.standard import standard_engines


@dataclass(frozen=True)
class Gathered:
    """The engines, own ones first: among equal routes the one listed first is taken."""

    engines: Sequence[Engine]
    problems: Sequence[Problem] = ()


def gather(folder: Path | None = None) -> Gathered:
    """Every engine, and what is wrong with those that are missing. Formats that they bring are known from then on."""
    engines: list[Engine] = list(standard_engines())
    problems: list[Problem] = []
    readers: list[Callable[..., Engine]] = [partial(load_engine, point) for point in installed_entry_points()]
    try:
        readers += [partial(read_engine, path) for path in (find_files(folder) if folder is not None else ())]
    except PluginError as error:
        problems += error.problems
    for read in readers:
        try:
            engines.append(read(taken={engine.name for engine in engines}))
        except PluginError as error:
            problems += error.problems
    return Gathered(engines, problems)
