"""`filewright api`, `worker`, `beat` and `migrate`: the service as several processes that share no memory.

All state is outside: PostgreSQL, Redis and S3, named by `FILEWRIGHT_*`. Any of these processes may be killed at any
moment; SIGTERM lets it end what it does first.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from filewright.converter.commands.serve import listening, new_loop, shown_address
from filewright.converter.settings import Settings, SettingsError, load

if TYPE_CHECKING:
    from filewright.converter.bootstrap import Services

API_HELP = """Answer requests and serve the page; jobs are run by `filewright worker`.

Start as many as you like behind a load balancer: no request depends on an earlier one having met the same process.
SIGTERM: /readyz says no for --linger seconds, then no connection is accepted and running requests end.
"""
API_EXAMPLES = """Examples:

\b
  FILEWRIGHT_CONFIG=/etc/filewright.env filewright api --port 8001
  filewright api --host 0.0.0.0 --port 8000 --linger 10
"""
WORKER_HELP = """Run jobs: claim them from the database, convert them in the sandbox, store what comes out.

A hint over Redis makes it quick; without Redis it looks for work every two seconds. SIGTERM: it claims no more, lets
running jobs end for --grace seconds, and gives the rest back.
"""
WORKER_EXAMPLES = """Examples:

\b
  filewright worker --slots 4
  filewright worker --queues standard --grace 120
"""
BEAT_HELP = """Upkeep: free the jobs of the dead, hint again, delete what is past its time.

Start two for safety: one leads, the other takes its place when it is gone.
"""
MIGRATE_HELP = """Bring the database's schema up to this version; safe to repeat and to start twice at once.

Point FILEWRIGHT_DATABASE_URL at PostgreSQL itself, not at a pooler.
"""

Data = Annotated[
    Path | None,
    typer.Option(help="Directory of this process's own for work in progress.", envvar="FILEWRIGHT_DATA_DIR"),
]


def api(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8000,
    data: Data = None,
    linger: Annotated[
        float, typer.Option(help="Seconds between saying no to health checks and closing.", min=0, max=300)
    ] = 2.0,
) -> None:
    """The command; its help is `API_HELP`."""
    _run(lambda: _api(_settings(data_dir=data), host, port, linger))


def worker(
    queues: Annotated[str, typer.Option(help="Lanes to serve, in their order: `premium,standard`.")] = (
        "premium,standard"
    ),
    slots: Annotated[
        int | None, typer.Option(help="Conversions at the same time.", min=1, envvar="FILEWRIGHT_SLOTS")
    ] = None,
    data: Data = None,
    grace: Annotated[
        float, typer.Option(help="Seconds that running jobs get to end after SIGTERM.", min=0, max=3600)
    ] = 60.0,
) -> None:
    """The command; its help is `WORKER_HELP`."""
    lanes = tuple(part.strip() for part in queues.split(",") if part.strip())
    _run(lambda: _worker(_settings(data_dir=data, slots=slots), lanes, grace))


def beat(data: Data = None) -> None:
    """The command; its help is `BEAT_HELP`."""
    _run(lambda: _beat(_settings(data_dir=data)))


def migrate() -> None:
    """The command; its help is `MIGRATE_HELP`."""
    _run(_migrate)


def _settings(**overrides: Any) -> Settings:
    settings = load(**overrides)
    settings.require_distributed()
    return settings


def _run(role: Callable[[], Coroutine[Any, Any, None]]) -> None:
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(role())
    except SettingsError as error:
        typer.echo(f"filewright: {error}", err=True)
        raise typer.Exit(2) from None


async def _api(settings: Settings, host: str, port: int, linger: float) -> None:
    from filewright.chassis.telemetry.logs import configure_logs  # noqa: PLC0415 - as in `serve`
    from filewright.chassis.web.drain import Drain  # noqa: PLC0415
    from filewright.chassis.web.server import make_server  # noqa: PLC0415
    from filewright.converter.bootstrap import build_api, running  # noqa: PLC0415
    from filewright.converter.site.serving import application  # noqa: PLC0415

    configure_logs(settings.log_format)
    drain = Drain()
    with listening(host, port) as listener:
        async with build_api(settings) as services:
            app = application(services, settings, local=False, drain=drain, running=running(services))
            server = make_server(app, drain, host=host, port=listener.getsockname()[1], linger=linger)
            listener.listen()
            typer.echo(f"Filewright api is serving on {shown_address(listener, host)}")
            await server.serve(sockets=[listener])


async def _worker(settings: Settings, lanes: tuple[str, ...], grace: float) -> None:
    from filewright.chassis.queue.port import LANES  # noqa: PLC0415 - as in `serve`
    from filewright.converter.bootstrap import build_worker  # noqa: PLC0415

    if not lanes or not set(lanes) <= set(LANES):
        raise SettingsError(f"--queues: lanes are {', '.join(LANES)}")
    await _until_told(settings, build_worker(settings, lanes), f"worker: {settings.slots} slots", grace)


async def _beat(settings: Settings) -> None:
    from filewright.converter.bootstrap import build_beat  # noqa: PLC0415 - as in `serve`

    await _until_told(settings, build_beat(settings), "beat", 0.0)


async def _migrate() -> None:
    from filewright.chassis.telemetry.logs import configure_logs  # noqa: PLC0415 - as in `serve`
    from filewright.converter.bootstrap import migrate  # noqa: PLC0415

    settings = load()
    configure_logs(settings.log_format)
    typer.echo(f"The database is at revision {await migrate(settings)}")


async def _until_told(
    settings: Settings, building: AbstractAsyncContextManager[Services], what: str, grace: float
) -> None:
    """Run a process that answers nobody until SIGTERM or Ctrl-C."""
    from filewright.chassis.sandbox.port import SandboxUnavailable  # noqa: PLC0415 - as in `serve`
    from filewright.chassis.telemetry.logs import configure_logs  # noqa: PLC0415
    from filewright.converter.bootstrap import running  # noqa: PLC0415

    configure_logs(settings.log_format)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, told.set)
    try:
        async with building as services, running(services, grace=grace):
            typer.echo(f"Filewright {what}")
            await told.wait()
    except SandboxUnavailable as error:
        raise SettingsError(str(error)) from None
