"""The worst engine we can think of: tries to get out, and says what it managed. Runs only inside the sandbox.

Each attempt is a function that returns when it succeeded and raises OSError when it was refused. Standard library
only, so that it runs in a bare interpreter as well as in a child of a warm parent.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

Targets = dict[str, Any]
"""What there is to reach, told by `selftest`: ports, names of sockets, paths and the pid of the owner."""

_PATIENCE_SECONDS = 0.3
_EXPECTED_ENV = {"PATH", "HOME", "TMPDIR", "LANG", "TZ", "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}
_THREADS_ENV_END = ("_NUM_THREADS", "_CONCURRENCY", "_MALLOC_CONF", "_MAX_THREADS")
_NUMBERS = {  # x86_64, aarch64
    "ptrace": (101, 117), "unshare": (272, 97), "io_uring_setup": (425, 425), "bpf": (321, 280),
    "add_key": (248, 217), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "process_vm_readv": (310, 270),
    "open_by_handle_at": (304, 265), "init_module": (175, 105), "kexec_load": (246, 104), "swapon": (167, 224),
    "clone3": (435, 435), "settimeofday": (164, 170), "setns": (308, 268),
}  # fmt: skip
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000


def attempt(names: list[str], targets: Targets) -> dict[str, str]:
    """Make the named attempts; for each `refused: why` or `reached`."""
    results = {}
    for name in names:
        try:
            ATTEMPTS[name](targets)
        except OSError as error:
            results[name] = f"refused: {error.strerror or error}"
        else:
            results[name] = "reached"
    return results


def call(*, report: object, names: list[str], targets: Targets) -> dict[str, str]:
    """The same as a `PythonCall`."""
    return attempt(names, targets)


def _connect(family: int, address: Any, kind: int = socket.SOCK_STREAM) -> None:
    with socket.socket(family, kind) as probe:
        probe.settimeout(_PATIENCE_SECONDS)
        probe.connect(address)
        probe.send(b"evil")


def _tcp4(targets: Targets) -> None:
    _connect(socket.AF_INET, ("127.0.0.1", targets["tcp4"]))


def _tcp6(targets: Targets) -> None:
    _connect(socket.AF_INET6, ("::1", targets["tcp6"]))


def _udp(targets: Targets) -> None:
    _connect(socket.AF_INET, ("127.0.0.1", targets["udp"]), socket.SOCK_DGRAM)


def _metadata(targets: Targets) -> None:
    _connect(socket.AF_INET, ("169.254.169.254", 80))


def _unix_socket(targets: Targets) -> None:
    _connect(socket.AF_UNIX, targets["unix"])


def _abstract_socket(targets: Targets) -> None:
    _connect(socket.AF_UNIX, "\0" + targets["abstract"])


def _raw_socket(targets: Targets) -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


def _packet_socket(targets: Targets) -> None:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()


def _netlink_socket(targets: Targets) -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()


def _system_call(name: str, *arguments: int) -> Callable[[Targets], None]:
    def make_it(targets: Targets) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        number = _NUMBERS[name][0 if os.uname().machine == "x86_64" else 1]
        padded = [ctypes.c_long(value) for value in (*arguments, *[0] * (6 - len(arguments)))]
        if libc.syscall(ctypes.c_long(number), *padded) < 0:
            code = ctypes.get_errno()
            if code in {14, 22, 9}:  # EFAULT, EINVAL, EBADF: the kernel went on to look at the arguments
                return
            raise OSError(code, os.strerror(code))

    return make_it


def _mount(targets: Targets) -> None:
    if ctypes.CDLL(None, use_errno=True).mount(b"none", b"tmp", b"tmpfs", 0, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _write_outside(targets: Targets) -> None:
    Path(targets["outside"]).write_text("evil was here")


def _write_system(targets: Targets) -> None:
    Path("/usr/evil").write_text("evil was here")


def _write_etc(targets: Targets) -> None:
    Path("/etc/evil").write_text("evil was here")


def _read_canary(targets: Targets) -> None:
    Path(targets["canary"]).read_bytes()


def _read_sibling(targets: Targets) -> None:
    refused = OSError("there are none")
    for path in targets["siblings"]:
        try:
            Path(path, "in", "secret").read_bytes()
        except OSError as error:
            refused = error
        else:
            return
    raise refused


def _list_siblings(targets: Targets) -> None:
    """Its own directory's parent is readable in a namespace that holds nothing else; another's name in it is not."""
    name = Path(targets["siblings"][0]).name
    if name not in {path.name for path in Path.cwd().parent.iterdir()}:
        raise OSError("sees only itself")


def _read_shadow(targets: Targets) -> None:
    Path("/etc/shadow").read_bytes()


def _read_owner_environment(targets: Targets) -> None:
    if not Path(f"/proc/{targets['owner']}/environ").read_bytes():
        raise OSError("nothing to read")


def _see_others(targets: Targets) -> None:
    if str(targets["owner"]) not in {path.name for path in Path("/proc").iterdir()}:
        raise OSError("sees only its own")


def _signal_owner(targets: Targets) -> None:
    os.kill(targets["owner"], 0)


def _limit_owner(targets: Targets) -> None:
    import resource  # noqa: PLC0415 - only here

    resource.prlimit(targets["owner"], resource.RLIMIT_CORE)


def _odd_environment(targets: Targets) -> None:
    odd = [name for name in os.environ if name not in _EXPECTED_ENV and not name.endswith(_THREADS_ENV_END)]  # noqa: TID251
    if not odd:
        raise OSError("nothing in it")


def _make_device(targets: Targets) -> None:
    os.mknod("evil-device", 0o20600, os.makedev(1, 3))


def _become_root(targets: Targets) -> None:
    """Any capability would do."""
    effective = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")]
    if int(effective[0].split()[1], 16) == 0:
        raise OSError("no capability")


def _gain_privileges(targets: Targets) -> None:
    if "NoNewPrivs:\t1" in Path("/proc/self/status").read_text():
        raise OSError("set-user-id has no effect")


def _fork(targets: Targets) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _leave_daemon(targets: Targets) -> None:
    """Start a process that has left group, session and parent, and holds a lock that tells of its life."""
    ready_read, ready_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        if os.fork() == 0:
            lock = os.open("tmp/daemon.lock", os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.write(ready_write, b"x")
            for fd in (0, 1, 2):
                os.close(fd)
            time.sleep(600)
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(ready_write)
    os.read(ready_read, 1)


ATTEMPTS: dict[str, Callable[[Targets], None]] = {
    "tcp4": _tcp4,
    "tcp6": _tcp6,
    "udp": _udp,
    "metadata": _metadata,
    "unix_socket": _unix_socket,
    "abstract_socket": _abstract_socket,
    "raw_socket": _raw_socket,
    "packet_socket": _packet_socket,
    "netlink_socket": _netlink_socket,
    "ptrace": _system_call("ptrace", 0x4206, 1, 0, 0),
    "read_memory": _system_call("process_vm_readv", 1),
    "mount": _mount,
    "user_namespace": _system_call("unshare", _CLONE_NEWUSER),
    "net_namespace": _system_call("unshare", _CLONE_NEWNET),
    "enter_namespace": _system_call("setns", -1),
    "clone3": _system_call("clone3"),
    "io_uring": _system_call("io_uring_setup", 1),
    "bpf": _system_call("bpf"),
    "keyring": _system_call("add_key"),
    "perf": _system_call("perf_event_open", 0, 0, -1, -1),
    "userfaultfd": _system_call("userfaultfd"),
    "open_by_handle": _system_call("open_by_handle_at"),
    "load_module": _system_call("init_module"),
    "load_kernel": _system_call("kexec_load"),
    "swap": _system_call("swapon"),
    "set_clock": _system_call("settimeofday"),
    "write_outside": _write_outside,
    "write_system": _write_system,
    "write_etc": _write_etc,
    "read_canary": _read_canary,
    "read_sibling": _read_sibling,
    "list_siblings": _list_siblings,
    "read_shadow": _read_shadow,
    "read_owner_environment": _read_owner_environment,
    "see_others": _see_others,
    "signal_owner": _signal_owner,
    "limit_owner": _limit_owner,
    "odd_environment": _odd_environment,
    "make_device": _make_device,
    "capabilities": _become_root,
    "gain_privileges": _gain_privileges,
    "fork": _fork,
    "leave_daemon": _leave_daemon,
}


def main() -> None:
    """Make the attempts that stdin asks for; answer as JSON."""
    order = cast("dict[str, Any]", json.load(sys.stdin))
    sys.stdout.write(json.dumps(attempt(order["names"], order["targets"])))


if __name__ == "__main__":
    main()
