"""Secrets that nobody can guess, lying where a hostile file would look, and a search that finds them in anything.

A product is looked through as a thief would look: raw, with every container opened, every compressed stream of every
kind inflated wherever it begins, base64 and hexadecimal undone, PDF taken apart by qpdf and read out by poppler.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import io
import lzma
import re
import secrets
import subprocess
import tarfile
import tempfile
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

VARIABLE = "HOSTILE_SECRET"
_MOST_BYTES = 32 << 20
_MOST_STREAMS = 400
_DEEPEST = 4
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4}[\r\n ]*){8,}[A-Za-z0-9+/=]{0,4}")
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")


def _secret() -> str:
    return secrets.token_hex(12)


@dataclass
class Planted:
    """`paths` by the name of the place; `values` holds one secret for each place, and for the environment."""

    folder: Path
    jobs_dir: Path
    sibling: Path
    values: dict[str, str] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: f"pwned-{secrets.token_hex(6)}")
    """In the name of every file that an attack tries to write; found anywhere, it is proof."""

    def __post_init__(self) -> None:
        self._plant("passwd", self.folder / "passwd", "root:x:0:0:{}:/root:/bin/sh\n")
        self._plant("temp", Path(tempfile.gettempdir()) / f"{self.mark}-temp.txt", "{}\n")
        self._plant("sibling", self.sibling / "in" / "input.txt", "{}\n")
        self._plant("beside", self.jobs_dir / "canary.txt", "{}\n")
        self._plant(
            "picture", self.folder / "canary.svg", '<svg xmlns="http://www.w3.org/2000/svg"><text>{}</text></svg>'
        )
        self._plant("table", self.folder / "canary.csv", "a,b\n{},1\n")
        self.values["environment"] = _secret()

    def _plant(self, place: str, path: Path, text: str) -> None:
        self.values[place] = _secret()
        path.write_text(text.format(self.values[place]))
        self.paths[place] = path

    @property
    def file(self) -> Path:
        return self.paths["passwd"]

    def written(self) -> list[Path]:
        """Files that an attack managed to leave where it may not write."""
        places = {self.folder, self.jobs_dir, self.sibling, self.sibling / "out", Path(tempfile.gettempdir()),
                  Path.cwd(), Path.home(), Path("/"), Path("/var/tmp"), Path("/dev/shm"), Path("/etc")}  # fmt: skip
        return [path for place in places for path in place.glob(f"*{self.mark}*") if path not in self.paths.values()]

    def remove(self) -> None:
        for path in self.paths.values():
            path.unlink(missing_ok=True)

    def found_in(self, data: bytes) -> list[str]:
        """Names of the places whose secret is in it, in whatever dress."""
        return sorted({name for shape in shapes(data) for name in self._plain(shape)})

    def found_in_file(self, path: Path) -> list[str]:
        return self.found_in(path.read_bytes()[:_MOST_BYTES])

    def _plain(self, data: bytes) -> Iterator[str]:
        bare = re.sub(rb"[\x00\s]+", b"", data).lower()
        for name, value in self.values.items():
            if value.encode() in bare or value.encode().hex().encode() in bare:
                yield name


def shapes(data: bytes, depth: int = 0) -> Iterator[bytes]:
    """The bytes themselves, then all that can be unpacked from them."""
    data = data[:_MOST_BYTES]
    yield data
    if b"%" in data[:1_000_000]:
        yield urllib.parse.unquote_to_bytes(data[:1_000_000])
    if depth >= _DEEPEST:
        return
    if data.startswith(b"%PDF"):
        yield from _pdf(data)
    for inner in (*_members(data), *_streams(data), *_base64(data)):
        yield from shapes(inner, depth + 1)


def _members(data: bytes) -> list[bytes]:
    if data[:2] == b"PK":
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as package:
                return [package.read(info)[:_MOST_BYTES] for info in package.infolist()[:_MOST_STREAMS]]
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error, EOFError):
            return []
    unpackers = {b"BZh": bz2.decompress, b"\xfd7zXZ": lzma.decompress}
    for magic, unpack in unpackers.items():
        if data.startswith(magic):
            return [unpack(data)]
    if data[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            return [opened.read() for member in archive if (opened := archive.extractfile(member))]
    return []


def _streams(data: bytes) -> Iterator[bytes]:
    """Everything zlib or gzip, wherever it begins."""
    starts = [match.start() for match in _ZLIB.finditer(data)]
    if data.startswith(b"\x1f\x8b"):
        starts.append(0)
    for start in starts[:_MOST_STREAMS]:
        try:
            inner = zlib.decompressobj(wbits=47).decompress(data[start:], _MOST_BYTES)
        except zlib.error:
            continue
        if inner:
            yield inner


def _base64(data: bytes) -> Iterator[bytes]:
    for match in list(_BASE64.finditer(data))[:_MOST_STREAMS]:
        text = re.sub(rb"[\r\n ]", b"", match[0])
        try:
            yield base64.b64decode(text[: len(text) // 4 * 4])
        except binascii.Error:
            continue


def _pdf(data: bytes) -> Iterator[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        source, plain = Path(folder, "a.pdf"), Path(folder, "b.pdf")
        source.write_bytes(data)
        subprocess.run(["qpdf", "--qdf", "--object-streams=disable", source, plain], capture_output=True, check=False)
        if plain.is_file():
            yield plain.read_bytes()
        yield subprocess.run(["pdftotext", source, "-"], capture_output=True, check=False).stdout
        subprocess.run(["pdfdetach", "-saveall", "-o", folder, source], capture_output=True, check=False)
        for attached in Path(folder).iterdir():
            if attached not in {source, plain}:
                yield attached.read_bytes()
