"""PostgreSQL, a copy of it that follows, and a pooler in front."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from filewright.chassis.db import acting
from filewright.chassis.testing.servers.process import ServerFailed, ServerMissing, ServerProcess, free_port


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
        self._process = ServerProcess("postgres", "postgres" if os.geteuid() == 0 else None)
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
        self._process.end(signal.SIGQUIT)  # what it would still write is thrown away
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
        self._process = ServerProcess("pgbouncer", "postgres" if os.geteuid() == 0 else None)
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
        self._process = ServerProcess("replica", "postgres" if os.geteuid() == 0 else None)
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
