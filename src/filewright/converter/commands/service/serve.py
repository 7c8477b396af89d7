"""`filewright serve`: page, API and workers in one process."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from pathlib import Path
from typing import Annotated

import typer

from filewright.converter.settings import Settings, SettingsError, load

BACKLOG = 2048

HELP = """Serve the page, the API and the workers from one process.

Prints the address when it is ready. Ctrl-C lets running jobs end, gives the rest back to the queue, and stops; whatever
was accepted goes on at the next start. On a loopback address the machine belongs to the caller; on any other address
strangers get the limits of the anonymous tier.
"""
EXAMPLES = """Examples:

\b
  filewright serve
  filewright serve --port 9000 --data /var/lib/filewright --slots 4
  FILEWRIGHT_LOG_FORMAT=json filewright serve --host 0.0.0.0
"""


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)] = 8000,
    data: Annotated[
        Path | None, typer.Option(help="Directory for everything that is kept.", envvar="FILEWRIGHT_DATA_DIR")
    ] = None,
    slots: Annotated[
        int | None, typer.Option(help="Conversions at the same time.", min=1, envvar="FILEWRIGHT_SLOTS")
    ] = None,
) -> None:
    """The command; its help is `HELP`."""
    try:
        settings = load(data_dir=data, slots=slots)
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(_serve(settings, host, port))
    except SettingsError as error:
        typer.echo(f"filewright: {error}", err=True)
        raise typer.Exit(2) from None


def new_loop() -> asyncio.AbstractEventLoop:
    """The fast one (uvloop) where it runs: for the same work it takes half the time of asyncio's own."""
    from uvicorn.loops.auto import auto_loop_factory  # noqa: PLC0415 - as below

    return auto_loop_factory()()


async def _serve(settings: Settings, host: str, port: int) -> None:
    # Imported here, so that `filewright --help` and `convert` do not wait for a web framework.
    from filewright.chassis.garbage import spare_what_stays  # noqa: PLC0415
    from filewright.chassis.sandbox.port import SandboxUnavailable  # noqa: PLC0415
    from filewright.chassis.telemetry.logs import configure_logs  # noqa: PLC0415
    from filewright.chassis.web.drain import Drain  # noqa: PLC0415
    from filewright.chassis.web.server import make_server  # noqa: PLC0415
    from filewright.converter.bootstrap import build, running  # noqa: PLC0415
    from filewright.converter.site.serving import application  # noqa: PLC0415

    configure_logs(settings.log_format)
    drain = Drain()
    with listening(host, port) as listener:
        try:
            async with build(settings) as services:
                app = application(services, settings, local=_is_loopback(host), drain=drain, running=running(services))
                server = make_server(app, drain, host=host, port=listener.getsockname()[1])
                spare_what_stays()
                listener.listen(BACKLOG)  # from here on a client is answered, at worst a moment later
                typer.echo(f"Filewright is serving on {shown_address(listener, host)}")
                await server.serve(sockets=[listener])
        except SandboxUnavailable as error:
            raise SettingsError(str(error)) from None


def listening(host: str, port: int) -> socket.socket:
    """Bound before anything else starts, so that a taken port is told at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}. Choose another --port or --host."
        ) from None
    return listener


def shown_address(listener: socket.socket, host: str) -> str:
    """What a person types to get there."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
