"""Files that go with the program, served from memory: once under a name that means these very bytes, once plainly.

`/static/<digest>/app.js` may be kept for ever, because the digest is that of all files of the folder: another version
of any file is another address, and modules that name one another relatively always fit together. `/static/app.js` is
the same file for whoever cannot know the digest, kept for minutes. Each file is made small once: what a browser has no
use for (comments, indentation) is left out of scripts and styles at the start, and what is left is compressed when it
is first asked for, with Brotli for those who take it (all browsers do, over TLS) and with gzip for the others.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from importlib.resources.abc import Traversable

import brotli
import rcssmin
import rjsmin
from starlette.requests import Request
from starlette.responses import Response

from filewright.chassis.web.preferences import accepts_coding, etag_matches

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


_CODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "br": lambda body: brotli.compress(body, quality=9),  # more takes twenty times as long, for two in a hundred
    "gzip": lambda body: gzip.compress(body, 9, mtime=0),
}
"""Best first."""


class _File:
    """One file, and its packed forms as they come to be wanted."""

    def __init__(self, media_type: str, body: bytes) -> None:
        self.media_type = media_type
        self.body = body
        self.digest = hashlib.sha256(body).hexdigest()[:32]
        self._packed: dict[str, bytes] = {}

    def packed_for(self, accepted: str | None) -> tuple[str, bytes] | None:
        """The best form that is accepted, and its name; None where that is the plain one."""
        for coding, pack in _CODINGS.items():
            if accepts_coding(accepted, coding):
                if coding not in self._packed:
                    self._packed[coding] = pack(self.body)
                short = self._packed[coding]
                return (coding, short) if len(short) < len(self.body) else None
        return None


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
        packed = file.packed_for(request.headers.get("accept-encoding"))
        headers = {
            "Cache-Control": FOR_EVER if lasting else FOR_MINUTES,
            "ETag": f'"{file.digest}-{packed[0]}"' if packed is not None else f'"{file.digest}"',
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if etag_matches(request.headers.get("if-none-match"), headers["ETag"]):
            return Response(status_code=304, headers=headers)
        headers["Content-Type"] = file.media_type
        if packed is None:
            return Response(file.body, headers=headers)
        headers["Content-Encoding"], body = packed
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
    return _File(TYPES[kind], body)
