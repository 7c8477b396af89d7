"""The `filewright` command: one Typer app, to which each room brings its own commands."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from filewright.converter.commands import app  # noqa: PLC0415

    app()
