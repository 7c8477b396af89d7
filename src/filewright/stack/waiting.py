"""Waiting until what is wanted is so, while telling what happens; giving up with the reason when there is no hope."""

from __future__ import annotations

import time
from collections.abc import Iterable

from filewright.stack.errors import StackProblem
from filewright.stack.layout import Layout
from filewright.stack.plan import Plan, Service
from filewright.stack.processes import is_running
from filewright.stack.state import Stage, State, read_state
from filewright.stack.supervising import LOOK_SECONDS, Report, bury

_HOPELESS_DEATHS = 3
_TAIL_LINES = 15


def wait_until_true(layout: Layout, plan: Plan, seconds: float, report: Report) -> None:
    """Raises StackProblem when it takes longer, or can not become true."""
    deadline = time.monotonic() + seconds
    told = {name: str(known.stage) for name, known in read_state(layout).processes.items()}
    while True:
        state = read_state(layout)
        if state.supervisor is None or not is_running(state.supervisor):
            state = State()  # what a dead one said is over
        _tell(state, told, report)
        if state.revision >= plan.revision:
            if state.halted:
                raise StackProblem(state.halted)
            if state.front_knows and all(_is_ready(state, service) for service in plan.services):
                return
        _check_hope(layout, state)
        if time.monotonic() > deadline:
            late = [service.name for service in plan.services if not _is_ready(state, service)]
            raise StackProblem(f"Not ready after {seconds:g} s: {', '.join(late)}.{_tails(layout, late)}")
        time.sleep(LOOK_SECONDS)


def _tell(state: State, told: dict[str, str], report: Report) -> None:
    """Report each process that is now ready, ended or died."""
    for name, known in state.processes.items():
        if known.stage in {Stage.READY, Stage.BACKING_OFF, Stage.UNWELL} and told.get(name) != known.stage:
            report(f"{name}: {known.stage}{f' ({known.detail})' if known.detail else ''}")
        told[name] = known.stage


def _check_hope(layout: Layout, state: State) -> None:
    dying = [name for name, known in state.processes.items() if known.failures >= _HOPELESS_DEATHS]
    if dying:
        reasons = "; ".join(f"{name}: {state.processes[name].detail}" for name in dying)
        raise StackProblem(f"{reasons}.{_tails(layout, dying)}")
    if any(bury()):
        raise StackProblem(f"The supervisor died.{_tails(layout, ['supervisor'])}")


def _tails(layout: Layout, names: Iterable[str]) -> str:
    """The last lines of these logs, for a message."""
    found = ""
    for name in names:
        log = layout.log(name)
        if log.is_file() and (text := log.read_text(encoding="utf-8", errors="replace").strip()):
            lines = "\n  ".join(text.splitlines()[-_TAIL_LINES:])
            found += f"\n{log}:\n  {lines}"
    return found


def _is_ready(state: State, service: Service) -> bool:
    known = state.processes.get(service.name)
    return known is not None and known.stage in {Stage.READY, Stage.DONE} and known.digest in {"", service.digest}
