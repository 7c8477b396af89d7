"""What can be done with a stack: up, scale, restart, down, and asking how it is.

Each command changes what is wanted, tells the supervisor, and waits until it is so. One command at a time changes a
stack; asking is always possible, also when no supervisor lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGTERM
from typing import Any

from filewright.stack import ports, programs
from filewright.stack.errors import StackProblem
from filewright.stack.layout import VERSION, Layout, Memory, Shape
from filewright.stack.plan import Plan, Service
from filewright.stack.planning import Planner, ports_wanted
from filewright.stack.probes import is_well, sign_at
from filewright.stack.processes import Process, is_running
from filewright.stack.roles import ROLES, Role
from filewright.stack.state import Stage, State, read_state
from filewright.stack.supervisor import Supervisor
from filewright.stack.surroundings import cores, plain_environment, settings_of_caller

UP_SECONDS = 180.0
DOWN_SECONDS = 300.0
_HOPELESS_DEATHS = 3
_LOOK_SECONDS = 0.05
_TAIL_LINES = 15

Report = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """How one process is."""

    name: str
    role: str
    pid: int | None
    address: str | None
    healthy: bool
    stage: str
    restarts: int
    detail: str
    since: float = 0.0
    """When this stage began; seconds since the epoch."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What it tells of itself: slots and how many of them are busy, whether it leads, how long the queue is."""


@dataclass(frozen=True)
class Status:
    """How a stack is. `url` is None when it is down."""

    url: str | None
    supervisor_pid: int | None
    halted: str
    rows: tuple[Row, ...]
    secure_url: str | None = None
    certificate: Path | None = None
    """What a client has to trust for `secure_url`."""


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
        plan = self._layout.plan() if self.data.is_dir() else None
        if plan is None:
            return Status(None, None, "", ())
        state = read_state(self._layout)
        supervisor = state.supervisor
        alive = supervisor is not None and is_running(supervisor)
        services = [service for service in plan.services if not service.once]
        wells = asyncio.run(_ask_all(services))
        rows = [_row(service, state, well=well) for service, well in zip(services, wells, strict=True)]
        return Status(
            plan.url,
            supervisor.pid if supervisor and alive else None,
            state.halted,
            tuple(rows),
            plan.secure_url,
            self._layout.tls / "tls.crt" if plan.secure_url else None,
        )

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
        self._tell_supervisor()
        self._wait_until_true(plan, seconds)

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

    def _tell_supervisor(self) -> None:
        supervisor = self._supervisor()
        if supervisor is not None and read_state(self._layout).version < VERSION:
            self.report("The supervisor is of an older version; a new one takes over what runs.")
            supervisor.signal(SIGKILL)  # which ends it and nothing else
            supervisor.wait(10)
            supervisor.close()
            supervisor = None
        if supervisor is not None:
            supervisor.signal(SIGHUP)
            supervisor.close()
            return
        _bury_supervisors()
        log = self._layout.log("supervisor")
        with log.open("ab") as output:
            log.chmod(0o600)
            _STARTED.append(
                subprocess.Popen(  # noqa: TID251 - it outlives this command
                    [sys.executable, "-m", "filewright.stack.supervisor", str(self._layout.data)],
                    cwd="/",
                    env=plain_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            )

    def _supervisor(self) -> Process | None:
        """The living one; waits for one that has just started to say who it is. None when there is none."""
        while True:
            with self._layout.supervising() as nobody_does:
                if nobody_does:
                    return None
            identity = read_state(self._layout).supervisor
            process = Process.adopt(identity) if identity else None
            if process is not None:
                return process
            time.sleep(_LOOK_SECONDS)

    def _wait_until_true(self, plan: Plan, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        told = {name: str(known.stage) for name, known in read_state(self._layout).processes.items()}
        while True:
            state = read_state(self._layout)
            if state.supervisor is None or not is_running(state.supervisor):
                state = State()  # what a dead one said is over
            self._tell(state, told)
            if state.revision >= plan.revision:
                if state.halted:
                    raise StackProblem(state.halted)
                if state.front_knows and all(_is_ready(state, service) for service in plan.services):
                    return
            self._check_hope(state)
            if time.monotonic() > deadline:
                late = [service.name for service in plan.services if not _is_ready(state, service)]
                raise StackProblem(f"Not ready after {seconds:g} s: {', '.join(late)}.{self._tails(late)}")
            time.sleep(_LOOK_SECONDS)

    def _tell(self, state: State, told: dict[str, str]) -> None:
        """Report each process that is now ready, ended or died."""
        for name, known in state.processes.items():
            if known.stage in {Stage.READY, Stage.BACKING_OFF, Stage.UNWELL} and told.get(name) != known.stage:
                self.report(f"{name}: {known.stage}{f' ({known.detail})' if known.detail else ''}")
            told[name] = known.stage

    def _check_hope(self, state: State) -> None:
        dying = [name for name, known in state.processes.items() if known.failures >= _HOPELESS_DEATHS]
        if dying:
            reasons = "; ".join(f"{name}: {state.processes[name].detail}" for name in dying)
            raise StackProblem(f"{reasons}.{self._tails(dying)}")
        if any(_bury_supervisors()):
            raise StackProblem(f"The supervisor died.{self._tails(['supervisor'])}")

    def _tails(self, names: Iterable[str]) -> str:
        """The last lines of these logs, for a message."""
        found = ""
        for name in names:
            log = self._layout.log(name)
            if log.is_file() and (text := log.read_text(encoding="utf-8", errors="replace").strip()):
                lines = "\n  ".join(text.splitlines()[-_TAIL_LINES:])
                found += f"\n{log}:\n  {lines}"
        return found

    def _take_down(self) -> None:
        plan = self._layout.plan()
        if plan is not None:
            supervisor = self._supervisor()
            if supervisor is not None:
                supervisor.signal(SIGTERM)
                if not supervisor.wait(DOWN_SECONDS):
                    supervisor.kill()
                    supervisor.wait(10)
                supervisor.close()
                _bury_supervisors()
            with self._layout.supervising():
                asyncio.run(Supervisor(self._layout, plan).clean_up())  # after an orderly end it finds nothing
        self._layout.clear()


_STARTED: list[subprocess.Popen[bytes]] = []  # noqa: TID251 - the type of them
"""Supervisors that this process started, to bury those that end while it lives."""


def _bury_supervisors() -> list[int]:
    """The exit codes of those that ended."""
    ended = [child for child in _STARTED if child.poll() is not None]
    _STARTED[:] = [child for child in _STARTED if child not in ended]
    return [child.returncode for child in ended]


def _fresh(memory: Memory, *, new_ports: bool) -> Memory:
    return memory.model_copy(
        update={
            "environment": plain_environment(),
            "settings": settings_of_caller(),
            "ports": {} if new_ports else memory.ports,
        }
    )


def _is_ready(state: State, service: Service) -> bool:
    known = state.processes.get(service.name)
    return known is not None and known.stage in {Stage.READY, Stage.DONE} and known.digest in {"", service.digest}


async def _ask_all(services: Iterable[Service]) -> list[bool]:
    return list(await asyncio.gather(*(is_well(service.probe) for service in services)))


def _row(service: Service, state: State, *, well: bool) -> Row:
    known = state.processes.get(service.name)
    identity = known.identity if known else None
    alive = identity is not None and is_running(identity)
    sign = sign_at(service.probe) if alive else None
    return Row(
        service.name,
        service.role,
        identity.pid if identity and alive else None,
        service.address,
        alive and well and (known is None or known.stage is not Stage.STOPPING),
        str(known.stage) if known else "waiting",
        known.restarts if known else 0,
        (sign.why if sign and sign.why else known.detail) if known else "",
        known.since if known else 0.0,
        sign.facts if sign else {},
    )
