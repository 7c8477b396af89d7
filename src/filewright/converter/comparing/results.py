"""What an engine made of a folder of files, kept so that a later version can be held against it.

A set is a directory: `results.json`, and the products in `products/`. What another version of Filewright saved is read
as far as it is understood; what cannot be, is refused with a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

_LIST = "results.json"
_PRODUCTS = "products"
_FORMAT = 1


class NotASavedSet(Exception):
    """The directory does not hold what `--save` writes."""


@dataclass(frozen=True)
class Result:
    """What came of one file."""

    source: str
    """Its path below the folder."""
    sha256: str
    """Of the file."""
    target: str
    seconds: float
    code: str = ""
    """Why it failed; empty for a product."""
    detail: str = ""
    products: int = 0
    bytes: int = 0
    """Of all its products together."""
    digest: str = ""
    """SHA-256 of the first product."""
    pages: int | None = None
    text_recall: float | None = None
    """Of the file's words, the part that is in the product, where that was measured."""
    product: str = ""
    """The first product, below the set."""

    @property
    def failed(self) -> bool:
        return bool(self.code)


@dataclass(frozen=True)
class ResultSet:
    """An engine's results in one version."""

    engine: str
    version: str
    results: Mapping[str, Result] = field(default_factory=dict)
    """By source."""
    folder: Path = Path()
    """Where `product` of each is below."""

    def product_of(self, result: Result) -> Path:
        """Raises NotASavedSet for one that is not there."""
        path = self.folder / result.product
        if not path.resolve().is_relative_to((self.folder / _PRODUCTS).resolve()) or not path.is_file():
            raise NotASavedSet(f"{self.folder}: the product of {result.source} is missing")
        return path

    def write(self) -> None:
        """The list; the products are there already."""
        head = {"format": _FORMAT, "engine": self.engine, "version": self.version}
        whole = {**head, "results": [asdict(result) for result in self.results.values()]}
        text = json.dumps(whole, ensure_ascii=False, indent=1)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / _LIST).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises NotASavedSet."""
        try:
            told = json.loads((folder / _LIST).read_text(encoding="utf-8"))
            if told["format"] != _FORMAT:
                raise NotASavedSet(f"{folder}: saved in a form that this version does not know")
            results = [_result(entry) for entry in told["results"]]
            return cls(str(told["engine"]), str(told["version"]), {one.source: one for one in results}, folder)
        except (OSError, ValueError, KeyError, TypeError):
            raise NotASavedSet(f"{folder} holds no results that `--save` wrote") from None


def place_for(folder: Path, number: int, extension: str) -> str:
    """What the n-th product is called in a set; the directory is made."""
    (folder / _PRODUCTS).mkdir(parents=True, exist_ok=True)
    return f"{_PRODUCTS}/{number:05}.{extension}"


def is_taken(folder: Path) -> bool:
    """Whether there is something already that a set would be mixed with."""
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def _result(entry: Mapping[str, Any]) -> Result:
    known: Sequence[str] = [one.name for one in fields(Result)]
    return Result(**{name: entry[name] for name in known if name in entry})
