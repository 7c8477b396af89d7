"""Deploy files, settings and commands say the same: what is set exists, what is needed is set, what runs is known."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from deploykit import compose, units

from filewright.cli import application
from filewright.converter.settings import PREFIX, Settings, load

OF_THE_COMPOSE_FILES = {"IMAGE", "PORT", "SECRETS", "APP_SUBNET"}
"""Variables that Compose fills in and no program sees."""
INSTANCES = {"api": "8001", "worker": "1", "beat": "1", "migrate": ""}


def _parse(arguments: list[str]) -> None:
    """Raises a usage error where `filewright` would; runs nothing."""
    commands: dict[str, Any] = typer.main.get_command(application()).commands  # type: ignore[attr-defined]
    name, *rest = arguments
    assert name in commands, f"filewright has no command {name}"
    commands[name].make_context(name, rest)


def test_every_setting_that_is_named_exists(deploy: Path) -> None:
    known = {name.upper() for name in Settings.model_fields} | {"CONFIG"} | OF_THE_COMPOSE_FILES
    named = {
        (path.name, name)
        for path in deploy.rglob("*")
        if path.is_file()
        for name in re.findall(rf"{PREFIX}([A-Z][A-Z0-9_]*)", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    assert not {(place, name) for place, name in named if name not in known}


def test_each_container_has_all_that_its_role_needs(document: dict[str, Any]) -> None:
    for name, service in compose.of_the_product(document).items():
        settings = load(compose.environment(document, service))
        settings.require_distributed()
        assert settings.database_url is not None
        assert ("@postgres:5432/" if name == "migrate" else "@pgbouncer:6432/") in settings.database_url
        assert (settings.trusted_proxies != ()) == (name == "api")


@pytest.mark.requirement("S12")
def test_the_front_is_the_only_one_whose_word_is_believed(document: dict[str, Any], kind: str) -> None:
    api = document["services"]["api"]["environment"]["FILEWRIGHT_TRUSTED_PROXIES"]
    network = document["networks"]["dev" if kind == "dev" else "app"]
    assert network["ipam"]["config"] == [{"subnet": api}]


def test_containers_run_commands_that_the_program_knows(document: dict[str, Any]) -> None:
    for service in compose.of_the_product(document).values():
        _parse(service["command"])


def test_a_container_is_killed_only_after_its_jobs_had_their_time(document: dict[str, Any]) -> None:
    for service in compose.of_the_product(document).values():
        if "--grace" in service["command"]:
            grace = float(service["command"][service["command"].index("--grace") + 1])
            assert float(service["stop_grace_period"].removesuffix("s")) >= grace + 15


def test_the_image_runs_a_command_that_the_program_knows(deploy: Path) -> None:
    text = (deploy / "Dockerfile").read_text(encoding="utf-8")
    (entry,), (command,) = (re.findall(rf"^{word} (\[.*\])$", text, re.MULTILINE) for word in ("ENTRYPOINT", "CMD"))
    assert json.loads(entry) == ["filewright"]
    _parse(json.loads(command))


@pytest.mark.parametrize("role", list(INSTANCES))
def test_each_unit_has_all_that_its_role_needs_and_runs_what_the_program_knows(
    deploy: Path, secrets: Path, role: str
) -> None:
    (path,) = (deploy / "systemd").glob(f"filewright-{role}*.service")
    unit, instance = units.load(path), INSTANCES[role]
    told = units.environment(unit, secrets, instance)
    settings = load({name: value for name, value in told.items() if name.startswith(PREFIX)})
    settings.require_distributed()
    arguments = units.arguments(unit, instance)
    assert arguments[0] == role
    _parse(arguments)


def test_a_command_that_the_program_does_not_know_is_noticed() -> None:
    with pytest.raises(AssertionError, match="no command"):
        _parse(["wroker"])
    with pytest.raises(Exception, match="No such option"):
        _parse(["worker", "--qeues", "standard"])
