"""From a shape to a plan: the data tier, the front, and as many of each role of the product as were asked for.

Writes the programs' configuration as it goes, from `templates/`. Every program is started in a folder of its own and
names its files relative to that folder: it may run as another user, who need not be able to walk there.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from filewright.chassis.telemetry import heartbeat
from filewright.stack import front_files, programs
from filewright.stack.certificate import certificate
from filewright.stack.errors import StackProblem
from filewright.stack.front_files import BUCKET
from filewright.stack.layout import Layout, Memory, Secrets, Shape, write_private
from filewright.stack.plan import FrontPlan, Plan, Service
from filewright.stack.programs import CLAMD, NGINX, PGBOUNCER, POSTGRES, REDIS, WEED
from filewright.stack.rendering import render
from filewright.stack.roles import COUNTED, EDGE_ROLE, SHARED, Role

DATABASE = "filewright"

POOL_SIZE, RESERVE_SIZE, MAX_CLIENTS = 20, 5, 2000
DIRECT_CONNECTIONS = 15
"""Beside the pool's: migrations, listeners, an operator's psql, and PostgreSQL's own reserve."""
_SIGNATURES = Path("/var/lib/clamav")
_EICAR = "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test-Signature\n"
_SMALLEST_CACHE, _EDGE_CACHE = "128mb", "1g"
_S3_PARTS = ("master", "volume", "filer")
_S3_PORTS = ("s3-admin", "s3-grpc", *(f"s3-{part}{twin}" for part in _S3_PARTS for twin in ("", "-grpc")))
DATA_PORTS = ("nginx", "nginx-tls", "postgres", "pgbouncer", "redis-broker", "redis-cache", "s3", *_S3_PORTS)


@dataclass(frozen=True)
class Planner:
    """Everything a plan is made from."""

    layout: Layout
    memory: Memory
    secrets: Secrets
    roles: Mapping[str, Role]
    generations: Mapping[str, int]
    """By name; a raised one has the process replaced."""

    def plan(self, revision: int, *, rolling: bool = True) -> Plan:
        """The plan; its configuration files are written, so a program may start at once."""
        self._write_settings()
        data = (*self._postgres(), self._pgbouncer(), *self._redis(), self._s3(), *self._clamd())
        services = (*data, *self._product(), self._nginx())
        return Plan(
            revision=revision,
            rolling=rolling,
            url=f"http://{self._shown_host}:{self._port('nginx')}",
            secure_url=f"https://{self._shown_host}:{self._port('nginx-tls')}",
            services=services,
            front=FrontPlan(
                service="nginx",
                role=EDGE_ROLE,
                rotation_file=self.layout.run / "nginx" / "rotation.conf",
                health_url=f"http://{self._probed_host}:{self._port('nginx')}/.front",
            ),
        )

    # --- the data tier -------------------------------------------------------------------------------------------

    def _postgres(self) -> Iterator[Service]:
        home, user = self.layout.folder(self.layout.data / "postgres", None), programs.user_of(POSTGRES)
        version_file = home / "data" / "PG_VERSION"
        version = version_file.read_text(encoding="ascii").strip() if (home / "initialised").exists() else ""
        program = programs.path_of(POSTGRES, version)
        yield self._service(
            "postgres-setup",
            "setup",
            (sys.executable, "-m", "filewright.stack.first_start", str(self.layout.data), program),
            once=True,
        )
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port("postgres")),
            "unix_socket_directories": "",
            "max_connections": str(POOL_SIZE + RESERVE_SIZE + DIRECT_CONNECTIONS),
            "shared_buffers": "128MB",
            "wal_level": "replica",
            "client_connection_check_interval": "5s",  # who gave up in the middle of a statement went away
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] ",
            "dynamic_shared_memory_type": "mmap",  # in the data directory, so nothing of it stays elsewhere
            "cluster_name": f"filewright-{self.memory.id}",
        }
        argv = [
            program,
            "-D",
            programs.HERE,
            *(part for item in settings.items() for part in ("-c", "=".join(item))),
        ]
        yield self._service(
            "postgres",
            "postgres",
            programs.from_here(argv),
            cwd=self.layout.folder(home / "data", user),
            user=user,
            probe=self._database_url("postgres"),
            after=("postgres-setup",),
            ending="SIGINT",  # open transactions are rolled back; SIGTERM would wait for every client to leave
            grace_seconds=30,
        )

    def _pgbouncer(self) -> Service:
        user = programs.user_of(PGBOUNCER)
        folder = self.layout.folder(self.layout.run / "pgbouncer", user)
        text = render(
            "pgbouncer.ini",
            database=DATABASE,
            port=self._port("pgbouncer"),
            postgres_port=self._port("postgres"),
            pool_size=POOL_SIZE,
            reserve_size=RESERVE_SIZE,
            max_connections=POOL_SIZE + RESERVE_SIZE,
            max_clients=_max_clients(),
        )
        write_private(folder / "pgbouncer.ini", text, user)
        write_private(folder / "users.txt", f'"{DATABASE}" "{self.secrets.database}"\n', user)
        return self._service(
            "pgbouncer",
            "pgbouncer",
            (programs.path_of(PGBOUNCER), "pgbouncer.ini"),
            cwd=folder,
            user=user,
            probe=self._database_url("pgbouncer"),
            after=("postgres",),
        )

    def _redis(self) -> Iterator[Service]:
        broker = {"policy": "noeviction", "appendonly": "yes", "max_memory": "256mb"}
        cache = {"policy": "allkeys-lru", "appendonly": "no", "max_memory": _SMALLEST_CACHE}
        purposes = (
            (
                "redis-broker",
                "Hints for the queue: refused when full, never silently dropped.",
                broker,
                self.layout.data,
            ),
            ("redis-cache", "What can be computed again: the least used goes first.", cache, self.layout.run),
        )
        user = programs.user_of(REDIS)
        for name, purpose, settings, above in purposes:
            folder = self.layout.folder(above / name, user)
            text = render("redis.conf", purpose=purpose, port=self._port(name), password=self.secrets.redis, **settings)
            write_private(folder / "redis.conf", text, user)
            yield self._service(
                name,
                "redis",
                (programs.path_of(REDIS), "/proc/self/cwd/redis.conf"),
                cwd=folder,
                user=user,
                probe=f"redis://:{self.secrets.redis}@127.0.0.1:{self._port(name)}",
            )

    def _s3(self) -> Service:
        folder = self.layout.folder(self.layout.data / "s3", None)
        config = self.layout.folder(self.layout.run / "s3", None)
        keys = {"accessKey": self.secrets.s3_key_id, "secretKey": self.secrets.s3_secret}
        allowed = ["Admin", "Read", "Write", "List", "Tagging"]
        identities = [{"name": "filewright", "credentials": [keys], "actions": allowed}]
        write_private(config / "s3.json", json.dumps({"identities": identities}))
        ports = {f"{part}.port": f"s3-{part}" for part in ("admin", *_S3_PARTS)}
        ports |= {f"{part}.port.grpc": f"s3-{part}-grpc" for part in _S3_PARTS}
        ports |= {"s3.port": "s3", "s3.port.grpc": "s3-grpc"}
        argv = (
            programs.path_of(WEED), "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            *(f"-{option}={self._port(name)}" for option, name in ports.items()),
            f"-s3.config={config / 's3.json'}", f"-bucket={BUCKET}", "-s3.port.iceberg=0", "-s3.port.lance=0",
            "-s3.localSocket=s3.sock", "-filer.localSocket=filer.sock",
            "-webdav=false", "-admin.ui=false", "-master.telemetry=false",
        )  # fmt: skip
        return self._service(
            "s3", "s3", argv, cwd=config, probe=f"http://127.0.0.1:{self._port('s3')}/healthz", grace_seconds=15
        )

    def _clamd(self) -> Iterator[Service]:
        """With the signatures that freshclam keeps on this machine, or else with that of the EICAR test file alone."""
        if not self.memory.shape.clamd:
            return
        user = programs.user_of(CLAMD)
        folder = self.layout.folder(self.layout.run / "clamd", user)
        own = self.layout.folder(folder / "signatures", user)
        write_private(own / "eicar.hdb", _EICAR, user)
        kept = any(_SIGNATURES.glob("main.c[lv]d"))
        values = {"port": self._port("clamd"), "signatures": _SIGNATURES if kept else programs.HERE + "/signatures"}
        write_private(folder / "clamd.conf", render("clamd.conf", scratch=programs.HERE, **values), user)
        yield self._service(
            "clamd",
            "clamd",
            programs.from_here((programs.path_of(CLAMD), f"--config-file={programs.HERE}/clamd.conf")),
            cwd=folder,
            user=user,
            probe=f"clamd://127.0.0.1:{self._port('clamd')}",
            start_seconds=180,  # reading millions of signatures takes its time
            grace_seconds=20,
        )

    # --- the front -----------------------------------------------------------------------------------------------

    def _nginx(self) -> Service:
        user = programs.user_of(NGINX)
        folder = self.layout.folder(self.layout.run / "nginx", user)
        for name in ("tmp", "cache"):
            self.layout.folder(folder / name, user)
        text = front_files.of_stack(
            listen=f"{self._shown_host}:{self._port('nginx')}",
            listen_tls=f"{self._shown_host}:{self._port('nginx-tls')}",
            open_files=_open_files(),
            cache_size=_EDGE_CACHE,
            brotli=front_files.brotli_module(),
        )
        write_private(folder / "nginx.conf", text, user)
        for name, pem in zip(("tls.crt", "tls.key"), certificate(self.layout, self.memory.host), strict=True):
            write_private(folder / name, pem, user)
        return self._service(
            "nginx",
            "nginx",
            (programs.path_of(NGINX), "-p", "./", "-c", "nginx.conf", "-e", "stderr"),
            cwd=folder,
            user=user,
            probe=f"http://{self._probed_host}:{self._port('nginx')}/.front",
            after=("s3", EDGE_ROLE),
            ending="SIGQUIT",  # what is under way is finished
            grace_seconds=25,
        )

    # --- the product ---------------------------------------------------------------------------------------------

    def _product(self) -> Iterator[Service]:
        counts = self.memory.shape.counts
        wanted = any(counts.get(name, 0) for name in COUNTED)
        for role_name, role in self.roles.items():
            if role.once:
                names = [role_name] if wanted else []
            else:
                names = [f"{role_name}-{number}" for number in range(1, counts.get(role_name, 0) + 1)]
            for name in names:
                yield self._process_of(role_name, role, name)

    def _process_of(self, role_name: str, role: Role, name: str) -> Service:
        port = self._port(name) if role.ready_path else None
        scratch = self.layout.folder(self.layout.run / "work" / name, None)
        values = {
            "name": name,
            "port": port,
            "slots": self.memory.shape.slots or 1,
            "direct_database_url": self._database_url("postgres"),
        }
        settings = {
            **self.memory.settings,
            "CONFIG": str(self.layout.settings_file),
            "DATA_DIR": str(scratch),
            **{key: value.format(**values) for key, value in role.settings.items()},
            **self._scanner(),
        }
        command = role.command or (sys.executable, "-m", "filewright")
        return self._service(
            name,
            role_name,
            (*command, *(argument.format(**values) for argument in role.arguments)),
            cwd=scratch,
            port=port,
            probe=_probe_of(role, port, scratch),
            after=(*SHARED, *role.after),
            once=role.once,
            grace_seconds=role.grace_seconds,
            start_seconds=role.start_seconds,
            settings={f"FILEWRIGHT_{key}": value for key, value in settings.items()},
        )

    def _scanner(self) -> Mapping[str, str]:
        """In the environment and not only in the file: where it comes or goes, processes have to be replaced."""
        return {"CLAMD_URL": f"tcp://127.0.0.1:{self._port('clamd')}"} if self.memory.shape.clamd else {}

    def _write_settings(self) -> None:
        text = render(
            "filewright.env",
            database=DATABASE,
            database_password=self.secrets.database,
            pgbouncer_port=self._port("pgbouncer"),
            redis_password=self.secrets.redis,
            broker_port=self._port("redis-broker"),
            cache_port=self._port("redis-cache"),
            bucket=BUCKET,
            s3_port=self._port("s3"),
            s3_key_id=self.secrets.s3_key_id,
            s3_secret=self.secrets.s3_secret,
            secret_key_file=self.layout.secret_key_file,
            processes=",".join(f"{role}={count}" for role, count in self.memory.shape.counts.items() if count),
            pooler=f"clients={_max_clients()},servers={POOL_SIZE + RESERVE_SIZE}",
        )
        text += "".join(f"FILEWRIGHT_{name}={value}\n" for name, value in self._scanner().items())
        write_private(self.layout.settings_file, text)

    # --- the small things ----------------------------------------------------------------------------------------

    def _service(self, name: str, role: str, argv: tuple[str, ...], **more: object) -> Service:
        settings = more.pop("settings", {})
        assert isinstance(settings, Mapping)
        fields = {
            "cwd": self.layout.data,
            "port": self.memory.ports.get(name),
            "environment": {**self.memory.environment, **settings},
            "generation": self.generations.get(name, 0),
        }
        return Service.model_validate({"name": name, "role": role, "argv": argv, **fields, **more})

    def _port(self, name: str) -> int:
        try:
            return self.memory.ports[name]
        except KeyError:
            raise StackProblem(f"{name} has no port yet; run `filewright stack up` again.") from None

    def _database_url(self, through: str) -> str:
        return f"postgresql://{DATABASE}:{self.secrets.database}@127.0.0.1:{self._port(through)}/{DATABASE}"

    @property
    def _probed_host(self) -> str:
        """Where this machine finds the front when it listens on every address."""
        return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.memory.host, self._shown_host)  # noqa: S104

    @property
    def _shown_host(self) -> str:
        """As it stands in an address."""
        return f"[{self.memory.host}]" if ":" in self.memory.host else self.memory.host


def _probe_of(role: Role, port: int | None, scratch: Path) -> str | None:
    if role.ready_path:
        return f"http://127.0.0.1:{port}{role.ready_path}"
    return f"file://{scratch / heartbeat.FILE}" if role.beats else None


def ports_wanted(shape: Shape, roles: Mapping[str, Role]) -> list[str]:
    """The names of everything in this shape that listens."""
    listening = (name for name, role in roles.items() if role.ready_path)
    return [
        *DATA_PORTS,
        *(["clamd"] if shape.clamd else []),
        *(f"{role}-{number}" for role in listening for number in range(1, shape.counts.get(role, 0) + 1)),
    ]


def _max_clients() -> int:
    return min(MAX_CLIENTS, _open_files() - 100)


def _open_files() -> int:
    """How many files one process may have open here; the supervisor raises its own limit to that."""
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 1 << 20)
