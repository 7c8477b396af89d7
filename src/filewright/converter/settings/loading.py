"""From the environment and a file to settings, or to the sentence that says what is wrong with them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from filewright.converter.settings.settings import PREFIX, Settings, SettingsError


def load(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Read the environment, then the file it names; `overrides` (from the command line) win over both.

    Raises SettingsError for a wrong value, or a name that does not exist.
    """
    environ = dict(os.environ if environment is None else environment)  # noqa: TID251 - the one place that reads it
    values = {**_from_file(environ.get(f"{PREFIX}CONFIG")), **_from_environment(environ)}
    for name in values:
        _check_name(name)
    values.update({name: value for name, value in overrides.items() if value is not None})
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_sentence(error)) from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    ours = {name.removeprefix(PREFIX).lower(): value for name, value in environ.items() if name.startswith(PREFIX)}
    for name in ("config", "api_key", "corpus", "test_seed"):  # the file's name, a caller's key, what tests are told
        ours.pop(name, None)
    return {name: value for name, value in ours.items() if value != ""}


def _from_file(path: str | None) -> dict[str, str]:
    if not path:
        return {}
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SettingsError(f"{PREFIX}CONFIG: cannot read {path}: {error.strerror}") from None
    found = {}
    for line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            name, _, value = line.partition("=")
            found[name.strip().removeprefix(PREFIX).lower()] = value.strip().strip('"')
    return found


def _check_name(name: str) -> None:
    if name in Settings.model_fields:
        return
    near = difflib.get_close_matches(name, Settings.model_fields, n=1)
    hint = f"; did you mean {PREFIX}{near[0].upper()}?" if near else "; docs/settings.md lists them all"
    raise SettingsError(f"{PREFIX}{name.upper()}: there is no such setting{hint}")


def _sentence(error: ValidationError) -> str:
    problems = []
    for problem in error.errors(include_url=False):
        where = "_".join(str(part) for part in problem["loc"][:1])
        message = problem["msg"].removeprefix("Value error, ")
        if not where and ": " in message:
            where, _, message = message.partition(": ")
        problems.append(f"{PREFIX}{where.upper()}: {message}")
    return "\n".join(problems)
