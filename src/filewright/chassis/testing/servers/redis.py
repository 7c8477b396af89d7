"""Redis, and a sentinel that watches one."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filewright.chassis.testing.servers.process import (
    START_SECONDS,
    ServerFailed,
    ServerMissing,
    ServerProcess,
    free_port,
)


class PrivateRedis:
    """One Redis that keeps nothing on disk. `arguments` are further options of its command line."""

    def __init__(self, *arguments: str) -> None:
        program = _redis_program()
        self._process = ServerProcess("redis", None)
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

    def until_clients(self, field: str, count: int) -> None:
        """Return once Redis counts so many clients under this name, `connected_clients` (who asks is one of them) or
        `blocked_clients`. Raises ServerFailed when that is not soon.
        """
        latest = time.monotonic() + START_SECONDS
        while (there := self.do("INFO", "clients")[field]) != count:
            if time.monotonic() > latest:
                raise ServerFailed(f"redis: {field} is {there}, not {count}")
            time.sleep(0.01)

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
        self._sentinels: list[tuple[ServerProcess, int]] = []
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
        deadline = time.monotonic() + START_SECONDS
        while not all(self._knows_all(port) for _, port in self._sentinels):
            if time.monotonic() > deadline:
                raise ServerFailed("the sentinels did not find one another and both replicas")
            time.sleep(0.05)

    def _start_sentinel(self, master: int) -> None:
        process, port = ServerProcess("sentinel", None), free_port()
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
