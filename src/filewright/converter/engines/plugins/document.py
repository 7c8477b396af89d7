"""What stands in an engine file: the shape of the YAML, and all that one field alone can get wrong.

What needs more than the file to judge (whether a format exists, whether a name is taken) is `reading`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from filewright.converter.engines.plugins.arguments import PLACES, VALUE, OptionArguments, Piece, placeholders
from filewright.converter.engines.port import Loss
from filewright.converter.errors import ConversionError, InputError, LimitError, conversion_errors
from filewright.converter.formats.catalogue import Family, Format, Mark

ENGINE_NAME = r"^[a-z][a-z0-9-]{1,31}$"
_FORMAT_ID = r"^[a-z0-9][a-z0-9.+-]{0,31}$"
_MAX_MARK_AT = 32 << 10
_LEAST_MARK = 3
_SET_BY_SANDBOX = frozenset({"PATH", "HOME", "TMPDIR", "LANG", "TZ"})
_TREES = tuple(map(Path, ("/usr", "/opt", "/srv", "/nix", "/snap")))
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish", "csh", "tcsh", "busybox", "env", "xargs", "sudo"})


def _plain(text: str) -> str:
    if any(ord(character) < ord(" ") for character in text):
        raise ValueError("use printable characters only")
    return text


def _literal(text: str) -> str:
    if "{work}" in text:
        raise ValueError("{work} means something to the sandbox; paths in arguments are relative to the work folder")
    return _plain(text)


def _listed(value: object) -> object:
    """One thing may be written without the brackets."""
    return [value] if isinstance(value, str) else value


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain)]
Text = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_literal)]
FormatIds = Annotated[
    tuple[Annotated[str, Field(pattern=_FORMAT_ID)], ...], Field(min_length=1), BeforeValidator(_listed)
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MarkInFile(_Part):
    """`hex: 504b0304` or `text: DICM`, and `at`, where it is not at the first byte."""

    hex: Annotated[str, Field(pattern=r"^([0-9a-fA-F]{2})+$", max_length=128)] | None = None
    text: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    at: Annotated[int, Field(ge=0, le=_MAX_MARK_AT)] = 0

    @model_validator(mode="after")
    def _one_and_long_enough(self) -> MarkInFile:
        if (self.hex is None) == (self.text is None):
            raise ValueError("give `hex` or `text`")
        if len(self.mark().bytes) < _LEAST_MARK:
            raise ValueError(f"give at least {_LEAST_MARK} bytes; fewer stand at the start of too many files")
        return self

    def mark(self) -> Mark:
        return Mark(bytes.fromhex(self.hex) if self.hex is not None else (self.text or "").encode(), self.at)


class FormatInFile(_Part):
    """A format that Filewright has no word for yet."""

    id: Annotated[str, Field(pattern=_FORMAT_ID)]
    name: Line
    family: Family
    extensions: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_-]{0,15}$")], ...],
        Field(min_length=1),
        BeforeValidator(_listed),
    ]
    media_types: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z]+/[A-Za-z0-9.+_-]{1,100}$")], ...],
        Field(min_length=1),
        BeforeValidator(_listed),
    ]
    text: bool = False
    marks: tuple[MarkInFile, ...] = ()

    @model_validator(mode="after")
    def _can_be_recognised(self) -> FormatInFile:
        if not self.marks and not self.text:
            raise ValueError("say how it is recognised: `marks` (bytes it begins with), or `text: true`")
        return self

    def format(self) -> Format:
        marks = tuple(found.mark() for found in self.marks)
        return Format(self.id, self.name, self.family, self.extensions, self.media_types, self.text, marks)


class OptionInFile(_Part):
    """JSON Schema of an option, as much of it as keeps what callers may say small enough to be checked."""

    type: Literal["boolean", "integer", "number", "string"]
    description: Line
    default: bool | int | float | str | None = None
    enum: Annotated[tuple[int | float | Text, ...], Field(min_length=1)] | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    pattern: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    maxLength: Annotated[int, Field(ge=1, le=200)] | None = None  # noqa: N815 - the word of JSON Schema

    @model_validator(mode="after")
    def _is_bounded(self) -> OptionInFile:
        if self.type in {"integer", "number"} and self.enum is None and None in {self.minimum, self.maximum}:
            raise ValueError("a number needs `minimum` and `maximum`, or `enum`")
        if self.type == "string" and self.enum is None and None in {self.pattern, self.maxLength}:
            raise ValueError("text needs `enum`, or `pattern` and `maxLength`: it becomes an argument of a program")
        if self.pattern is not None:
            _compiled(self.pattern)
        from jsonschema import Draft202012Validator  # noqa: PLC0415 - large, and most have no such file

        validator = Draft202012Validator(dict(self.json_schema()))
        for value in (*(self.enum or ()), *(() if self.default is None else (self.default,))):
            for error in validator.iter_errors(value):
                raise ValueError(error.message)
        return self

    def json_schema(self) -> Mapping[str, Any]:
        """As the API shows it. A pattern holds for the whole text, whether or not its author wrote so."""
        schema = self.model_dump(exclude_none=True, mode="json")
        if self.pattern is not None:
            schema["pattern"] = f"^(?:{self.pattern})$"
        return schema


class OptionArgumentsInFile(_Part):
    """Arguments that are there when an option was set, or is true; else those under `otherwise`."""

    option: str
    arguments: tuple[Text, ...] = ()
    otherwise: tuple[Text, ...] = ()


class ConversionInFile(_Part):
    """One line of work; several sources or targets stand for all their pairs."""

    source: FormatIds
    target: FormatIds
    cost: Annotated[int, Field(ge=1, le=3_600_000)]
    loss: Literal["none", "small", "large", "most"]
    many: bool = False
    output: Literal["file", "stdout"] = "file"
    options: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")], OptionInFile], Field(max_length=32)
    ] = Field(default_factory=dict)
    arguments: Annotated[tuple[Text | OptionArgumentsInFile, ...], Field(max_length=200)]

    @property
    def how_lossy(self) -> Loss:
        return Loss[self.loss.upper()]

    @property
    def pieces(self) -> Sequence[Piece]:
        return tuple(
            found if isinstance(found, str) else OptionArguments(found.option, found.arguments, found.otherwise)
            for found in self.arguments
        )

    @model_validator(mode="after")
    def _says_where_the_file_goes(self) -> ConversionInFile:
        plain = [found for found in self.arguments if isinstance(found, str)]
        used = {place for text in plain for place in placeholders(text)}
        if "<input>" not in used:
            raise ValueError("arguments: `<input>` is missing, the file to convert")
        wanted = PLACES - {"<input>"}
        if self.output == "file" and not used & wanted:
            raise ValueError(f"arguments: give one of {_or(wanted)}, or `output: stdout`")
        if self.output == "stdout" and (self.many or used & wanted):
            raise ValueError("output: what is written to stdout is one file; leave the other places away")
        return self

    @model_validator(mode="after")
    def _arguments_are_safe(self) -> ConversionInFile:
        used = set()
        for found in self.arguments:
            if isinstance(found, str):
                _check_places(found, PLACES)
                continue
            if found.option not in self.options:
                raise ValueError(f"arguments: there is no option {found.option!r} under `options`")
            used.add(found.option)
            self._check_option(found, self.options[found.option])
        for name in self.options:
            if name not in used:
                raise ValueError(f"options: nothing in `arguments` uses {name!r}")
        return self

    def _check_option(self, found: OptionArgumentsInFile, option: OptionInFile) -> None:
        for text in found.arguments:
            _check_places(text, frozenset() if option.type == "boolean" else frozenset({VALUE}))
            if text == VALUE and not _never_looks_like_an_option(option):
                raise ValueError(
                    f"arguments: {found.option!r} may begin with `-`, which the program would take for an option of "
                    f"its own; join it, as `--{found.option}={VALUE}`, or narrow it (`minimum: 0`, `enum`)"
                )
        for text in found.otherwise:
            _check_places(text, frozenset())


class VersionInFile(_Part):
    """How the program is asked for its version; what the first group of `pattern` finds is it."""

    arguments: Annotated[tuple[Text, ...], Field(min_length=1, max_length=5)]
    pattern: Annotated[str, Field(max_length=200)] = r"(\d+(?:\.\d+)+)"

    @field_validator("pattern")
    @classmethod
    def _has_a_group(cls, value: str) -> str:
        if _compiled(value).groups < 1:
            raise ValueError("put what is the version into parentheses")
        return value


class EngineFile(_Part):
    """The whole file."""

    engine: Annotated[str, Field(pattern=ENGINE_NAME)]
    program: Text
    package: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]{1,63}$")] | None = None
    install: Line | None = None
    version: VersionInFile | None = None
    readable: Annotated[tuple[Path, ...], Field(max_length=16)] = ()
    environment: dict[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")], Text] = Field(default_factory=dict)
    exits: dict[Annotated[int, Field(ge=1, le=255)], str] = Field(default_factory=dict)
    formats: Annotated[tuple[FormatInFile, ...], Field(max_length=64)] = ()
    conversions: Annotated[tuple[ConversionInFile, ...], Field(min_length=1, max_length=200)]

    @property
    def install_line(self) -> str:
        return self.install or f"apt-get install {self.package}"

    @field_validator("program")
    @classmethod
    def _is_a_program(cls, value: str) -> str:
        if "/" in value and not Path(value).is_absolute():
            raise ValueError("give its name as it is on the search path, or an absolute path")
        if Path(value).name in _SHELLS:
            raise ValueError("an engine file starts one program with fixed arguments, never a shell")
        return value

    @field_validator("readable")
    @classmethod
    def _is_nobodys(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        for path in value:
            inside = any(path.is_relative_to(tree) and path != tree for tree in _TREES)
            if not inside or ".." in path.parts:
                raise ValueError(f"{path}: give folders below {_or(map(str, _TREES))}")
        return value

    @field_validator("environment")
    @classmethod
    def _leaves_ours_alone(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name in _SET_BY_SANDBOX or name.startswith("LD_"):
                raise ValueError(f"{name} is the sandbox's to set")
        return value

    @field_validator("exits")
    @classmethod
    def _are_errors(cls, value: dict[int, str]) -> dict[int, str]:
        for code in value.values():
            if code not in exit_errors():
                raise ValueError(f"{code!r}: use one of {', '.join(sorted(exit_errors()))}")
        return value

    @model_validator(mode="after")
    def _says_how_to_install(self) -> EngineFile:
        if self.package is None and self.install is None:
            raise ValueError("package: name the Debian package, or give under `install` the line that installs it")
        return self


def exit_errors() -> Mapping[str, type[ConversionError]]:
    """What an exit status may mean, by code: errors that are the file's or the limits' fault."""
    return {code: kind for code, kind in conversion_errors().items() if issubclass(kind, InputError | LimitError)}


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"this is no regular expression: {error}") from None


def _check_places(text: str, allowed: frozenset[str]) -> None:
    for place in placeholders(text):
        if place not in allowed:
            raise ValueError(f"arguments: {place} means nothing here; there are: {_or(allowed) or 'none'}")
        if place != text and not (place == VALUE and text.endswith(VALUE) and text.count(VALUE) == 1):
            raise ValueError(f"arguments: {place} has to be an argument of its own, not a part of {text!r}")


def _never_looks_like_an_option(option: OptionInFile) -> bool:
    if option.enum is not None:
        return not any(str(value).startswith(("-", "@")) for value in option.enum)
    if option.type == "string":
        return False
    return option.minimum is not None and option.minimum >= 0


def _or(names: Any) -> str:
    return ", ".join(sorted(names))
