"""A systemd unit as text: enough of its format to ask what it says."""

from __future__ import annotations

import shlex
from collections import defaultdict
from pathlib import Path


def load(path: Path) -> dict[str, list[str]]:
    """Every value of every setting, in order, whatever its section."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#;[":
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


def environment(unit: dict[str, list[str]], secrets: Path, instance: str) -> dict[str, str]:
    """What the program is told, with credentials where they come from."""
    sources = {}
    for credential in unit["LoadCredential"]:
        name, _, source = credential.partition(":")
        sources[f"%d/{name}"] = str(secrets / Path(source).name)
    told = dict(line.partition("=")[::2] for line in unit["Environment"])
    return {name: sources.get(value, value).replace("%i", instance) for name, value in told.items()}


def arguments(unit: dict[str, list[str]], instance: str) -> list[str]:
    """The command line of `filewright`, as systemd would write it."""
    told = dict(line.partition("=")[::2] for line in unit["Environment"])
    (line,) = unit["ExecStart"]
    for name, value in told.items():
        line = line.replace(f"${{{name}}}", value)
    program, *rest = shlex.split(line.replace("%i", instance))
    assert program.endswith("/filewright")
    return rest


def seconds(value: str) -> float:
    """Of `90` or `15min`."""
    return float(value.removesuffix("min")) * 60 if value.endswith("min") else float(value)
