"""Sit with one run: feed it, listen to it, and write down how it ended."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.port import Ending, Limits, Outcome, SandboxUnavailable, Usage
from filewright.chassis.sandbox.starting import Pipes, StartedChild
from filewright.chassis.sandbox.streams import Lines, Reader, Writer
from filewright.chassis.sandbox.supervision import Exit, Supervision

_LONGEST_ANSWER = 16 << 20
_REFUSAL = re.compile(r"[a-z_]{1,64}")
_BY_SIGNAL = {signal.SIGXCPU: Ending.CPU_LIMIT, signal.SIGXFSZ: Ending.WRITE_LIMIT}


@dataclass(frozen=True)
class Terms:
    """What was agreed on for a run."""

    workspace: Path
    limits: Limits
    cancel: asyncio.Event | None = None
    on_line: Callable[[bytes], None] | None = None
    on_progress: Callable[[float], None] | None = None


async def attend_command(child: StartedChild, pipes: Pipes, terms: Terms, stdin: bytes) -> Outcome:
    """See a `Command` through to its end. Closes `child` and `pipes`."""
    with ExitStack() as stack:
        stack.callback(child.close)
        run = Supervision(child, terms.limits, terms.workspace, terms.cancel)
        lines = Lines(terms.on_line) if terms.on_line is not None else None
        stdout, stderr = _listen(stack, run, pipes, terms.limits, lines)
        stack.callback(Writer(pipes.stdin, stdin).close)
        await run.until_over()
        stdout.finish()
        stderr.finish()
        if lines is not None:
            lines.flush()
        exit_ = await child.exit()
        if not child.was_started and run.verdict is None and exit_.signal is None:
            raise SandboxUnavailable(f"the program did not start: {stderr.data[-500:].decode(errors='replace')}")
        return _outcome(run, exit_, _ending(run, child, exit_), stdout, stderr)


async def attend_call(child: StartedChild, pipes: Pipes, terms: Terms, talk: int, order: dict[str, Any]) -> Outcome:
    """See a `PythonCall` through to its end. Closes `child`, `pipes` and the socket `talk`."""
    with ExitStack() as stack:
        stack.callback(child.close)
        run = Supervision(child, terms.limits, terms.workspace, terms.cancel)
        answer = _Answer(terms.on_progress or (lambda _: None))
        stdout, stderr = _listen(stack, run, pipes, terms.limits, None)
        lines = Lines(answer.take, longest=_LONGEST_ANSWER)

        def heard(data: bytes) -> None:
            run.alive()
            lines.feed(data)

        stack.callback(Writer(pipes.stdin, b"").close)
        stack.callback(Writer(os.dup(talk), json.dumps(order).encode() + b"\n").close)
        ears = Reader(
            talk, limit=_LONGEST_ANSWER, keep=False, on_data=heard, on_excess=lambda: run.end(Ending.OUTPUT_LIMIT)
        )
        stack.callback(ears.close)
        await run.until_over()
        for reader in (ears, stdout, stderr):
            reader.finish()
        exit_ = await child.exit()
        outcome = _outcome(run, exit_, _call_ending(run, child, exit_, answer), stdout, stderr)
        return outcome if run.verdict is not None else answer.added_to(outcome)


class _Answer:
    """What the child of a call said. It may say anything."""

    def __init__(self, on_progress: Callable[[float], None]) -> None:
        self._on_progress = on_progress
        self._best = -1.0
        self._value: Any = None
        self._refusal: str | None = None
        self.final: str | None = None
        """`value`, `refusal`, `memory` or `error`; None when it gave no answer that makes sense."""

    def take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            for kind in ("progress", "value", "refusal", "memory", "error"):
                if kind in message:
                    self._note(kind, message[kind])
                    return
        except (ValueError, TypeError, RecursionError):
            return

    def _note(self, kind: str, content: Any) -> None:
        if kind == "progress":
            fraction = min(1.0, max(0.0, float(content)))
            if fraction > self._best:
                self._best = fraction
                self._on_progress(fraction)
            return
        self.final = kind
        if kind == "value":
            self._value = content
        elif kind == "refusal" and isinstance(content, str) and _REFUSAL.fullmatch(content):
            self._refusal = content

    def added_to(self, outcome: Outcome) -> Outcome:
        """The outcome with the answer in it."""
        return Outcome(
            outcome.ending,
            outcome.exit_code,
            outcome.signal,
            outcome.usage,
            outcome.untrusted_stdout,
            outcome.untrusted_stderr,
            self._value,
            self._refusal,
        )


def _listen(
    stack: ExitStack, run: Supervision, pipes: Pipes, limits: Limits, lines: Lines | None
) -> tuple[Reader, Reader]:
    def heard(data: bytes) -> None:
        run.alive()
        if lines is not None:
            lines.feed(data)

    def excess() -> None:
        run.end(Ending.OUTPUT_LIMIT)

    stdout = Reader(pipes.stdout, limit=limits.output_bytes, on_data=heard, on_excess=excess)
    stderr = Reader(pipes.stderr, limit=limits.output_bytes, on_data=lambda _: run.alive(), on_excess=excess)
    stack.callback(stdout.close)
    stack.callback(stderr.close)
    return stdout, stderr


def _call_ending(run: Supervision, child: StartedChild, exit_: Exit, answer: _Answer) -> Ending:
    if run.verdict is None and answer.final == "memory":
        return Ending.MEMORY_LIMIT
    if run.verdict is None and answer.final in {"error", "refusal"}:
        return Ending.FAILED
    ending = _ending(run, child, exit_)
    if ending in {Ending.COMPLETED, Ending.FAILED} and answer.final != "value":
        return Ending.CRASHED  # it left by a back door, such as os._exit in a library
    return ending


def _ending(run: Supervision, child: StartedChild, exit_: Exit) -> Ending:
    if run.verdict is not None:
        return run.verdict
    if child.was_out_of_memory():
        return Ending.MEMORY_LIMIT
    if exit_.signal is None:
        return Ending.COMPLETED if exit_.code == 0 else Ending.FAILED
    if exit_.signal == signal.SIGKILL and _cpu_seconds(run, exit_) >= run.limits.cpu_seconds:
        return Ending.CPU_LIMIT  # the kernel was faster than the watchdog
    if exit_.signal == signal.SIGKILL and run.machine_ran_out_of_memory():
        return Ending.MEMORY_LIMIT  # somebody's process was ended for it meanwhile, most likely this one
    return _BY_SIGNAL.get(signal.Signals(exit_.signal), Ending.CRASHED)


def _outcome(run: Supervision, exit_: Exit, ending: Ending, stdout: Reader, stderr: Reader) -> Outcome:
    usage = Usage(
        run.wall_seconds,
        _cpu_seconds(run, exit_),
        max(exit_.max_rss_bytes, run.watched.memory_bytes),
    )
    return Outcome(ending, exit_.code, exit_.signal, usage, stdout.data, stderr.data)


def _cpu_seconds(run: Supervision, exit_: Exit) -> float:
    return max(exit_.cpu_seconds, run.watched.cpu_seconds)
