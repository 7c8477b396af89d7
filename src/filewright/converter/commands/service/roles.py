"""`filewright api`, `worker`, `beat` and `migrate`: the service as several processes that share no memory.

All state is outside: PostgreSQL, Redis and S3, named by `FILEWRIGHT_*`. Any of these processes may be killed at any
moment; SIGTERM lets it end what it does first.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from filewright.converter.commands.service.serve import BACKLOG, listening, new_loop, shown_address
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

--health and --alive ask a running worker with the same --data and end: 0 when it is so, 1 when not.
"""
WORKER_EXAMPLES = """Examples:

\b
  filewright worker --slots 4
  filewright worker --queues standard --grace 120
  FILEWRIGHT_DATA_DIR=/var/lib/filewright filewright worker --health
"""
BEAT_HELP = """Upkeep: free the jobs of the dead, hint again, delete what is past its time.

Start two for safety: one leads, the other takes its place when it is gone.

--health and --alive ask a running beat with the same --data and end: 0 when it is so, 1 when not.
"""
MIGRATE_HELP = """Bring the database's schema up to this version; safe to repeat and to start twice at once.

Point FILEWRIGHT_DATABASE_URL at PostgreSQL itself, not at a pooler.
"""

Data = Annotated[
    Path | None,
    typer.Option(help="Directory of this process's own for work in progress.", envvar="FILEWRIGHT_DATA_DIR"),
]
Health = Annotated[
    bool, typer.Option("--health", help="Say how the one that runs with this data directory is; 0: it can work.")
]
Alive = Annotated[bool, typer.Option("--alive", help="The same; 0: it lives, whether or not it can work now.")]


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
    *,
    health: Health = False,
    alive: Alive = False,
) -> None:
    """The command; its help is `WORKER_HELP`."""
    if health or alive:
        _tell_health(data, well=health)
    lanes = tuple(part.strip() for part in queues.split(",") if part.strip())
    _run(lambda: _worker(_settings(data_dir=data, slots=slots), lanes, grace))


def beat(data: Data = None, *, health: Health = False, alive: Alive = False) -> None:
    """The command; its help is `BEAT_HELP`."""
    if health or alive:
        _tell_health(data, well=health)
    _run(lambda: _beat(_settings(data_dir=data)))


def migrate() -> None:
    """The command; its help is `MIGRATE_HELP`."""
    _run(_migrate)


def _tell_health(data: Path | None, *, well: bool) -> None:
    """Say how the process of this data directory is, and end: 0 when it is well (or, if that is asked, alive)."""
    from filewright.chassis.clock import SystemClock  # noqa: PLC0415 - as in `serve`
    from filewright.chassis.telemetry.heartbeat import FILE, read_sign  # noqa: PLC0415

    try:
        sign = read_sign(load(data_dir=data).data_dir / FILE, SystemClock())
    except SettingsError as error:
        typer.echo(f"filewright: {error}", err=True)
        raise typer.Exit(2) from None
    said = {**sign.facts, "why": sign.why} if sign.why else dict(sign.facts)
    typer.echo(" ".join((str(sign.condition), *(f"{name}={value}" for name, value in said.items()))))
    raise typer.Exit(0 if (sign.is_well if well else sign.is_alive) else 1)


def _settings(**overrides: Any) -> Settings:
    settings = load(**overrides)
    settings.require_distributed()
    return settings


def _run(role: Callable[[], Coroutine[Any, Any, None]]) -> None:
    from filewright.chassis.db.errors import DatabaseUnavailable  # noqa: PLC0415 - as in `serve`

    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(role())
    except SettingsError as error:
        typer.echo(f"filewright: {error}", err=True)
        raise typer.Exit(2) from None
    except DatabaseUnavailable:
        typer.echo("filewright: the database that FILEWRIGHT_DATABASE_URL names does not answer", err=True)
        raise typer.Exit(1) from None


async def _api(settings: Settings, host: str, port: int, linger: float) -> None:
    from filewright.chassis.garbage import spare_what_stays  # noqa: PLC0415 - as in `serve`
    from filewright.chassis.telemetry.heartbeat import FILE, Heartbeat  # noqa: PLC0415
    from filewright.chassis.telemetry.logs import configure_logs  # noqa: PLC0415
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
            spare_what_stays()
            listener.listen(BACKLOG)
            async with Heartbeat(settings.data_dir / FILE, _turns, services.clock).beating():
                typer.echo(f"Filewright api is serving on {shown_address(listener, host)}")
                await server.serve(sockets=[listener])


async def _turns() -> tuple[str, Mapping[str, Any]]:
    """Of an API process: that its loop turns. Whether it can work is what /readyz answers."""
    return "", {}


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
    """Run a process that answers nobody until SIGTERM or Ctrl-C, which also end one that still waits to begin."""
    from filewright.chassis.garbage import spare_what_stays  # noqa: PLC0415 - as in `serve`
    from filewright.chassis.sandbox.port import SandboxUnavailable  # noqa: PLC0415
    from filewright.chassis.telemetry.heartbeat import FILE, Heartbeat  # noqa: PLC0415
    from filewright.chassis.telemetry.logs import configure_logs  # noqa: PLC0415
    from filewright.converter.bootstrap import running  # noqa: PLC0415
    from filewright.converter.maintenance.vitals import Vitals  # noqa: PLC0415

    configure_logs(settings.log_format)
    told, begun = asyncio.Event(), asyncio.Event()
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def end() -> None:
        told.set()
        if not begun.is_set():
            task.cancel()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, end)
    try:
        async with building as services:
            begun.set()
            vitals = Vitals({"database": services.database.ping}, services.loops, services.worker, services.facts)
            heartbeat = Heartbeat(settings.data_dir / FILE, vitals.look, services.clock)
            async with heartbeat.beating(), running(services, grace=grace):
                spare_what_stays()
                typer.echo(f"Filewright {what}")
                await told.wait()
                await heartbeat.drain()
    except SandboxUnavailable as error:
        raise SettingsError(str(error)) from None
    except asyncio.CancelledError:
        if begun.is_set() or not told.is_set():
            raise
