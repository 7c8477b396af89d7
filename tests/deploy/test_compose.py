"""The Compose files have the shape of the service, and keep what is not public from the public."""

from __future__ import annotations

import configparser
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploykit import compose

from filewright.chassis.db.database import Database
from filewright.converter.settings import load
from filewright.stack.roles import ROLES

DATA = {"postgres", "pgbouncer", "redis-broker", "redis-cache", "s3", "clamd"}


def _seconds(text: str) -> float:
    return float(text.removesuffix("s"))


@pytest.mark.requirement("A14", "B12", "S41")
def test_every_container_has_limits_and_only_what_it_needs(document: dict[str, Any]) -> None:
    for name, service in document["services"].items():
        limits = service["deploy"]["resources"]["limits"]
        assert set(limits) == {"cpus", "memory", "pids"}, name
        assert "container_name" not in service, "would forbid a second one"
        assert not service.get("privileged"), name
    for name, service in compose.of_the_product(document).items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name


def test_every_container_is_asked_how_it_is_or_says_that_nobody_can(document: dict[str, Any]) -> None:
    for name, service in document["services"].items():
        if name == "clamd":  # its image brings its own
            continue
        check = service["healthcheck"]
        assert check == {"disable": True} or check["test"][0] in {"CMD", "CMD-SHELL"}, name
    waited = {
        (name, other)
        for name, service in document["services"].items()
        for other, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_healthy"
    }
    for name, other in waited:
        assert document["services"][other]["healthcheck"] != {"disable": True}, f"{name} would wait for {other} forever"


def test_all_that_a_service_names_is_there(document: dict[str, Any], deploy: Path) -> None:
    services = document["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        assert set(service["networks"]) <= set(document["networks"]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in document["volumes"] or (deploy / "compose" / source).is_file(), f"{name}: {volume}"
        for secret in service.get("secrets", []):
            source = secret if isinstance(secret, str) else secret["source"]
            assert Path(document["secrets"][source]["file"]).is_file(), f"{name}: {source}"
        for option in service.get("security_opt", []):
            if option.startswith("seccomp=."):
                assert (deploy / "compose" / option.removeprefix("seccomp=")).is_file()


@pytest.mark.requirement("A10")
def test_only_the_front_is_reached_from_outside(document: dict[str, Any], kind: str) -> None:
    published = {name: service["ports"] for name, service in document["services"].items() if "ports" in service}
    networks = document["networks"]
    if kind == "dev":
        assert list(networks) == ["dev"], "one bridge"
        assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
        return
    assert set(published) == {"nginx"}
    assert networks["app"]["internal"]
    assert networks["data"]["internal"]
    on = {name: set(service["networks"]) for name, service in document["services"].items()}
    assert {name for name, of in on.items() if "public" in of} == {"nginx"}
    assert "data" not in on["nginx"], "the front never sees the database"
    assert {name for name, of in on.items() if "app" in of} == {"nginx", "api"} | ({"s3"} & set(on))
    for name in DATA & set(on):
        assert "public" not in on[name], name


@pytest.mark.requirement("A1", "B2")
def test_there_are_as_many_of_each_role_as_was_asked_for(document: dict[str, Any], kind: str) -> None:
    counts = {name: service["deploy"].get("replicas", 1) for name, service in compose.of_the_product(document).items()}
    if kind == "dev":
        assert set(counts) == set(ROLES)
    else:
        assert counts == {"migrate": 1, "api": 3, "worker": 5, "worker-standard": 1, "beat": 2}
        standard = document["services"]["worker-standard"]["command"]
        assert standard[standard.index("--queues") + 1] == "standard"


def test_every_role_of_a_stack_is_here_and_has_the_same_time_to_end(document: dict[str, Any]) -> None:
    for name, role in ROLES.items():
        service = document["services"][name]
        assert service["command"][0] == role.arguments[0]
        if not role.once:
            assert _seconds(service["stop_grace_period"]) >= role.grace_seconds
            assert service["restart"] == "unless-stopped"
    assert ROLES["migrate"].once
    assert document["services"]["migrate"]["restart"] == "no"


def test_a_role_starts_after_the_schema_is_there(document: dict[str, Any]) -> None:
    for name, service in compose.of_the_product(document).items():
        if name != "migrate":
            assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_a_worker_takes_as_many_jobs_as_its_limit_has_processors(document: dict[str, Any]) -> None:
    for name, service in compose.of_the_product(document).items():
        if name.startswith("worker"):
            slots = int(service["environment"]["FILEWRIGHT_SLOTS"])
            assert slots == float(service["deploy"]["resources"]["limits"]["cpus"])


@pytest.mark.requirement("E3")
def test_the_pooler_shows_the_database_few_connections_and_takes_many(document: dict[str, Any], deploy: Path) -> None:
    for path in (deploy / "compose" / "pgbouncer.ini", deploy / "systemd" / "pgbouncer.ini"):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(path, encoding="utf-8")
        pooler = parser["pgbouncer"]
        assert pooler["pool_mode"] == "transaction"
        assert pooler.getint("max_db_connections") == 25
        assert pooler.getint("default_pool_size") + pooler.getint("reserve_pool_size") == 25
        assert pooler.getint("max_client_conn") == 1000
    postgres = document["services"]["postgres"]["command"]
    most = next(int(part.partition("=")[2]) for part in postgres if part.startswith("max_connections="))
    assert most >= pooler.getint("max_db_connections") + 10
    processes = sum(service["deploy"].get("replicas", 1) for service in compose.of_the_product(document).values())
    pool = Database.__init__.__kwdefaults__["pool_size"]
    assert processes * pool <= pooler.getint("max_client_conn")


@pytest.mark.requirement("F1")
def test_the_broker_never_drops_a_hint_for_room_and_the_cache_stands_apart(
    deploy: Path, document: dict[str, Any]
) -> None:
    broker, cache = ((deploy / "compose" / f"redis-{name}.conf").read_text() for name in ("broker", "cache"))
    assert "maxmemory-policy noeviction" in broker
    assert "appendonly yes" in broker
    assert "maxmemory-policy allkeys-lru" in cache
    for name, text in (("broker", broker), ("cache", cache)):
        service = document["services"][f"redis-{name}"]
        assert f"./redis-{name}.conf:/etc/redis/redis.conf:ro" in service["volumes"]
        (megabytes,) = re.findall(r"^maxmemory (\d+)mb$", text, re.MULTILINE)
        room = service["deploy"]["resources"]["limits"]["memory"]
        assert int(megabytes) < int(room.removesuffix("M")), "the container would be killed before Redis is full"


@pytest.mark.requirement("H2")
def test_the_bucket_is_a_server_of_ours_in_staging_and_a_service_in_production(
    document: dict[str, Any], kind: str, secrets: Path
) -> None:
    settings = load({"FILEWRIGHT_CONFIG": str(secrets / "settings.env")})
    assert settings.storage_url is not None
    if kind == "prod":
        assert "s3" not in document["services"]
        assert settings.storage_url == "s3://files?region=eu-central-1"
        return
    assert "endpoint=http://s3:8333" in settings.storage_url
    assert document["services"]["s3"]["deploy"]["resources"]["limits"]["cpus"] == "1"
    assert document["services"]["s3"]["deploy"]["resources"]["limits"]["memory"] == "4G"
    verb, *options = document["services"]["s3"]["command"]
    told = subprocess.run(
        [Path(sys.executable).with_name("weed"), verb, "-h"], capture_output=True, text=True, check=False
    )
    known = set(re.findall(r"^\s+(-[\w.]+)", told.stdout + told.stderr, re.MULTILINE))
    assert {option.split("=")[0] for option in options} <= known


def test_production_differs_from_staging_in_the_bucket_alone(deploy: Path) -> None:
    staging, prod = (yaml.safe_load((deploy / "compose" / f"{name}.yaml").read_text()) for name in ("staging", "prod"))
    for service in staging["services"].values():
        service.get("depends_on", {}).pop("s3", None)
    edge = [line for line in staging["services"]["nginx"]["volumes"] if "bucket.conf" in line or "edge.conf" in line]
    assert len(edge) == 2
    for line in edge:
        staging["services"]["nginx"]["volumes"].remove(line)
    for name in ("api", "beat", "migrate", "worker", "worker-standard"):
        assert prod["services"][name]["networks"] == [*staging["services"][name]["networks"], "outside"]
        prod["services"][name]["networks"] = staging["services"][name]["networks"]
    del staging["services"]["s3"]
    assert staging["services"] == prod["services"]


@pytest.mark.requirement("S35")
def test_no_secret_is_in_an_environment_or_on_a_command_line(document: dict[str, Any], secrets: Path) -> None:
    values = {
        word
        for path in secrets.iterdir()
        if path.suffix != ".crt"
        for word in re.findall(r"[0-9a-zA-Z+/]{20,}", path.read_text())
    }
    assert values
    text = yaml.safe_dump(document["services"])
    assert not [value for value in values if value in text]


@pytest.mark.requirement("S34")
def test_secrets_are_for_their_owner_alone_and_never_made_twice(secrets: Path, deploy: Path) -> None:
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    before = (secrets / "secret_key").read_bytes()
    again = subprocess.run([deploy / "make-secrets", secrets], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert (secrets / "secret_key").read_bytes() == before


def test_the_check_of_these_files_refuses_what_compose_would_refuse(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    for text in (
        "services: {a: {image: b, restrat: always}}",
        "services: {a: {image: b, networks: [nowhere]}}",
        "services: {a: {image: b, ports: [many]}}",
    ):
        wrong.write_text(text)
        with pytest.raises(Exception, match=r"."):
            compose.load(wrong, {})
    wrong.write_text("services: {a: {image: '${MISSING:?say it}'}}")
    with pytest.raises(compose.VariableMissing, match="say it"):
        compose.load(wrong, {})
