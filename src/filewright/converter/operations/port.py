"""What an operator is: it declares operations as data, and carries one out on files in one sandbox.

This is the port of engines (`engines/port.py`) for everything that is not a conversion, and it is built of the same
parts. An `Ability` is a `Conversion` that also names its operation and how many files it takes. `Errand` is a `Work`
that has several sources. So limits, progress, cancelling, options and `work.python` are what they are for engines, and
an operator raises the same errors.

To add an operation, or a family of formats to one:

1. Declare its abilities: one for each source and each kind of product. `Ability("rotate", "pdf", "pdf", cost=20,
   options={…})` turns PDFs; `Ability("thumbnail", "mp4", "jpg", …)` and `Ability("thumbnail", "mp4", "png", …)` leave
   the target to the caller's `to`. Of several that fit an order, the first one is taken whose options say yes, so what
   is usual is listed first. What distinguishes them may be an option: `{"what": {"const": "text", "default": …}}`.
2. Write the function that does it, in `operations/inside/`, and make a `LibraryOperator` of both (`library.py`); or an
   `Operator` of your own, for a program.
3. List it in `standard.py`. The API, the command line, `GET /v1/operations`, the checks of orders and of products and
   the documentation follow from the data.

What the order says was checked against the schemas before an operator sees it, but against the schemas alone. What
only the file can tell (there is no page 9) a function in the sandbox refuses with `Refusal("option_pages")`: `option_`
and the name of an option that its ability has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from filewright.chassis.errors import FieldError
from filewright.chassis.sandbox.port import Ending, PythonCall, WarmParent
from filewright.converter.engines.port import Availability, Conversion, FormatId, Loss, Work, refusal_error
from filewright.converter.errors import InvalidOptions

SUMMARIES: Mapping[str, str] = {
    "merge": "Make one file of several",
    "split": "Take a file apart into several",
    "compress": "Make a file smaller, and keep whichever is the smaller",
    "ocr": "Read the words in a picture or a scan",
    "thumbnail": "Make a small picture of a file",
    "watermark": "Put words or a picture over every page or picture",
    "rotate": "Turn pages or pictures",
    "metadata": "Read, set or remove what a file says of itself",
    "extract": "Take parts out of a file: pages, words, pictures, attachments",
    "archive": "Pack files into one archive",
    "unarchive": "Unpack an archive",
    "sanitize": "Remove what could be dangerous or tell too much",
}
OPERATIONS = tuple(SUMMARIES)
"""Every operation there is a word for, beside `convert`. Which of them are offered, the operators say."""
ANY = "*"
"""For a source: a file of any kind, also one that nobody recognises. For a target: whatever is in the source."""
MAX_INPUTS = 1_000
"""Of one job."""
_OPTION = "option_"


@dataclass(frozen=True)
class Ability(Conversion):
    """One thing that an operator can do, with files of one format.

    `source` and `target` may be `ANY`. `many` says that it may make several files, `cost` and `loss` are told to
    whoever asks what an order would be.
    """

    operation: str = field(kw_only=True)
    """One of `OPERATIONS`."""
    inputs: tuple[int, int] = field(default=(1, 1), kw_only=True)
    """How many files it takes at once, at least and at most."""
    beside: tuple[FormatId, ...] = field(default=(), kw_only=True)
    """Formats of the files after the first, where those are not more of the same: a picture to stamp on a document."""
    converts: bool = field(default=False, kw_only=True)
    """Whether files of other formats are converted to `source` first, if there is a way that loses no more than the
    layout's fine points. For operations that make one file of many, such as a PDF of letters and photos."""
    shows_page: bool = field(default=False, kw_only=True)
    """Whether it looks at the one page that its option `page` names, so that others need not be made for it."""
    required: tuple[str, ...] = field(default=(), kw_only=True)
    """Options without which there is nothing to do."""

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise ValueError(f"no operation is called {self.operation!r}")

    @property
    def gathers(self) -> bool:
        """Whether it makes one thing of several files; otherwise each of them is worked on by itself."""
        return self.inputs[1] > 1 and not self.beside

    @property
    def joins(self) -> bool:
        """Whether it takes several files at once, alike or not."""
        return self.inputs[1] > 1


@dataclass(frozen=True)
class Errand(Work):
    """One operation on one or several files, with all that it may use. `conversion` is its `ability`.

    `source` is the first of `sources`; those are named by us (`in/input-0001.pdf`, …).
    """

    sources: tuple[Path, ...] = field(default=(), kw_only=True)
    names: tuple[str, ...] = field(default=(), kw_only=True)
    """What the user calls each of them: without directories, harmless for every file system, no two alike. Never for a
    command line: a name may begin with a dash."""

    @property
    def ability(self) -> Ability:
        """What was ordered."""
        return cast("Ability", self.conversion)

    async def python(self, function: str, *, warm: tuple[str, ...] | WarmParent = (), **arguments: Any) -> Any:
        """As for an engine; and `Refusal("option_<name>")` becomes InvalidOptions about that option."""
        outcome = await self.run(PythonCall(function, arguments, warm))
        if outcome.ending is Ending.COMPLETED:
            return outcome.untrusted_value
        raise _not_for_this_file(self.ability, outcome.refusal) or refusal_error(outcome.refusal)


@dataclass(frozen=True)
class Made:
    """One product: a plain file below `out/`."""

    path: Path
    name: str | None = None
    """What a caller may call it, from inside the source (a member's or an attachment's name). It is made harmless
    later. None: the name of the job's first input, with the ending of the product."""
    format: FormatId | None = None
    """Only where the ability's target is `ANY`: what it is, if that is known; otherwise its content and name say it."""


class Operator(Protocol):
    """The port. Operators are stateless and listed in `standard.py`."""

    @property
    def name(self) -> str:
        """As shown in routes: `qpdf`, `pillow`, `7-zip`. An engine may have the same name."""
        ...

    @property
    def abilities(self) -> Sequence[Ability]:
        """What it can do, as data."""
        ...

    def check(self) -> Availability:
        """Look whether all that it needs is installed; fast (no heavy import), may be called often."""
        ...

    async def operate(self, work: Errand) -> Sequence[Made]:
        """Carry it out; the products in reading order, all inside `work.out`, at least one.

        More than one only if the ability is `many`. Each is checked as an engine's is: a plain file, of the target's
        type (unless that is `ANY`), opened by a reader that did not make it.
        """
        ...


def same_format(operation: str, sources: Sequence[FormatId], *, cost: int, **declared: Any) -> tuple[Ability, ...]:
    """An ability for each of these formats that gives the format it takes; `declared` are `Ability`'s other fields."""
    return tuple(Ability(source, source, cost, operation=operation, **declared) for source in sources)


def _not_for_this_file(ability: Ability, refusal: str | None) -> InvalidOptions | None:
    """The refusal of an option whose value fits no file like this one."""
    name = (refusal or "").removeprefix(_OPTION)
    if name == refusal or name not in ability.options:
        return None
    detail = f"The value of {name} does not fit this file. {ability.options[name].get('description', '')}".strip()
    return InvalidOptions(detail, errors=(FieldError(f"/options/{name}", detail),))


__all__ = [
    "ANY",
    "MAX_INPUTS",
    "OPERATIONS",
    "SUMMARIES",
    "Ability",
    "Availability",
    "Errand",
    "Loss",
    "Made",
    "Operator",
    "same_format",
]
