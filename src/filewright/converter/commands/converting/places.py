"""Where results go: what the arguments mean, and how a file appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filewright.converter.commands.exits import UsageProblem

STANDARD = "-"


@dataclass(frozen=True)
class Request:
    """What the arguments ask for."""

    sources: tuple[str, ...]
    to: str
    """A format id, an extension or a media type, as typed."""
    file: Path | None = None
    """Where the one result should be called so."""
    directory: Path | None = None
    """Where all results should go; None with no file: each beside its source."""
    to_stdout: bool = False


def understand(paths: Sequence[str], to: str | None) -> Request:
    """`SRC --to FMT`, `SRC DST`, `SRC DST --to FMT`, `SRC… DIR --to FMT`; raises UsageProblem for anything else."""
    *before, last = paths
    if to is None:
        return _by_destination(before, last)
    if not before:
        return Request((last,), to, to_stdout=last == STANDARD)
    if last == STANDARD:
        if len(before) > 1:
            raise UsageProblem("Standard output takes the result of one source. Name a directory for several.")
        return Request(tuple(before), to, to_stdout=True)
    if Path(last).is_dir() or last.endswith(os.sep):
        return Request(tuple(before), to, directory=Path(last))
    if len(before) > 1:
        raise UsageProblem(f"Several sources need a directory as the last argument; {last!r} is none.")
    return Request((before[0],), to, file=Path(last))


def _by_destination(before: Sequence[str], last: str) -> Request:
    if not before:
        raise UsageProblem("Say what it should become: a destination such as report.pdf, or --to pdf.")
    if len(before) > 1:
        raise UsageProblem("Several sources need --to FORMAT and a directory as the last argument.")
    if last == STANDARD or Path(last).is_dir() or last.endswith(os.sep):
        raise UsageProblem(f"With {last!r} as the destination, say the format: --to FORMAT.")
    from filewright.converter.formats.catalogue import by_filename  # noqa: PLC0415 - keeps --help quick

    found = by_filename(Path(last).name)
    if found is None:
        ending = Path(last).suffix
        hint = f"{ending!r} is the ending of no known format" if ending else "it has no ending"
        raise UsageProblem(f"What should {last!r} be? Its name does not say ({hint}). Add --to FORMAT.")
    return Request((before[0],), found.id, file=Path(last))


def check_source(source: str) -> None:
    """Raise UsageProblem when there is no readable file."""
    if source == STANDARD:
        return
    path = Path(source)
    if path.is_dir():
        raise UsageProblem("It is a directory. Name the files in it.")
    if not path.exists():
        raise UsageProblem("There is no such file.")
    if not os.access(path, os.R_OK):
        raise UsageProblem("It may not be read by this user.")


def destinations(request: Request, source: str, names: Sequence[str]) -> list[Path]:
    """Where each product of this source goes."""
    if request.file is not None:
        return _numbered(request.file, len(names))
    directory = request.directory or (Path() if source == STANDARD else Path(source).parent)
    return [directory / name for name in names]


def _numbered(file: Path, count: int) -> list[Path]:
    if count == 1:
        return [file]
    width = len(str(count))
    return [file.with_name(f"{file.stem}-{number:0{width}d}{file.suffix}") for number in range(1, count + 1)]


def refuse_to_overwrite(places: Sequence[Path], sources: Sequence[str], *, force: bool) -> None:
    """Raise UsageProblem when a place is taken (and `force` is off), or is a source itself (whatever `force` is)."""
    for place in places:
        if place.exists() and any(source != STANDARD and place.samefile(source) for source in sources):
            raise UsageProblem(f"{place} is the source itself. Name another destination.")
        if place.is_dir():
            raise UsageProblem(f"{place} is a directory.")
        if not force and (place.exists() or place.is_symlink()):
            raise UsageProblem(f"{place} is there already. Use --force to replace it, or name another destination.")
        if not place.parent.is_dir():
            raise UsageProblem(f"There is no directory {place.parent}.")


def place(products: Sequence[Path], places: Sequence[Path], *, force: bool) -> None:
    """Put each product in its place, all of them or none. Nobody ever sees half a file there."""
    with contextlib.ExitStack() as waiting:
        parts = [waiting.enter_context(_part(product, where)) for product, where in zip(products, places, strict=True)]
        placed: list[Path] = []
        try:
            for part, where in zip(parts, places, strict=True):
                _appear(part, where, force=force)
                placed.append(where)
        except BaseException:
            if not force:
                for where in placed:
                    where.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _part(product: Path, where: Path) -> Iterator[Path]:
    """A complete copy under a name that nobody looks for, on the file system where it is wanted."""
    part = where.with_name(f".{where.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        with product.open("rb") as source, part.open("xb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
        yield part
    finally:
        part.unlink(missing_ok=True)


def _appear(part: Path, where: Path, *, force: bool) -> None:
    if force:
        part.replace(where)
        return
    try:
        os.link(part, where)
    except FileExistsError:
        raise UsageProblem(f"{where} appeared meanwhile. Use --force to replace it.") from None
    except OSError:  # a file system without links: the check before is the best there is
        part.replace(where)


def write_stdout(product: Path) -> None:
    """All of it to standard output."""
    with product.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
    sys.stdout.buffer.flush()


def read_stdin(into: Path) -> None:
    """All of standard input into a new file."""
    with into.open("xb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
