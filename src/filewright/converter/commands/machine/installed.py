"""The engines that a command finds here, with those of the folder that the settings name; and one of them by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from filewright.converter.engines.plugins.gathering import Gathered
    from filewright.converter.engines.port import Engine
    from filewright.converter.engines.registry import Registry

Which = Annotated[
    str, typer.Argument(metavar="ENGINE", help="An engine file (`*.yaml`), or the name of an engine that is installed.")
]


def registry() -> Registry:
    """All engines, installed or not."""
    from filewright.converter.engines.registry import Registry  # noqa: PLC0415 - keeps --help quick

    return Registry(gathered().engines)


def gathered() -> Gathered:
    """The same, with what was left out and why; what is wrong with the settings themselves is told elsewhere."""
    from filewright.converter.engines.plugins.gathering import gather  # noqa: PLC0415 - keeps --help quick
    from filewright.converter.settings import SettingsError, load  # noqa: PLC0415

    try:
        return gather(load().engines_dir)
    except SettingsError:
        return gather()


def engine_called(which: str) -> Engine:
    """Of a file by its path, or of those that are installed by its name; ends the command when there is none."""
    from filewright.converter.engines.plugins.engine_files import ENDINGS, read_engine  # noqa: PLC0415 - quick --help
    from filewright.converter.engines.plugins.gathering import gather  # noqa: PLC0415
    from filewright.converter.engines.plugins.problem import PluginError  # noqa: PLC0415
    from filewright.converter.engines.standard import standard_engines  # noqa: PLC0415
    from filewright.converter.settings import load  # noqa: PLC0415

    if which.endswith(ENDINGS):
        try:
            return read_engine(Path(which), taken={engine.name for engine in standard_engines()})
        except PluginError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
    found = {engine.name: engine for engine in gather(load().engines_dir).engines}
    if which not in found:
        typer.echo(
            f"There is no engine called {which!r}; `filewright doctor` lists them. A file ends in .yaml.", err=True
        )
        raise typer.Exit(2)
    return found[which]
