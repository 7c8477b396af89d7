"""Narrow a process to the files it may touch, by Landlock, without any privilege.

The rights grow with the kernel; this asks which it knows and refuses as much as it can. Not for the server process:
what is given up here never comes back.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from functools import cache

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG, _RULE_PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_SOCKET, _MAKE_BLOCK = 1 << 6, 1 << 9, 1 << 11
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many of the file rights, lowest bits first, each version knows; later ones know as many as the fifth."""
_NET_ABI, _SCOPE_ABI = 4, 6
_BIND_AND_CONNECT_TCP = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11

_READ = _EXECUTE | _READ_FILE | _READ_DIR
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV


def abi() -> int:
    """The version that the kernel speaks; 0 when it has none or it is switched off."""
    return max(0, int(_libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION_FLAG))))


def scopes_signals() -> bool:
    """Whether a narrowed process is also kept from signalling processes outside."""
    return abi() >= _SCOPE_ABI


def restrict(*, readable: Iterable[str], writable: Iterable[str], sockets: Iterable[str] = ()) -> None:
    """Narrow the calling thread, and all it starts, to these files and directories and no TCP. Raises OSError.

    Paths that do not exist are passed over. Everything readable may be executed. In `sockets`, new Unix sockets may be
    made, and nothing else.
    """
    version = abi()
    if version < 1:
        raise OSError("this kernel has no Landlock")
    handled = (1 << _RIGHTS_BY_ABI[min(version, 5)]) - 1
    ruleset = _create_ruleset(version, handled)
    try:
        for path in readable:
            _allow(ruleset, path, _READ)
        for path in writable:
            _allow(ruleset, path, handled & ~(_MAKE_CHAR | _MAKE_BLOCK))
        for path in sockets:
            _allow(ruleset, path, _MAKE_SOCKET)
        libc = _libc()
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, *map(ctypes.c_ulong, (1, 0, 0, 0))) != 0:
            raise OSError(ctypes.get_errno(), "no_new_privs was refused")
        _check(libc.syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0)))
    finally:
        os.close(ruleset)


def _create_ruleset(version: int, handled: int) -> int:
    attributes = struct.pack("=Q", handled)
    if version >= _NET_ABI:
        attributes += struct.pack("=Q", _BIND_AND_CONNECT_TCP)
    if version >= _SCOPE_ABI:
        attributes += struct.pack("=Q", _ABSTRACT_SOCKETS_AND_SIGNALS)
    size = ctypes.c_size_t(len(attributes))
    return _check(_libc().syscall(_CREATE_RULESET, attributes, size, ctypes.c_uint32(0)))


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        target = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(target).st_mode):
            rights &= _ON_FILES
        rule = struct.pack("=Qi", rights, target)
        _check(_libc().syscall(_ADD_RULE, ctypes.c_int(ruleset), _RULE_PATH_BENEATH, rule, ctypes.c_uint32(0)))
    finally:
        os.close(target)


def _check(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return result


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
