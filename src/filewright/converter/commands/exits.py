"""Exit codes and how a failure is said: what failed, why, and what to do. One sentence each, on standard error."""

from __future__ import annotations

from enum import IntEnum

import typer

from filewright.chassis.errors import ProblemError
from filewright.converter.errors import conversion_errors


class Exit(IntEnum):
    """What the process ends with."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    UNSUPPORTED = 3
    BAD_FILE = 4
    LIMIT = 5
    MISSING = 6
    INTERRUPTED = 130


CODES_EPILOG = (
    "Exit codes: 0 done · 1 internal error · 2 wrong usage · 3 unsupported format or conversion · 4 the file is at "
    "fault · 5 a limit or timeout · 6 an engine is not installed. Several sources: the highest of their codes."
)


class UsageProblem(Exception):
    """The command was given something that it cannot work with."""

    code = "invalid_request"
    exit_code = Exit.USAGE


class RemoteProblem(Exception):
    """The server refused, or the job there failed."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        self.exit_code = exit_code_of(code)
        super().__init__(detail)


def exit_code_of(code: str) -> int:
    """The exit code for a stable problem code; codes that only a server has are internal or usage."""
    kind = conversion_errors().get(code)
    if kind is not None:
        return kind.exit_code
    return Exit.USAGE if code in {"invalid_request", "not_found", "unauthenticated", "forbidden"} else Exit.INTERNAL


def described(error: Exception) -> tuple[str, str, int]:
    """Code, detail and exit code of anything that a conversion may raise."""
    if isinstance(error, UsageProblem | RemoteProblem):
        return error.code, str(error), error.exit_code
    if isinstance(error, ProblemError):
        return error.code, error.detail, getattr(error, "exit_code", Exit.INTERNAL)
    if isinstance(error, OSError):
        return "internal", f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), Exit.INTERNAL
    return "internal", f"Something went wrong on our side ({type(error).__name__}: {error}).", Exit.INTERNAL


def complain(name: str, detail: str, code: str) -> None:
    """Say it on standard error."""
    typer.echo(f"{printable(name)}: {printable(detail)} [{code}]", err=True)


def printable(text: str) -> str:
    """Without what would move a terminal's cursor or turn its text around."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
