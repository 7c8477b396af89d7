"""Make the machine look like the plan, and keep it so: `python -m filewright.stack.supervisor DATA`.

Level, not edge: a command writes the plan and sends SIGHUP; whatever is then missing, superfluous or of an older
generation is started, ended or replaced, in order. SIGTERM ends everything and then the supervisor. SIGKILL ends
nothing but the supervisor: the processes run on, and the next supervisor finds them on record and takes them over.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

from filewright.stack import processes
from filewright.stack.errors import StackProblem
from filewright.stack.front import Front
from filewright.stack.keeper import Keeper
from filewright.stack.layout import Layout
from filewright.stack.plan import Plan, Service
from filewright.stack.processes import Process
from filewright.stack.pulse import Pulse
from filewright.stack.state import ProcessState, Stage, State, read_state, write_state

_LOG_BYTES = 64 << 20
_LOG_LOOK_SECONDS = 30.0
_WANTED_LOOK_SECONDS = 1.0
_STRAY_SECONDS = 10.0


class _Halted(Exception):
    """A change cannot be carried further; the message says why."""


class Supervisor:
    """Owns every process of one stack. One loop, one task for each process, one for changes."""

    def __init__(self, layout: Layout, plan: Plan) -> None:
        self._layout = layout
        self._plan = plan
        self._keepers: dict[str, Keeper] = {}
        self._pulse = Pulse()
        self._revision = 0
        self._halted = ""
        front = plan.service(plan.front.service)
        s3 = plan.service("s3")
        assert front is not None
        assert s3 is not None
        self._front = Front(
            plan.front, s3_address=s3.address or "", owner=front.user, process=lambda: self._process_of(front.name)
        )

    # --- the two ways to run it ----------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Until SIGTERM or SIGINT; then everything has ended."""
        loop, stop, look = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, look.set)
        await self._find_what_runs()
        self._front.restore_all()
        await self._rotate()  # so that the file is there before the front wants to read it
        look.set()
        tasks = (self._follow(look), self._keep_rotation(), self._keep_logs(), self._while_wanted())
        work = [asyncio.create_task(task) for task in tasks]
        ended = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, *work}, return_when=asyncio.FIRST_COMPLETED)
        for task in (*work, ended):
            task.cancel()
        outcomes = await asyncio.gather(*work, return_exceptions=True)
        await self._end(list(self._keepers.values()))
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def clean_up(self) -> None:
        """End what an earlier supervisor left running."""
        await self._find_what_runs()
        await self._end(list(self._keepers.values()))

    # --- following the plan --------------------------------------------------------------------------------------

    async def _find_what_runs(self) -> None:
        """Take over what is on record and still as planned; end what is on record and is not."""
        before = read_state(self._layout)
        strays = []
        for name, state in before.processes.items():
            process = Process.adopt(state.identity) if state.identity else None
            if process is None:
                continue
            service = self._plan.service(name)
            if service is None:
                strays.append((name, process))
            else:
                self._keep(service, process, state)
        await asyncio.gather(*(self._end_stray(process) for _, process in strays))
        self._account()

    async def _follow(self, look: asyncio.Event) -> None:
        while True:
            await look.wait()
            look.clear()
            try:
                plan = self._layout.plan()
            except StackProblem as problem:  # of a newer version, say: no reason to let go of what runs
                self._halted = str(problem)
                self._account()
                continue
            if plan is None:
                continue
            self._plan, self._halted = plan, ""
            try:
                await self._make_true(plan)
            except (_Halted, OSError) as halt:
                self._halted = str(halt)
            self._revision = plan.revision
            self._account()

    async def _make_true(self, plan: Plan) -> None:
        await self._end([keeper for name, keeper in self._keepers.items() if plan.service(name) is None])
        replaced = []
        for service in plan.services:
            keeper = self._keepers.get(service.name)
            if keeper is None:
                self._keep(service)
            elif keeper.state.digest not in {"", service.digest} or keeper.service != service:
                replaced.append((keeper, service))
        if not plan.rolling:
            await asyncio.gather(*(self._replace(keeper, service) for keeper, service in replaced))
            return
        for keeper, service in replaced:  # one at a time, each ready before the next goes
            await self._replace(keeper, service)

    async def _replace(self, keeper: Keeper, service: Service) -> None:
        spread = keeper.service.role == self._plan.front.role
        if spread:
            await self._front.spare(service.name)
        await keeper.end()
        fresh = self._keep(service)
        fresh.has_joined = keeper.has_joined
        await self._pulse.until(lambda: fresh.is_ready or fresh.state.failures > 2)
        if not fresh.is_ready:
            raise _Halted(f"{service.name} does not come up again: {fresh.state.detail}. The rest was left as it was.")
        if spread:
            self._front.restore(service.name)

    def _keep(self, service: Service, process: Process | None = None, state: ProcessState | None = None) -> Keeper:
        keeper = Keeper(
            service,
            self._layout,
            may_start=self._may_start,
            wait_until=self._pulse.until,
            changed=self._account,
        )
        self._keepers[service.name] = keeper
        keeper.begin(process, state)
        return keeper

    def _may_start(self, service: Service) -> bool:
        return all(keeper.is_ready for keeper in self._needed_by(service))

    def _needed_by(self, service: Service) -> list[Keeper]:
        return [keeper for keeper in self._keepers.values() if keeper.service.is_one_of(service.after)]

    # --- ending --------------------------------------------------------------------------------------------------

    async def _end(self, keepers: list[Keeper]) -> None:
        """End these, each after all that need it."""
        if not any(keeper.service.name == self._plan.front.service for keeper in keepers):  # it would go as well
            await self._leave_rotation(keepers)
        await asyncio.gather(*(self._end_in_order(keeper, keepers) for keeper in keepers))
        for keeper in keepers:
            self._keepers.pop(keeper.service.name, None)
        self._account()

    async def _end_in_order(self, keeper: Keeper, among: Iterable[Keeper]) -> None:
        users = [other for other in among if other is not keeper and keeper.service.is_one_of(other.service.after)]
        keeper.let_go()
        await self._pulse.until(lambda: all(user.is_over for user in users))
        await keeper.end()

    async def _end_stray(self, process: Process) -> None:
        process.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.ended(), _STRAY_SECONDS)
        except TimeoutError:
            process.kill()
            await process.ended()
        process.close()

    # --- the rotation --------------------------------------------------------------------------------------------

    async def _leave_rotation(self, keepers: Iterable[Keeper]) -> None:
        for keeper in keepers:
            keeper.has_joined = False
        await self._rotate()

    async def _keep_rotation(self) -> None:
        while True:
            await self._pulse.until(lambda: self._front.is_behind(self._rotation()))
            try:
                await self._rotate()
            except OSError as error:
                sys.stderr.write(f"The front cannot be told: {error}\n")
                await asyncio.sleep(_WANTED_LOOK_SECONDS)

    async def _rotate(self) -> None:
        await self._front.rotate(self._rotation)
        self._account()

    def _rotation(self) -> dict[str, str]:
        return {
            keeper.service.name: keeper.service.address
            for keeper in self._keepers.values()
            if keeper.service.role == self._plan.front.role and keeper.has_joined and keeper.service.address
        }

    # --- the account ---------------------------------------------------------------------------------------------

    def _process_of(self, name: str) -> Process | None:
        keeper = self._keepers.get(name)
        return keeper.process if keeper and keeper.state.stage in {Stage.READY, Stage.UNWELL} else None

    def _account(self) -> None:
        me = processes.identify(os.getpid())
        state = State(
            supervisor_pid=me and me.pid,
            supervisor_began=me and me.began,
            revision=self._revision,
            front_knows=not self._front.is_behind(self._rotation()),
            halted=self._halted,
            processes={name: keeper.state for name, keeper in self._keepers.items()},
        )
        try:
            write_state(self._layout, state)
        except OSError as error:  # a full disk, or a directory that was removed: no reason to lose the processes
            sys.stderr.write(f"The account cannot be written: {error}\n")
        self._pulse.beat()

    async def _while_wanted(self) -> None:
        """Return when somebody removed the directory: a stack without one is over."""
        while True:
            if not await asyncio.to_thread(self._layout.plan_file.exists):
                return
            await asyncio.sleep(_WANTED_LOOK_SECONDS)

    async def _keep_logs(self) -> None:
        """A log that grew too long becomes `.1`; programs append, so they go on at the beginning."""
        while True:
            await asyncio.sleep(_LOG_LOOK_SECONDS)
            for log in self._layout.log_files():
                with contextlib.suppress(OSError):
                    if log.stat().st_size > _LOG_BYTES:
                        await asyncio.to_thread(_turn_over, log)


def _turn_over(log: Path) -> None:
    import shutil  # noqa: PLC0415 - once in a long while

    shutil.copyfile(log, log.with_suffix(".log.1"))
    os.truncate(log, 0)


def main(data: str) -> int:
    """The process. Ends at once when another supervisor has this stack."""
    layout = Layout(Path(data))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # inherited: PgBouncer and nginx serve thousands
    os.umask(0o077)
    with layout.supervising() as is_ours:
        plan = layout.plan() if is_ours else None
        if plan is None:
            return 0
        asyncio.run(Supervisor(layout, plan).serve())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
