"""Multipart forms read straight off the wire: one file that is streamed, and a few small fields, in any order.

No temporary file, no second copy, bounded in everything a stranger can choose: parts, headers, field sizes, and what
stands between and after the parts.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from filewright.chassis.errors import FieldError, ProblemError
from filewright.chassis.web.body import body_too_large, declared_length
from filewright.chassis.web.problems import InvalidRequest, UnsupportedMediaType, invalid

T = TypeVar("T")

# It warns of every broken form; whoever sends them could fill the log. We answer instead.
logging.getLogger("python_multipart").setLevel(logging.ERROR)

MAX_PARTS = 16
MAX_PART_HEADERS = 8
MAX_HEADER_BYTES = 16 << 10
MAX_OVERHEAD = 256 << 10
"""Everything of the body that is not the file's bytes: fields, headers, boundaries, what follows the last one."""


@dataclass(frozen=True)
class FilePart:
    """The head of the file part. The name is what the client said: opaque text."""

    filename: str
    media_type: str


@dataclass(frozen=True)
class Form(Generic[T]):
    """A form that was read to its end. `file` is what the receiver of the file gave back."""

    fields: Mapping[str, str]
    file: T


@dataclass
class _Begin:
    name: str
    filename: str | None
    media_type: str


@dataclass
class _Data:
    piece: bytes | bytearray


class _End:
    """The part is over."""


class _Finished:
    """The closing boundary came."""


_Event = _Begin | _Data | _End | _Finished


async def read_form(
    request: Request,
    *,
    file_field: str,
    fields: Mapping[str, int],
    receive_file: Callable[[FilePart, AsyncIterator[bytes], Mapping[str, str]], Awaitable[T]],
    max_file_bytes: int,
    too_large: ProblemError,
) -> Form[T]:
    """Read the whole form. `fields` maps each known field to its largest size in bytes; others are refused.

    `receive_file` is called once, with the fields that came before, and must read its pieces to the end. Raises
    InvalidRequest with a pointer per fault, or `too_large` as soon as the file passes its limit. When this raises
    after `receive_file` has returned, what it stored is the caller's to remove.
    """
    boundary = _boundary(request)
    if (declared_length(request) or 0) > max_file_bytes + MAX_OVERHEAD:
        raise too_large
    stream = _Stream(request, boundary, max_file_bytes, too_large)
    values: dict[str, str] = {}
    received: list[T] = []
    while True:
        event = await stream.next()
        if isinstance(event, _Finished):
            break
        if not isinstance(event, _Begin):
            continue
        if event.name == file_field:
            if received:
                raise _twice(file_field)
            part = FilePart(event.filename or "", event.media_type)
            received.append(await receive_file(part, stream.file(), values))
        else:
            _admit(event.name, fields, values)
            values[event.name] = await stream.text(event.name, fields[event.name])
    await stream.drain()
    if not received:
        raise invalid(f"/{file_field}", f"There is no file: send one in the form field `{file_field}`.")
    return Form(values, received[0])


def _admit(name: str, fields: Mapping[str, int], values: Mapping[str, str]) -> None:
    if name not in fields:
        known = ", ".join(sorted(fields))
        raise invalid("/" + name[:64].replace("~", "~0").replace("/", "~1"), f"No such field. Known are: {known}.")
    if name in values:
        raise _twice(name)


def _twice(name: str) -> InvalidRequest:
    return invalid(f"/{name}", f"The field `{name}` came more than once.")


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        raise UnsupportedMediaType("Send a form, with `Content-Type: multipart/form-data`.")
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 200:
        raise InvalidRequest("The Content-Type names no usable boundary between the parts.")
    return boundary


@dataclass
class _PartHead:
    """Headers of the part whose head is being read."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)

    def end_header(self) -> None:
        self.headers[bytes(self.name).lower()] = bytes(self.value)
        self.name.clear()
        self.value.clear()

    def begin(self) -> _Begin:
        disposition, options = parse_options_header(self.headers.get(b"content-disposition", b""))
        name = options.get(b"name")
        if disposition != b"form-data" or not name:
            raise InvalidRequest("A part of the form has no name.")
        filename = options.get(b"filename")
        media_type = self.headers.get(b"content-type", b"").decode("latin-1")
        # Names may be in any encoding; what is not UTF-8 is kept readable rather than refused.
        return _Begin(
            name.decode(errors="replace"), None if filename is None else filename.decode(errors="replace"), media_type
        )


class _Stream:
    """The parser between the socket and the form: bytes in, events out, limits on the way."""

    def __init__(self, request: Request, boundary: bytes, max_file_bytes: int, too_large: ProblemError) -> None:
        self._pieces = request.stream()
        self._max_file = max_file_bytes
        self._too_large = too_large
        self._events: deque[_Event] = deque()
        self._head = _PartHead()
        self._parts = 0
        self._overhead = 0
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": lambda data, start, end: self._head.name.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._head.value.extend(data[start:end]),
                "on_header_end": self._on_header_end,
                "on_headers_finished": lambda: self._events.append(self._head.begin()),
                "on_part_data": self._on_part_data,
                "on_part_end": lambda: self._events.append(_End()),
                "on_end": lambda: self._events.append(_Finished()),
            },
            max_header_count=MAX_PART_HEADERS,
            max_header_size=MAX_HEADER_BYTES,
        )

    async def next(self) -> _Event:
        """The next event. Raises InvalidRequest when the body ends before the form does."""
        while not self._events:
            piece = await anext(self._pieces, None)
            if piece is None:
                raise InvalidRequest("The form ends before its closing boundary.")
            self._feed(piece)
        return self._events.popleft()

    async def file(self) -> AsyncIterator[bytes]:
        """The bytes of the part that has just begun."""
        taken = 0
        while isinstance(event := await self.next(), _Data):
            taken += len(event.piece)
            self._overhead -= len(event.piece)
            if taken > self._max_file:
                raise self._too_large
            yield event.piece if isinstance(event.piece, bytes) else bytes(event.piece)

    async def text(self, name: str, max_bytes: int) -> str:
        """The value of the field that has just begun."""
        value = bytearray()
        while isinstance(event := await self.next(), _Data):
            value += event.piece
            if len(value) > max_bytes:
                raise _field_too_large(name, max_bytes)
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise invalid(f"/{name}", f"The field `{name}` is not UTF-8 text.") from None

    async def drain(self) -> None:
        """Read what follows the closing boundary; nobody wants it, and little of it is tolerated."""
        async for piece in self._pieces:
            self._overhead += len(piece)
            self._check_overhead()

    def _feed(self, piece: bytes) -> None:
        self._overhead += len(piece)
        try:
            self._parser.write(piece)
        except FormParserError:
            raise InvalidRequest("The form is not well made: its parts, headers or boundaries are broken.") from None
        # What waits as file data has not been counted off yet; everything else counts at once.
        waiting = sum(len(event.piece) for event in self._events if isinstance(event, _Data))
        if self._overhead - waiting > MAX_OVERHEAD:
            raise body_too_large(self._max_file + MAX_OVERHEAD)

    def _check_overhead(self) -> None:
        if self._overhead > MAX_OVERHEAD:
            raise body_too_large(self._max_file + MAX_OVERHEAD)

    def _on_header_end(self) -> None:
        self._head.end_header()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        # A body full of CR LF comes in morsels of two bytes: they are gathered, or each would cost an event.
        last = self._events[-1] if self._events else None
        if not isinstance(last, _Data):
            self._events.append(_Data(data[start:end]))  # in the middle of a file that is all of it, and no copy
            return
        if isinstance(last.piece, bytes):
            last.piece = bytearray(last.piece)
        last.piece += memoryview(data)[start:end]

    def _on_part_begin(self) -> None:
        self._parts += 1
        self._head = _PartHead()
        if self._parts > MAX_PARTS:
            raise InvalidRequest(f"The form has more than {MAX_PARTS} parts.")


def _field_too_large(name: str, max_bytes: int) -> ProblemError:
    error = body_too_large(max_bytes)
    return type(error)(
        f"The field `{name}` is larger than {max_bytes} bytes.",
        errors=(FieldError(f"/{name}", f"at most {max_bytes} bytes"),),
    )
