"""What can be done with a stack: up, scale, restart, down, and asking how it is.

Each command changes what is wanted, tells the supervisor, and waits until it is so. One command at a time changes a
stack; asking is always possible, also when no supervisor lives.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from filewright.stack import ports, programs
from filewright.stack.errors import StackProblem
from filewright.stack.layout import Layout, Memory, Shape
from filewright.stack.plan import Plan
from filewright.stack.planning import Planner, ports_wanted
from filewright.stack.processes import is_running
from filewright.stack.roles import ROLES, Role
from filewright.stack.state import read_state
from filewright.stack.status import Status, status_of
from filewright.stack.supervising import Report, dismiss, summon
from filewright.stack.surroundings import cores, plain_environment, settings_of_caller
from filewright.stack.waiting import wait_until_true

UP_SECONDS = 180.0


@dataclass(frozen=True)
class Stack:
    """The stack in one directory."""

    data: Path
    roles: Mapping[str, Role] = field(default_factory=lambda: ROLES)
    """The product's roles; another table runs another program in their place."""
    report: Report = lambda _: None
    """Told what happens while a command waits."""

    # --- commands ------------------------------------------------------------------------------------------------

    def up(
        self,
        counts: Mapping[str, int] | None = None,
        *,
        slots: int | None = None,
        host: str | None = None,
        port: int | None = None,
        new_ports: bool = False,
        clamd: bool | None = None,
        seconds: float = UP_SECONDS,
    ) -> None:
        """Bring it up in this shape, or bring a running one into it; returns when everything is ready.

        Raises StackProblem when it does not come up; one that was down is then down again.
        """
        programs.check()
        self._layout.prepare()
        with self._layout.one_command():
            was_down = self._layout.plan() is None
            memory = self._layout.memory()
            if clamd or (clamd is None and memory.shape.clamd):
                programs.check([programs.CLAMD])
            if was_down:
                memory = _fresh(memory, new_ports=new_ports)
            elif new_ports or host not in {None, memory.host} or port not in {None, memory.ports["nginx"]}:
                raise StackProblem("Addresses are chosen when a stack starts. Take it down first.")
            memory = memory.model_copy(
                update={
                    "shape": self._shape(memory.shape, counts or {}, slots, clamd),
                    "host": host or memory.host,
                    "ports": {**memory.ports, **({"nginx": port} if port else {})},
                }
            )
            try:
                self._bring_about(memory, seconds=seconds)
            except BaseException:
                if was_down:
                    self.report("It did not come up; taking it down again.")
                    self._take_down()
                raise

    def scale(self, counts: Mapping[str, int], *, slots: int | None = None, seconds: float = UP_SECONDS) -> None:
        """Have so many of each; returns when it is so. What is taken away is drained first."""
        with self._running() as plan:
            memory = self._layout.memory()
            shape = self._shape(memory.shape, counts, slots)
            self._bring_about(memory.model_copy(update={"shape": shape}), plan, seconds=seconds)

    def restart(self, names: Iterable[str] = (), *, rolling: bool = True, seconds: float = UP_SECONDS) -> None:
        """Replace these (names or roles; without any: all of the product): one at a time, each drained first, or all
        together.
        """
        wanted = tuple(names) or tuple(name for name, role in self.roles.items() if not role.once)
        with self._running() as plan:
            for name in wanted:
                if not any(service.is_one_of((name,)) for service in plan.services) and name not in self.roles:
                    known = ", ".join(dict.fromkeys(service.role for service in plan.services))
                    raise StackProblem(f"There is no {name!r} in this stack. It has: {known}.")
            raised = {service.name for service in plan.services if service.is_one_of(wanted)}
            self._bring_about(
                self._layout.memory(), plan, raised=raised, rolling=rolling, seconds=seconds * max(1, len(raised))
            )

    def down(self, *, erase: bool = False) -> None:
        """End every process, users of a thing before the thing; leave the data, or with `erase` nothing."""
        if not self.data.is_dir() or not self._layout.is_ours:
            return
        with self._layout.one_command():
            self._take_down()
            if erase:
                self._layout.erase()

    def status(self) -> Status:
        """How every process is, asked of the processes themselves."""
        return status_of(self._layout)

    def log_files(self, name: str | None = None) -> list[Path]:
        """The logs there are, of one process or role or of all. Raises StackProblem for a name without one."""
        logs = self._layout.log_files() if self.data.is_dir() else []
        if name is not None:
            logs = [log for log in logs if name in {log.stem, log.stem.rpartition("-")[0]}]
        if not logs:
            raise StackProblem(f"There is no log of {name!r}." if name else "There are no logs here.")
        return logs

    # --- making it so --------------------------------------------------------------------------------------------

    @property
    def _layout(self) -> Layout:
        return Layout(self.data.absolute())

    @contextlib.contextmanager
    def _running(self) -> Iterator[Plan]:
        """Hold the right to change a stack that is up; gives its plan."""
        if not self.data.is_dir():
            raise StackProblem(f"There is no stack in {self.data}.")
        with self._layout.one_command():
            plan = self._layout.plan()
            if plan is None:
                raise StackProblem("The stack is down. Start it with: filewright stack up")
            yield plan

    def _shape(self, before: Shape, counts: Mapping[str, int], slots: int | None, clamd: bool | None = None) -> Shape:
        countable = {name: role for name, role in self.roles.items() if not role.once}
        for name, count in counts.items():
            if name not in countable:
                raise StackProblem(f"{name!r} is no role that has a number. There are: {', '.join(countable)}.")
            if not 0 <= count <= countable[name].most:
                raise StackProblem(f"{name} takes a number from 0 to {countable[name].most}, not {count}.")
        full = {name: role.default for name, role in countable.items()} | dict(before.counts) | dict(counts)
        return Shape(
            counts=full,
            slots=slots or before.slots or max(1, cores() // max(1, full.get("worker", 1))),
            clamd=before.clamd if clamd is None else clamd,
        )

    def _bring_about(
        self,
        memory: Memory,
        before: Plan | None = None,
        *,
        raised: Iterable[str] = (),
        rolling: bool = True,
        seconds: float,
    ) -> None:
        """Write the plan, see that a supervisor follows it, wait until it is true."""
        layout = self._layout
        memory = memory.model_copy(
            update={"ports": ports.choose(memory.ports, ports_wanted(memory.shape, self.roles), host=memory.host)}
        )
        self._check_ports(memory)
        layout.remember(memory)
        before = before or layout.plan()
        generations = {service.name: service.generation for service in before.services} if before else {}
        generations |= {name: generations.get(name, 0) + 1 for name in raised}
        planner = Planner(layout, memory, layout.secrets(), self.roles, generations)
        plan = planner.plan((before.revision if before else 0) + 1, rolling=rolling)
        layout.write_plan(plan)
        summon(layout, self.report)
        wait_until_true(layout, plan, seconds, self.report)

    def _check_ports(self, memory: Memory) -> None:
        """Raise for a port that somebody else has, while its owner of ours does not run."""
        state = read_state(self._layout)
        ours = {name for name, known in state.processes.items() if known.identity and is_running(known.identity)}
        for name in ports_wanted(memory.shape, self.roles):
            owner = {"s3": "s3", "nginx": "nginx"}.get(name.partition("-")[0], name)
            host = memory.host if owner == "nginx" else "127.0.0.1"
            if owner not in ours and not ports.is_free(host, memory.ports[name]):
                raise StackProblem(
                    f"Port {memory.ports[name]} of {name} is taken by another program, or {host} is no address of this "
                    "machine. Choose another --host or --port, or let --new-ports choose all of them anew."
                )

    def _take_down(self) -> None:
        plan = self._layout.plan()
        if plan is not None:
            dismiss(self._layout, plan)
        self._layout.clear()


def _fresh(memory: Memory, *, new_ports: bool) -> Memory:
    return memory.model_copy(
        update={
            "environment": plain_environment(),
            "settings": settings_of_caller(),
            "ports": {} if new_ports else memory.ports,
        }
    )
