"""Keep one process of the plan: start it when its turn has come, see whether it is well, start it again when it dies,
end it when told. One that is alive and does not answer is reported, never killed: a busy database is not a dead one.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable

from filewright.stack.layout import Layout
from filewright.stack.plan import Service
from filewright.stack.probes import forget_sign, is_well, sign_at
from filewright.stack.processes import Identity, Process
from filewright.stack.state import ProcessState, Stage, now

STARTING_LOOK_SECONDS, WELL_LOOK_SECONDS = 0.1, 2.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 30.0
SETTLED_SECONDS = 3.0
"""Of being alive, after which a process that cannot be asked counts as ready."""
HEALTHY_SECONDS = 30.0
"""Of being ready, after which earlier deaths are forgotten."""


class Keeper:
    """One process of the plan, and all the processes that follow each other in its place."""

    def __init__(
        self,
        service: Service,
        layout: Layout,
        *,
        may_start: Callable[[Service], bool],
        wait_until: Callable[[Callable[[], bool]], Awaitable[None]],
        changed: Callable[[], None],
    ) -> None:
        self.service = service
        self.state = ProcessState(stage=Stage.WAITING)
        self.has_joined = False
        """Requests may be sent to its address. It was ready once; when it is away, others are asked."""
        self._layout = layout
        self._may_start = may_start
        self._wait_until = wait_until
        self._changed = changed
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready_at = 0.0
        self._alive_since = 0.0

    # --- what others ask -----------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """It does what it is there for (or has done it)."""
        return self.state.stage in {Stage.READY, Stage.DONE}

    @property
    def is_over(self) -> bool:
        return self.state.stage in {Stage.STOPPED, Stage.DONE}

    @property
    def process(self) -> Process | None:
        return self._process

    # --- what it is told -----------------------------------------------------------------------------------------

    def begin(self, adopted: Process | None = None, before: ProcessState | None = None) -> None:
        """Keep it from now on, going on with a process that runs already if there is one."""
        if adopted is not None and before is not None:
            self._process = adopted
            self._alive_since = -SETTLED_SECONDS  # of long standing
            self.has_joined = before.stage in {Stage.READY, Stage.UNWELL}  # or the front would send nobody to it
            self.state = before.model_copy(update={"stage": Stage.STARTING})
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.service.name}")

    async def end(self) -> None:
        """Stop keeping it, ask the process to end, and make sure that it and all it started are gone."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        process, self._process = self._process, None
        if process is None:
            self._enter(Stage.DONE if self.state.stage is Stage.DONE else Stage.STOPPED)
            return
        self._enter(Stage.STOPPING)
        process.signal(signal.Signals[self.service.ending])
        try:
            await asyncio.wait_for(process.ended(), self.service.grace_seconds)
            detail = ""
        except TimeoutError:
            process.kill()
            await process.ended()
            detail = f"killed: it did not end within {self.service.grace_seconds:g} s"
        process.close()
        self._enter(Stage.STOPPED, detail, identity=None)

    def let_go(self) -> None:
        """Stop keeping it and leave the process as it is."""
        if self._task is not None:
            self._task.cancel()

    # --- its life ------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            if self._process is None:
                self._enter(Stage.WAITING, self.state.detail, identity=None)
                await self._wait_until(lambda: self._may_start(self.service))
                if not self._start():
                    await self._back_off()
                    continue
            assert self._process is not None
            code = await self._attend(self._process)
            self._process.close()
            self._process = None
            if self.service.once and code == 0:
                self._enter(Stage.DONE, identity=None)
                return
            self._count_death(_ending(code))
            await self._back_off()

    def _start(self) -> bool:
        service = self.service
        forget_sign(service.probe)  # of the one before it
        try:
            self._process = Process.start(
                service.argv,
                cwd=service.cwd,
                environment=service.environment,
                log=self._layout.log(service.name),
                user=service.user,
                record=lambda identity: self._enter(Stage.STARTING, self.state.detail, identity=identity),
            )
            self._alive_since = time.monotonic()
        except OSError as error:
            self._count_death(f"cannot be started: {error}")
            return False
        return True

    async def _attend(self, process: Process) -> int | None:
        """Look after it until it ends; its exit code."""
        end = asyncio.create_task(process.ended())
        late_at = time.monotonic() + self.service.start_seconds
        try:
            while not end.done():
                well = await self._is_well()
                if end.done():
                    break
                self._note_health(well=well)
                starting = self.state.stage is Stage.STARTING
                if starting and not self.service.once and time.monotonic() > late_at:
                    self._enter(Stage.STARTING, f"not ready after {self.service.start_seconds:g} s")
                    process.kill()
                pause = STARTING_LOOK_SECONDS if starting else WELL_LOOK_SECONDS
                await asyncio.wait({end}, timeout=pause)
            return end.result()
        finally:
            end.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await end

    async def _is_well(self) -> bool:
        if self.service.once:
            return False
        if self.service.probe is None:
            return time.monotonic() - self._alive_since > SETTLED_SECONDS
        return await is_well(self.service.probe)

    def _note_health(self, *, well: bool) -> None:
        if well and self.state.stage is not Stage.READY:
            self._ready_at = time.monotonic()
            self.has_joined = True
            self._enter(Stage.READY)
        elif not well and self.state.stage in {Stage.READY, Stage.UNWELL}:
            sign = sign_at(self.service.probe)
            self._enter(Stage.UNWELL, sign.why if sign else "it does not answer")

    def _count_death(self, how: str) -> None:
        was_well = self._ready_at and time.monotonic() - self._ready_at > HEALTHY_SECONDS
        self._ready_at = 0.0
        failures = 1 if was_well else self.state.failures + 1
        self.state = self.state.model_copy(update={"failures": failures, "restarts": self.state.restarts + 1})
        pause = self._pause
        self._enter(Stage.BACKING_OFF, f"{how}; started again after {pause:g} s", identity=None)

    @property
    def _pause(self) -> float:
        return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self.state.failures - 1, 16))

    async def _back_off(self) -> None:
        await asyncio.sleep(self._pause)

    def _enter(self, stage: Stage, detail: str = "", **more: Identity | None) -> None:
        update: dict[str, object] = {"stage": stage, "detail": detail, "since": now()}
        if "identity" in more:
            identity = more["identity"]
            update |= {"pid": identity and identity.pid, "began": identity and identity.began}
            update["digest"] = self.service.digest if identity else ""
        if stage != self.state.stage or detail != self.state.detail or more:
            self.state = self.state.model_copy(update=update)
            self._changed()


def _ending(code: int | None) -> str:
    if code is None:
        return "it ended"
    if code < 0:
        return f"it died of {signal.Signals(-code).name}"
    return f"it ended with exit code {code}"
