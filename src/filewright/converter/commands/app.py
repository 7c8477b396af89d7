"""The Typer app, to which the other rooms add their commands."""

from __future__ import annotations

from typing import Annotated

import typer

from filewright import __version__
from filewright.converter.commands.converting.convert import convert
from filewright.converter.commands.converting.fonts import fonts
from filewright.converter.commands.converting.operate import operate, operations
from filewright.converter.commands.exits import CODES_EPILOG
from filewright.converter.commands.machine.doctor import doctor
from filewright.converter.commands.machine.engines import engines
from filewright.converter.commands.machine.look_up import formats, routes
from filewright.converter.commands.operators.admin import admin
from filewright.converter.commands.operators.oversight import audit, flag, quarantine
from filewright.converter.commands.operators.tiers import tiers
from filewright.converter.commands.service.roles import (
    API_EXAMPLES,
    API_HELP,
    BEAT_HELP,
    MIGRATE_HELP,
    WORKER_EXAMPLES,
    WORKER_HELP,
    api,
    beat,
    migrate,
    worker,
)
from filewright.converter.commands.service.serve import EXAMPLES as SERVE_EXAMPLES
from filewright.converter.commands.service.serve import HELP as SERVE_HELP
from filewright.converter.commands.service.serve import serve

app = typer.Typer(
    name="filewright",
    help="Turn any file into the form you need.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version_flag(wanted: bool) -> None:
    if wanted:
        typer.echo(f"filewright {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version_flag, is_eager=True)
    ] = False,
) -> None:
    """Turn any file into the form you need."""


app.command(epilog=CODES_EPILOG, no_args_is_help=True)(convert)
app.command(epilog=CODES_EPILOG, no_args_is_help=True)(operate)
app.command()(operations)
app.add_typer(fonts)
app.command()(formats)
app.command(epilog=CODES_EPILOG)(routes)
app.command()(doctor)
app.add_typer(engines)
app.command()(tiers)
admin.add_typer(audit, name="audit")
admin.add_typer(flag, name="flag")
admin.add_typer(quarantine, name="quarantine")
app.add_typer(admin)
app.command(help=SERVE_HELP, epilog=SERVE_EXAMPLES)(serve)
app.command(help=API_HELP, epilog=API_EXAMPLES)(api)
app.command(help=WORKER_HELP, epilog=WORKER_EXAMPLES)(worker)
app.command(help=BEAT_HELP)(beat)
app.command(help=MIGRATE_HELP)(migrate)
