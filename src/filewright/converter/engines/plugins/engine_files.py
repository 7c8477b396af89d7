"""Make an engine of a file, or say with file and line why not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from filewright.converter.engines.plugins.command import CommandEngine, VersionQuestion, Way
from filewright.converter.engines.plugins.document import ConversionInFile, EngineFile
from filewright.converter.engines.plugins.problem import PluginError, Problem
from filewright.converter.engines.plugins.yaml_file import YamlFile
from filewright.converter.engines.port import Conversion
from filewright.converter.formats.catalogue import FORMATS, Format, FormatClash, learn

ENDINGS = (".yaml", ".yml")


def find_files(folder: Path) -> list[Path]:
    """The engine files of a folder, in the order of their names. Raises PluginError when it can not be read."""
    try:
        return sorted(path for path in folder.iterdir() if path.suffix in ENDINGS and not path.name.startswith("."))
    except OSError as error:
        what = f"this folder of engine files cannot be read: {error.strerror}"
        raise PluginError(Problem(str(folder), what)) from None


def read_engine(path: Path, *, taken: Collection[str] = ()) -> CommandEngine:
    """The engine that a file describes; its formats are known from then on. Raises PluginError.

    `taken` are the names of engines that are there already; none of them is ever replaced.
    """
    file = YamlFile(path)
    told = file.checked(EngineFile)
    new = tuple(entry.format() for entry in told.formats)
    problems = [*_taken(file, told, taken), *_unknown_formats(file, told, new), *_repeated(file, told)]
    if problems:
        raise PluginError(*problems)
    try:
        learn(*new)
    except FormatClash as error:
        raise PluginError(file.problem(f"formats: {error}", ("formats",))) from None
    return _engine(path, told)


def _engine(path: Path, told: EngineFile) -> CommandEngine:
    question = told.version
    return CommandEngine(
        name=told.engine,
        origin=str(path),
        program=told.program,
        package=told.package,
        install=told.install_line,
        ways=[
            (pair.conversion, Way(pair.said.pieces, to_stdout=pair.said.output == "stdout")) for pair in _pairs(told)
        ],
        question=VersionQuestion(question.arguments, question.pattern) if question is not None else None,
        readable=told.readable,
        environment=told.environment,
        exits=told.exits,
    )


@dataclass(frozen=True)
class _Pair:
    at: int
    """Which entry under `conversions` it comes from."""
    said: ConversionInFile
    source: str
    target: str

    @property
    def conversion(self) -> Conversion:
        said = self.said
        options: Mapping[str, Mapping[str, object]] = {name: one.json_schema() for name, one in said.options.items()}
        return Conversion(self.source, self.target, said.cost, said.how_lossy, said.many, options=options)


def _pairs(told: EngineFile) -> Iterator[_Pair]:
    for at, said in enumerate(told.conversions):
        for source in said.source:
            for target in said.target:
                yield _Pair(at, said, source, target)


def _taken(file: YamlFile, told: EngineFile, taken: Collection[str]) -> Iterator[Problem]:
    if told.engine in taken:
        what = f"engine: there is an engine called {told.engine!r} already, which no file replaces; take another name"
        yield file.problem(f"{what} (which of two does a conversion is decided by `cost`)", ("engine",))


def _unknown_formats(file: YamlFile, told: EngineFile, new: tuple[Format, ...]) -> Iterator[Problem]:
    known = {*FORMATS, *(item.id for item in new)}
    for at, said in enumerate(told.conversions):
        for field in ("source", "target"):
            for name in getattr(said, field):
                if name not in known:
                    what = f"{field}: there is no format {name!r}; `filewright formats` lists them, or describe it"
                    yield file.problem(f"{what} under `formats`", ("conversions", at, field))


def _repeated(file: YamlFile, told: EngineFile) -> Iterator[Problem]:
    seen = set()
    for pair in _pairs(told):
        words = f"{pair.source} to {pair.target}"
        if pair.source == pair.target:
            yield file.problem(f"{words}: a conversion changes the format", ("conversions", pair.at))
        elif words in seen:
            yield file.problem(f"{words} stands here a second time", ("conversions", pair.at))
        seen.add(words)
