"""`filewright tiers`: what holds for whom, as the file that would make it so."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from filewright.converter.commands.exits import Exit

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]


def tiers(*, as_json: AsJson = False) -> None:
    """Show the tiers that hold: those of FILEWRIGHT_TIERS_FILE, or the packaged ones, to start a file of your own from.

    \b
    Examples:
      filewright tiers > tiers.yaml
      FILEWRIGHT_TIERS_FILE=tiers.yaml filewright tiers --json
    """  # noqa: D301 - click keeps the lines after this mark
    import yaml  # noqa: PLC0415 - keeps --help quick

    from filewright.converter.settings import SettingsError, load  # noqa: PLC0415
    from filewright.converter.tiers import file as tier_file  # noqa: PLC0415

    try:
        path = load().tiers_file
        found = tier_file.load(path)
    except (SettingsError, tier_file.TiersError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(Exit.USAGE) from None
    if as_json:
        typer.echo(json.dumps(tier_file.as_data(found)))
    elif path is None:
        typer.echo(tier_file.PACKAGED.read_text(encoding="utf-8"), nl=False)
    else:
        typer.echo(yaml.safe_dump(tier_file.as_data(found), sort_keys=False), nl=False)
