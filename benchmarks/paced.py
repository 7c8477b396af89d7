"""A `filewright serve` whose jobs get on by the clock: as many at once as there may be, and none needs a processor.

What is measured beside it is measured beside a service that works elsewhere, as a large one does. Only the engines are
replaced, by time: uploads, jobs, slots, leases and the stream of news are those that serve people. No job ends.

Examples:

  python benchmarks/paced.py --data /tmp/paced                 every job gains one per cent a second
  python benchmarks/paced.py --data /tmp/paced --every 0.25    as often as a worker tells of any
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typing_extensions import override

from filewright.chassis.telemetry.logs import configure_logs
from filewright.chassis.web.drain import Drain
from filewright.chassis.web.server import make_server
from filewright.converter.bootstrap import build, running
from filewright.converter.commands.service.serve import listening, new_loop, shown_address
from filewright.converter.conversion.converter import Converter
from filewright.converter.conversion.orders import Assignment, Converted
from filewright.converter.engines.registry import Registry
from filewright.converter.engines.standard import standard_engines
from filewright.converter.settings import load
from filewright.converter.site.serving import application

HOST = "127.0.0.1"
SLOTS = 256
STEPS = 84
"""Per cents that a job gains between those for fetching and those for storing."""


class Clockwork(Converter):
    """Plans as the real one does, and converts by waiting."""

    every = 1.0

    @override
    async def convert(
        self, assignment: Assignment, *, on_progress: Callable[[float], None] = lambda _: None, **_: Any
    ) -> Converted:
        for step in range(1, STEPS):
            await asyncio.sleep(self.every)
            on_progress(step / STEPS)
        await asyncio.Event().wait()
        raise AssertionError


async def serve(data: Path, every: float, slots: int) -> None:
    def make_converter(sandbox: Any, clock: Any) -> Converter:
        converter = Clockwork(Registry(standard_engines()), sandbox, clock=clock)
        converter.every = every
        return converter

    settings = load(data_dir=data, slots=slots)
    configure_logs(settings.log_format)
    drain = Drain()
    with listening(HOST, 0) as listener:
        async with build(settings, make_converter) as services:
            app = application(services, settings, local=True, drain=drain, running=running(services, grace=0))
            listener.listen()
            print(f"Filewright is serving on {shown_address(listener, HOST)}", flush=True)
            await make_server(app, drain, host=HOST, port=listener.getsockname()[1]).serve(sockets=[listener])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=float, default=1.0)
    parser.add_argument("--slots", type=int, default=SLOTS)
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve(arguments.data, arguments.every, arguments.slots))


if __name__ == "__main__":
    main()
