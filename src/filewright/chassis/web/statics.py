"""Files that go with the program, served from memory: once under a name that means these very bytes, once plainly.

`/static/<digest>/app.js` may be kept for ever, because the digest is that of all files of the folder: another version
of any file is another address, and modules that name one another relatively always fit together. `/static/app.js` is
the same file for whoever cannot know the digest, kept for minutes. Each file is made small once, at the start: what a
browser has no use for (comments, indentation) is left out of scripts and styles, and the rest is compressed.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources.abc import Traversable

import rcssmin
import rjsmin
from starlette.requests import Request
from starlette.responses import Response

from filewright.chassis.web.preferences import accepts_gzip, etag_matches

TYPES: Mapping[str, str] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
    "woff2": "font/woff2",
}
"""By extension; a file of any other kind is not served."""
_SHORTENED: Mapping[str, Callable[[str], str]] = {"css": rcssmin.cssmin, "js": rjsmin.jsmin}
FOR_EVER = "public, max-age=31536000, immutable"
FOR_MINUTES = "public, max-age=300"


@dataclass(frozen=True)
class _File:
    media_type: str
    digest: str
    body: bytes
    short: bytes | None
    """Compressed, where that is worth it."""


class StaticFolder:
    """The files of a folder and of the folders in it, as they were when this was made."""

    def __init__(self, folder: Traversable, path: str = "/static") -> None:
        self._files = {name: _file(name, body) for name, body in _walk(folder)}
        self._path = path

    @cached_property
    def digest(self) -> str:
        """Of all names and all bytes."""
        whole = hashlib.sha256()
        for name, file in sorted(self._files.items()):
            whole.update(f"{name}\0{file.digest}\0".encode())
        return whole.hexdigest()[:16]

    @property
    def address(self) -> str:
        """Where the files may be kept for ever; what a page refers to."""
        return f"{self._path}/{self.digest}"

    def answer(self, request: Request, name: str) -> Response:
        """The file, for GET and HEAD; `name` is what follows the path: with the digest before it, or without."""
        first, _, rest = name.partition("/")
        lasting = first == self.digest
        file = self._files.get(rest if lasting else name)
        if file is None:
            return Response(status_code=404)
        zipped = file.short if accepts_gzip(request.headers.get("accept-encoding")) else None
        headers = {
            "Cache-Control": FOR_EVER if lasting else FOR_MINUTES,
            "ETag": f'"{file.digest}-gzip"' if zipped is not None else f'"{file.digest}"',
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if etag_matches(request.headers.get("if-none-match"), headers["ETag"]):
            return Response(status_code=304, headers=headers)
        if zipped is not None:
            headers["Content-Encoding"] = "gzip"
        body = file.body if zipped is None else zipped
        headers["Content-Type"] = file.media_type
        return Response(body, headers=headers)


def _walk(folder: Traversable, before: str = "") -> Iterator[tuple[str, bytes]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _walk(item, f"{before}{item.name}/")
        elif item.name.rpartition(".")[2] in TYPES:
            yield before + item.name, item.read_bytes()


def _file(name: str, body: bytes) -> _File:
    kind = name.rpartition(".")[2]
    if kind in _SHORTENED:
        body = _SHORTENED[kind](body.decode()).encode()
    short = gzip.compress(body, 9, mtime=0)
    return _File(
        media_type=TYPES[kind],
        digest=hashlib.sha256(body).hexdigest()[:32],
        body=body,
        short=short if len(short) < len(body) else None,
    )
