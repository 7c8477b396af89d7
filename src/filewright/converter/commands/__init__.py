"""The command line.

    converting    convert, operate                      service      serve, api, worker, beat, migrate
    machine       formats, routes, doctor, engines      operators    admin, tiers

Each command is a thin edge: it reads arguments, calls a room below, and says what came of it in words, or in JSON when
asked. Heavy imports wait until a command runs, so that `--help` is quick. Exit codes are a contract (`exits.py`).
"""

from filewright.converter.commands.app import app

__all__ = ["app"]
