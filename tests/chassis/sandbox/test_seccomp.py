"""The filter's law, by a machine that runs classic BPF as the kernel does; then the kernel itself."""

from __future__ import annotations

import errno
import json
import struct
import subprocess
import sys

import pytest

from filewright.chassis.sandbox import seccomp, system
from filewright.chassis.sandbox.seccomp import Policy

ALLOW, KILL = 0x7FFF0000, 0x80000000
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = list(ARCH)
CLONE_THREAD, CLONE_NEWUSER = 0x10000, 0x10000000


def verdict(program: bytes, machine: str, number: int, *arguments: int) -> int:
    """What the kernel would return for this call: ALLOW, KILL, or an errno."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, ARCH.get(machine, 0x40000003), 0, *padded)
    instructions = list(struct.iter_unpack("=HBBI", program))
    accumulator, at = 0, 0
    while True:
        code, jump_true, jump_false, value = instructions[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x54:
                accumulator &= value
            case 0x15:
                at += jump_true if accumulator == value else jump_false
            case 0x35:
                at += jump_true if accumulator >= value else jump_false
            case 0x45:
                at += jump_true if accumulator & value else jump_false
            case 0x06:
                return value & 0xFFFF if value & 0xFFFF0000 == 0x50000 else value
            case _:
                pytest.fail(f"unknown instruction {code:#x}")


def number(name: str, machine: str) -> int:
    found = seccomp._number(name, machine)
    assert found is not None
    return found


@pytest.mark.parametrize("machine", MACHINES)
class TestTheLaw:
    def test_ordinary_calls_pass(self, machine: str) -> None:
        ordinary = {"x86_64": (0, 1, 2, 9, 12, 39, 60, 202, 231, 257, 262, 302, 332), "aarch64": (56, 63, 64, 93, 222)}
        code = seccomp.program(Policy(), machine=machine)
        assert {verdict(code, machine, call) for call in ordinary[machine]} == {ALLOW}

    def test_every_listed_call_is_refused_with_its_error(self, machine: str) -> None:
        code = seccomp.program(Policy(), machine=machine)
        for names, error in ((seccomp._REFUSED, errno.EPERM), (seccomp._ABSENT, errno.ENOSYS)):
            for name in names:
                call = seccomp._number(name, machine)
                assert call is None or verdict(code, machine, call) == error, name

    def test_no_number_is_listed_twice(self, machine: str) -> None:
        names = [*seccomp._REFUSED, *seccomp._ABSENT, *seccomp._CALLS]
        numbers = [found for name in names if (found := seccomp._number(name, machine)) is not None]
        assert len(numbers) == len(set(numbers))

    def test_another_architecture_is_killed(self, machine: str) -> None:
        assert verdict(seccomp.program(Policy(), machine=machine), "other", 0) == KILL

    def test_threads_may_start_and_namespaces_may_not(self, machine: str) -> None:
        clone = number("clone", machine)
        for policy in (Policy(), Policy(processes=False)):
            code = seccomp.program(policy, machine=machine)
            assert verdict(code, machine, clone, 0x3D0F00) == ALLOW  # what pthread_create asks for
            assert verdict(code, machine, clone, 0x3D0F00 | CLONE_NEWUSER) == errno.EPERM

    def test_processes_only_where_they_are_wanted(self, machine: str) -> None:
        clone, execute = number("clone", machine), number("execve", machine)
        free, bound = (seccomp.program(Policy(processes=wanted), machine=machine) for wanted in (True, False))
        assert verdict(free, machine, clone, 17) == verdict(free, machine, execute) == ALLOW
        assert verdict(bound, machine, clone, 17) == verdict(bound, machine, execute) == errno.EPERM

    @pytest.mark.parametrize(
        ("sockets", "unix_stream", "unix_datagram", "connect"),
        [
            ("unix", ALLOW, ALLOW, ALLOW),
            ("listen", ALLOW, errno.EAFNOSUPPORT, errno.ECONNREFUSED),
            ("none", errno.EAFNOSUPPORT, errno.EAFNOSUPPORT, ALLOW),
        ],
    )
    def test_sockets(self, machine: str, sockets: str, unix_stream: int, unix_datagram: int, connect: int) -> None:
        code = seccomp.program(Policy(sockets=sockets), machine=machine)
        socket = number("socket", machine)
        for family in (2, 10, 16, 17, 40):
            assert verdict(code, machine, socket, family, 1) == errno.EAFNOSUPPORT
        assert verdict(code, machine, socket, 1, 1 | 0o2000000) == unix_stream
        assert verdict(code, machine, socket, 1, 2) == unix_datagram
        assert verdict(code, machine, number("connect", machine)) == connect
        assert verdict(code, machine, number("socketpair", machine), 1) == ALLOW

    def test_signals_only_to_itself_where_others_are_in_sight(self, machine: str) -> None:
        code = seccomp.program(Policy(signals="self"), machine=machine, pid=4242)
        for name in ("kill", "tgkill", "rt_sigqueueinfo", "prlimit64"):
            call = number(name, machine)
            assert verdict(code, machine, call, 4242) == verdict(code, machine, call, 0) == ALLOW
            assert verdict(code, machine, call, 1) == verdict(code, machine, call, 2**32 - 1) == errno.EPERM
        with pytest.raises(ValueError, match="pid"):
            seccomp.program(Policy(signals="self"), machine=machine)


def test_the_x32_numbers_do_not_exist() -> None:
    assert verdict(seccomp.program(Policy()), "x86_64", 0x40000000 + 41) == errno.ENOSYS


@pytest.mark.requirement("B36")
def test_the_filter_alone_refuses_the_network_and_the_kernels_machinery() -> None:
    attempts = (
        "tcp4", "tcp6", "udp", "metadata", "raw_socket", "packet_socket", "netlink_socket", "ptrace", "read_memory",
        "mount", "user_namespace", "net_namespace", "enter_namespace", "clone3", "io_uring", "bpf", "keyring", "perf",
        "userfaultfd", "open_by_handle", "load_module", "load_kernel", "swap", "set_clock", "signal_owner",
        "limit_owner", "gain_privileges", "fork",
    )  # fmt: skip
    script = (
        f"import sys, json; sys.path.insert(0, {system.python_trees()[-1]!r}); sys.path[:0] = {sys.path!r}\n"
        "import os\nfrom filewright.chassis.sandbox import seccomp, evil\n"
        "seccomp.apply(seccomp.Policy(processes=False, sockets='none', signals='self'))\n"
        f"targets = dict(tcp4=9, tcp6=9, udp=9, owner=os.getppid())\n"
        f"print(json.dumps(evil.attempt({attempts!r}, targets)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, check=True)
    results = json.loads(done.stdout)
    assert {name: answer for name, answer in results.items() if not answer.startswith("refused")} == {}
    assert results["fork"] == "refused: Operation not permitted"
