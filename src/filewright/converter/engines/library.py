"""An engine that is one function of ours driving Python libraries: declared as data, run inside the sandbox.

Many engines differ only in their conversions, the packages they need and the function that does the work. They are
instances of `LibraryEngine`. The function lives in `engines.inside` and is called as

    convert(report=..., source="in/input.csv", source_format="csv", target="parquet", options={...}, password=None)

with the workspace as working directory; it writes into `out/` and returns the names of what it wrote there, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from filewright.converter.engines.port import Availability, Conversion, Work
from filewright.converter.errors import OutputInvalid


@dataclass(frozen=True)
class LibraryEngine:
    """`packages` are the distributions it needs; the first is the one whose version is shown."""

    name: str
    packages: tuple[str, ...]
    function: str
    conversions: Sequence[Conversion]
    warm: tuple[str, ...] = ()

    def check(self) -> Availability:
        """Look for the packages' metadata; nothing is imported."""
        return check_packages(*self.packages)

    async def convert(self, work: Work) -> Sequence[Path]:
        """Call the function in the sandbox and take the files it names."""
        untrusted_names = await work.python(
            self.function,
            warm=self.warm,
            source=work.inside(work.source),
            source_format=work.conversion.source,
            target=work.conversion.target,
            options=dict(work.options),
            password=work.password,
        )
        return products(work, untrusted_names)


def products(work: Work, untrusted_names: Any) -> Sequence[Path]:
    """The files in `out/` of these names; what is not a plain name of a real file there is not believed."""
    if not isinstance(untrusted_names, list) or not untrusted_names:
        raise OutputInvalid
    return [_product(work.out, name) for name in untrusted_names]


def _product(out: Path, untrusted_name: Any) -> Path:
    if not isinstance(untrusted_name, str) or PurePosixPath(untrusted_name).name != untrusted_name:
        raise OutputInvalid
    path = out / untrusted_name
    if path.is_symlink() or not path.is_file():
        raise OutputInvalid
    return path


@cache
def check_packages(*names: str) -> Availability:
    """Whether these distributions are installed. Asked once: packages do not come and go under a running process."""
    missing = [name for name in names if _version(name) is None]
    if missing:
        return Availability(available=False, missing=", ".join(missing), install=f"pip install {' '.join(missing)}")
    return Availability(available=True, version=_version(names[0]) or "")


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def every_pair(sources: Iterable[str], targets: Iterable[str], **declared: Any) -> tuple[Conversion, ...]:
    """A conversion for each source and each other target; `declared` are the rest of `Conversion`'s fields."""
    wanted = tuple(targets)
    return tuple(Conversion(source, target, **declared) for source in sources for target in wanted if source != target)


def one_of(*values: str, default: str, description: str) -> Mapping[str, Any]:
    """The schema of an option that takes one of some words."""
    return {"type": "string", "enum": list(values), "default": default, "description": description}
