"""The compressors of one stream: gzip, bzip2, xz, Zstandard; compress(1) for reading only."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from filewright.converter.engines.inside.archives import lzw

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DAMAGE: tuple[type[BaseException], ...] = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zstd.ZstdError)
"""What the readers here raise on bytes that are not what they should be."""
STREAMS = ("gz", "bz2", "xz", "zst", "z")
_XZ_MEMORY = 512 << 20
_ZSTD_WINDOW_LOG = 27


def open_to_read(source: Path, kind: str) -> Any:
    """The content of a compressed file, as a file."""
    match kind:
        case "gz":
            return gzip.open(source, "rb")
        case "bz2":
            return bz2.open(source, "rb")
        case "xz":
            return io.BufferedReader(Pieces(_unxz(source)))
        case "zst":
            return zstd.open(source, "rb", options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG})
        case _:
            return io.BufferedReader(Pieces(lzw.decompress(source)))


def open_to_write(out: Path, kind: str) -> Any:
    """A file that compresses what is written into it. Output of the same input is the same: no time, no name."""
    match kind:
        case "gz":
            return gzip.GzipFile(str(out), "wb", compresslevel=6, mtime=0)
        case "bz2":
            return bz2.open(out, "wb", compresslevel=9)
        case "xz":
            return lzma.open(out, "wb", preset=3)
        case _:
            return zstd.open(out, "wb", level=6)


def _unxz(source: Path) -> Iterator[bytes]:
    """xz, one stream after the other, whose dictionary may not take more memory than a job has."""
    with source.open("rb") as file:
        data = file.read(1 << 16)
        while data:
            decompressor = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
            yield from _until_end(decompressor, data, file)
            data = (decompressor.unused_data or file.read(1 << 16)).lstrip(b"\0") or file.read(1 << 16).lstrip(b"\0")


def _until_end(decompressor: lzma.LZMADecompressor, data: bytes, file: IO[bytes]) -> Iterator[bytes]:
    while not decompressor.eof:
        if decompressor.needs_input and not data:
            data = file.read(1 << 16)
            if not data:
                raise EOFError
        yield decompressor.decompress(data, 1 << 20)
        data = b""


class Pieces(io.RawIOBase):
    """An iterator of bytes as a raw file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` from the piece at hand, or the next."""
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = piece
        taken = self._left[: len(buffer)]
        buffer[: len(taken)] = taken
        self._left = self._left[len(taken) :]
        return len(taken)
