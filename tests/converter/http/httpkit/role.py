"""One role of the service as a process of its own, with the obedient converter.

`role.py '{"role": "api", "settings": {…}, "manner": {…}, "gate": "…"}'` says `ready` on a line of its own, an API
process with its address behind it, and ends on SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from filewright.chassis.telemetry.logs import configure_logs
from filewright.chassis.web.drain import Drain
from filewright.chassis.web.server import make_server
from filewright.converter.bootstrap import MakeConverter, Services, build_api, build_beat, build_worker, running
from filewright.converter.settings import Settings
from httpkit.live import Manner
from httpkit.obedient import Gate, ObedientConverter


async def answer(settings: Settings, manner: Manner, make_converter: MakeConverter) -> None:
    """`api`."""
    drain = Drain()
    async with build_api(settings, make_converter) as services:
        server = make_server(manner.application(services, drain, running(services)), drain, port=0, grace=5)
        serving = asyncio.create_task(server.serve())
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        print(f"ready 127.0.0.1:{port}", flush=True)
        await serving


async def toil(building: AbstractAsyncContextManager[Services]) -> None:
    """`worker`, `beat`."""
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with building as services, running(services, grace=5):
        print("ready", flush=True)
        await told.wait()


def main() -> None:
    order = json.loads(sys.argv[1])
    configure_logs("json")
    settings, gate = Settings(**order["settings"]), Gate(Path(order["gate"]))
    settings.require_distributed()

    def make_converter(sandbox, clock):
        return ObedientConverter(sandbox, clock, gate)

    match order["role"]:
        case "api":
            work = answer(settings, Manner(**order["manner"]), make_converter)
        case "worker":
            work = toil(build_worker(settings, make_converter=make_converter))
        case "beat":
            work = toil(build_beat(settings, make_converter))
    asyncio.run(work)


if __name__ == "__main__":
    main()
