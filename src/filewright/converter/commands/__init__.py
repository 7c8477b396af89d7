"""The command line: `filewright convert`, `formats`, `routes`, `doctor`.

Each command is a thin edge: it reads arguments, calls a room below, and says what came of it in words, or in JSON when
asked. Heavy imports wait until a command runs, so that `--help` is quick. Exit codes are a contract (`exits.py`).
"""

from filewright.converter.commands.app import app

__all__ = ["app"]
