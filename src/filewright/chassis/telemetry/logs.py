"""Logs are events with fields: `log.info("attempt_finished", job_id=…, seconds=…)`, one line each, on stderr.

JSON lines for machines, colours for a person at a terminal. Request and job ids ride along by context variable. No
secret and no forged line gets out: values under a telling key are masked, credentials inside addresses as well, and
whatever could break out of its line is escaped. What the libraries log (uvicorn, SQLAlchemy) takes the same way.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Final, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

MASK: Final = "[redacted]"
_SECRET_KEY = re.compile(
    r"passw|secret|token|authori[sz]ation|cookie|credential|api[_-]?key|private[_-]?key|signature", re.IGNORECASE
)
_USERINFO = re.compile(r"(?<=://)[^/\s@]*:[^/\s@]*(?=@)")
_BEARER = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]+", re.IGNORECASE)
_LINE_BREAKS = {ord(char): f"\\u{ord(char):04x}" for char in "\x85\u2028\u2029"}
_DEPTH = 6
_context: ContextVar[Mapping[str, object]] = ContextVar("log_context", default={})  # noqa: B039 - never changed in place
# Without the values of local variables: they hold whatever a caller sent.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=30)
)


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger whose lines carry `logger=name`. Safe to make at import, before `configure_logs`."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


class log_context:  # noqa: N801 - read as a function: `with log_context(job_id=…):`
    """Every line logged in this block (and in tasks started in it) carries these fields: `request_id`, `job_id`.

    One variable that holds them all, not one for each as structlog has them: every request enters such a block.
    """

    def __init__(self, **fields: object) -> None:
        self._fields = fields

    def __enter__(self) -> None:
        self._before = _context.set({**_context.get(), **self._fields})

    def __exit__(self, *_: object) -> None:
        _context.reset(self._before)


def said_of(name: str) -> str | None:
    """What `log_context` says of that field here and now."""
    value = _context.get().get(name)
    return None if value is None else str(value)


def configure_logs(
    style: Literal["json", "console"] = "json", level: str = "INFO", *, stream: TextIO | None = None
) -> None:
    """Set up the process's logging; called once by the entry point, again by tests.

    Without `stream`, lines go to what `sys.stderr` is when they are written.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    output = _Output(stream)
    shared: list[Processor] = [
        _with_context,
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Processor] = (
        [_TRACEBACKS, redact, structlog.processors.JSONRenderer(_json)]
        if style == "json"
        else [redact, _printable, structlog.dev.ConsoleRenderer(colors=output.isatty())]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda name="", *_: _LineLogger(output, name),
        cache_logger_on_first_use=False,
    )
    _take_over_stdlib(shared, last, output, threshold)


def _with_context(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {**_context.get(), **event}


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask secrets, by the name of their key or by the look of an address or header."""
    return {key: MASK if _is_secret(key) else _masked(value, _DEPTH) for key, value in event.items()}


@lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _masked(value: object, depth: int) -> object:
    if isinstance(value, str):
        return _masked_text(value)
    if depth and isinstance(value, Mapping):
        return {str(key): MASK if _is_secret(str(key)) else _masked(inner, depth - 1) for key, inner in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_masked(inner, depth - 1) for inner in value]
    return value


def _masked_text(text: str) -> str:
    if "://" in text:
        text = _USERINFO.sub(MASK, text)
    return _BEARER.sub(rf"\1 {MASK}", text) if len(text.split(None, 1)) > 1 else text


def _printable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """For the console only: JSON escapes by itself. Tracebacks are ours and keep their lines."""
    return {
        key: value if key in {"exception", "stack", "exc_info"} or not isinstance(value, str) else _escaped(value)
        for key, value in event.items()
    }


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _json(event: EventDict, **_options: object) -> str:
    try:
        line = orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, UnicodeEncodeError):  # a surrogate (a hostile file name), an integer past 64 bits
        line = orjson.dumps({str(key): repr(value) for key, value in event.items()}).decode()
    # JSON allows these in a text, and readers that split lines the Unicode way do not.
    return line if line.isascii() else line.translate(_LINE_BREAKS)


class _Output:
    """Where lines go. Looked up at each write, because a test or a supervisor may have replaced stderr."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        stream = self._stream or sys.stderr
        stream.write(line + "\n")
        stream.flush()

    def isatty(self) -> bool:
        return (self._stream or sys.stderr).isatty()


class _LineLogger:
    """What structlog calls at the end: every level is one write of one line."""

    def __init__(self, output: _Output, name: str) -> None:
        self._output = output
        self.name = name

    def msg(self, line: str) -> None:
        self._output.write(line)

    debug = info = warning = warn = error = critical = exception = fatal = log = msg


class _StdlibHandler(logging.Handler):
    def __init__(self, output: _Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._output.write(self.format(record))
        except Exception:  # noqa: BLE001 - the standard library's own way: logging never stops the program
            self.handleError(record)


def _take_over_stdlib(shared: list[Processor], last: list[Processor], output: _Output, threshold: int) -> None:
    handler = _StdlibHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _StdlibHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    # Libraries are quieter than we are: their INFO is about themselves.
    root.setLevel(max(threshold, logging.WARNING))
