"""A virus scanner that knows one signature."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
from pathlib import Path

from filewright.chassis.testing.servers.process import ServerMissing, ServerProcess

# In two halves, so that no scanner takes this module for the file.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class PrivateClamd:
    """A virus scanner that knows one signature, that of the file which every scanner must find, wherever it is packed.

    It listens on a socket of its folder. `settings` are further lines of its configuration, and win over its own.
    """

    def __init__(self, **settings: str) -> None:
        program = shutil.which("clamd") or shutil.which("clamd", path="/usr/local/sbin:/usr/sbin")
        if program is None:
            raise ServerMissing("scanner tests need clamd: apt-get install clamav-daemon")
        self._process = ServerProcess("clamd", None)
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
