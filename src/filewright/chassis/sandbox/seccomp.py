"""Say which system calls a child may make, as a filter that the kernel runs itself.

Everything that converters need is left alone; what widens the attack surface of the kernel or reaches out of the
sandbox is refused with an error, so that a program can carry on without it. Written as classic BPF by hand: about as
long as the wrapper of a library would be, and no system library to depend on (see docs/adr/0003).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

_NATIVE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_* of the machines that the table below knows."""

_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # name: (number on x86_64, number on aarch64); None where the call does not exist
    # Looking into or writing to other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "kcmp": (312, 272),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    # Kernel machinery with a history of holes
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "fanotify_init": (300, 262),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
    "_sysctl": (156, None),
    "nfsservctl": (180, 42),
    # Another view of the file system or of the namespaces
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "unshare": (272, 97),
    "setns": (308, 268),
    # The machine itself
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "create_module": (174, None),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "syslog": (103, 116),
    "iopl": (172, None),
    "ioperm": (173, None),
    "vhangup": (153, 58),
}

_ABSENT: dict[str, tuple[int | None, int | None]] = {
    # Refused as if the kernel had never heard of it, so that callers take the older way.
    "clone3": (435, 435),  # its flags lie behind a pointer, where a filter cannot look
    "memfd_create": (319, 279),  # memory that no process's resident size shows
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
}

_CALLS: dict[str, tuple[int | None, int | None]] = {
    "clone": (56, 220),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "prlimit64": (302, 261),
    "personality": (135, 92),
    "ioctl": (16, 29),
}

_CLONE_NEW = 0x7E020080
"""Every CLONE_NEW* flag."""
_CLONE_THREAD = 0x00010000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_AF_UNIX, _SOCK_STREAM, _SOCK_TYPE_MASK = 1, 1, 0xF

# Classic BPF, from linux/bpf_common.h and linux/seccomp.h.
_LOAD, _AND = 0x20, 0x54
_IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT = 0x15, 0x35, 0x45
_RETURN = 0x06
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_OFFSET_NR, _OFFSET_ARCH, _OFFSET_ARGS = 0, 4, 16
_X32_BIT = 0x40000000

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2

_Instruction = tuple[int, int, int, int]


@dataclass(frozen=True)
class Policy:
    """What differs between the places a filter is used."""

    processes: bool = True
    """May start processes and execute files. Threads are always allowed."""
    sockets: str = "unix"
    """`unix`: any AF_UNIX socket (safe in a network namespace of its own). `listen`: AF_UNIX stream sockets that
    cannot connect out. `none`: no socket() at all; a socketpair still works."""
    signals: str = "any"
    """`any`, or `self`: only to itself or its own process group, for where no namespace hides the others."""


def supported() -> bool:
    """Whether the filter can be built for this machine; whether the kernel takes it, only applying it tells."""
    return platform.machine() in _NATIVE


def program(policy: Policy, *, machine: str | None = None, pid: int | None = None) -> bytes:
    """The filter as the kernel and bubblewrap want it. `pid` is the process it is for; needed for signals `self`."""
    machine = machine or platform.machine()
    end = [*_signal_rules(machine, policy, pid), (_RETURN, 0, 0, _ALLOW)]
    return _beginning(policy, machine) + _assembled(end)


@cache
def _beginning(policy: Policy, machine: str) -> bytes:
    """What does not depend on the process, made once."""
    return _assembled(
        [
            (_LOAD, 0, 0, _OFFSET_ARCH),
            (_IF_EQUAL, 1, 0, _NATIVE[machine]),
            (_RETURN, 0, 0, _KILL_PROCESS),
            (_LOAD, 0, 0, _OFFSET_NR),
            *_x32(machine),
            *_plain(machine),
            *_by_argument(machine, policy),
        ]
    )


def _assembled(instructions: list[_Instruction]) -> bytes:
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def apply(policy: Policy) -> None:
    """Put the calling thread, and all it starts, under the filter for good. Raises OSError when the kernel won't."""
    code = program(policy, pid=os.getpid())
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    none = ctypes.c_ulong(0)
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), none, none, none),
        (_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), header, none, none),
    ):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "the kernel refused the system call filter")


def _number(name: str, machine: str) -> int | None:
    numbers = _REFUSED.get(name) or _ABSENT.get(name) or _CALLS[name]
    return numbers[0 if machine == "x86_64" else 1]


def _refuse(error: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERRNO | error)


def _x32(machine: str) -> Iterator[_Instruction]:
    """The x32 ABI has its own numbers for the same calls; nothing uses it but exploits."""
    if machine == "x86_64":
        yield (_IF_AT_LEAST, 0, 1, _X32_BIT)
        yield _refuse(errno.ENOSYS)


def _plain(machine: str) -> Iterator[_Instruction]:
    for names, error in ((_REFUSED, errno.EPERM), (_ABSENT, errno.ENOSYS)):
        for name in names:
            yield from _refuse_call(name, machine, error)


def _refuse_call(name: str, machine: str, error: int) -> Iterator[_Instruction]:
    number = _number(name, machine)
    if number is not None:
        yield (_IF_EQUAL, 0, 1, number)
        yield _refuse(error)


def _refuse_when(
    name: str, machine: str, argument: int, tests: list[_Instruction], error: int
) -> Iterator[_Instruction]:
    """Refuse the call when `tests`, run on the low half of an argument, fall through to their end.

    A jump of 255 in a test stands for "this is fine, go on with the next rule".
    """
    number = _number(name, machine)
    if number is None:
        return
    body: list[_Instruction] = [(_LOAD, 0, 0, _OFFSET_ARGS + 8 * argument), *tests, _refuse(error)]
    for index, (code, jump_true, jump_false, value) in enumerate(body):
        to_end = len(body) - index - 1
        body[index] = (
            code,
            to_end if jump_true == _FINE else jump_true,
            to_end if jump_false == _FINE else jump_false,
            value,
        )
    yield (_IF_EQUAL, 0, len(body) + 1, number)
    yield from body
    yield (_LOAD, 0, 0, _OFFSET_NR)


_FINE = 255


def _by_argument(machine: str, policy: Policy) -> Iterator[_Instruction]:
    yield from _refuse_when("clone", machine, 0, [(_IF_ANY_BIT, 0, _FINE, _CLONE_NEW)], errno.EPERM)
    for request in (_TIOCSTI, _TIOCLINUX):
        yield from _refuse_when("ioctl", machine, 1, [(_IF_EQUAL, 0, _FINE, request)], errno.EPERM)
    persona = [(_IF_EQUAL, _FINE, 0, 0), (_IF_EQUAL, _FINE, 0, 0xFFFFFFFF)]  # the default, and only asking
    yield from _refuse_when("personality", machine, 0, persona, errno.EPERM)
    yield from _refuse_when("socketpair", machine, 0, [(_IF_EQUAL, _FINE, 0, _AF_UNIX)], errno.EAFNOSUPPORT)
    yield from _socket_rules(machine, policy)
    yield from _process_rules(machine, policy)


def _socket_rules(machine: str, policy: Policy) -> Iterator[_Instruction]:
    if policy.sockets == "none":
        yield from _refuse_call("socket", machine, errno.EAFNOSUPPORT)
        return
    yield from _refuse_when("socket", machine, 0, [(_IF_EQUAL, _FINE, 0, _AF_UNIX)], errno.EAFNOSUPPORT)
    if policy.sockets == "listen":
        stream: list[_Instruction] = [(_AND, 0, 0, _SOCK_TYPE_MASK), (_IF_EQUAL, _FINE, 0, _SOCK_STREAM)]
        yield from _refuse_when("socket", machine, 1, stream, errno.EAFNOSUPPORT)
        yield from _refuse_call("connect", machine, errno.ECONNREFUSED)


def _process_rules(machine: str, policy: Policy) -> Iterator[_Instruction]:
    if not policy.processes:
        yield from _refuse_when("clone", machine, 0, [(_IF_ANY_BIT, _FINE, 0, _CLONE_THREAD)], errno.EPERM)
        for name in ("fork", "vfork", "execve", "execveat"):
            yield from _refuse_call(name, machine, errno.EPERM)


def _signal_rules(machine: str, policy: Policy, pid: int | None) -> Iterator[_Instruction]:
    if policy.signals == "any":
        return
    if pid is None:
        raise ValueError("a filter for signals to itself needs the pid")
    own: list[_Instruction] = [(_IF_EQUAL, _FINE, 0, 0), (_IF_EQUAL, _FINE, 0, pid)]
    for name in ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"):
        yield from _refuse_when(name, machine, 0, own, errno.EPERM)
    yield from _refuse_call("tkill", machine, errno.EPERM)
    yield from _refuse_when("prlimit64", machine, 0, own, errno.EPERM)
