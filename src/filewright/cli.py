"""The `filewright` command: one Typer app, to which each room brings its own commands."""

from __future__ import annotations

from functools import cache

import typer


@cache
def application() -> typer.Typer:
    """The whole command line: what the product brings, and the stack."""
    from filewright.converter.commands import app  # noqa: PLC0415
    from filewright.stack.commands import stack  # noqa: PLC0415

    app.add_typer(stack)
    return app


def main() -> None:
    """Run the command line."""
    application()()
