"""Which files of this machine a converter may read: the system's programs and their data, and this Python's own.

Nothing that belongs to a person or holds a secret is in here: no home, no /var but caches of the system, of /etc only
what programs need to find their fonts, libraries and policies.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import filewright

TREES = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")

ETC = (
    "ImageMagick-6", "ImageMagick-7", "alternatives", "catdocrc", "fonts", "ghostscript", "ld.so.cache", "ld.so.conf",
    "ld.so.conf.d", "libpaper.d", "libreoffice", "localtime", "magic", "magic.mime", "mime.types", "paperspecs",
    "papersize", "vips",
)  # fmt: skip
"""Names below /etc."""

CACHES = ("/var/cache/fontconfig", "/var/lib/ghostscript", "/var/lib/libreoffice")

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

MADE_UP = Path(__file__).parent / "etc"
"""A passwd and a group that name nobody of this machine."""

PROCESS_FACTS = (
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/version",
    "/proc/sys/kernel/ngroups_max", "/proc/sys/vm/overcommit_memory", "/sys/devices/system/cpu",
)  # fmt: skip
"""Of /proc, the process's own and what says how large the machine is; not the other processes."""

PATH = "/usr/local/bin:/usr/bin:/bin"


@cache
def python_trees() -> tuple[str, ...]:
    """This interpreter, its standard library, its installed packages and our own package."""
    wanted = {
        Path(sys.base_prefix),
        Path(sys.base_exec_prefix),
        Path(sys.prefix),
        Path(filewright.__file__).resolve().parent.parent,
    }
    trees = sorted(path for path in wanted if not _covered(path, [Path("/usr")]))
    return tuple(str(path) for path in trees if not _covered(path, [other for other in trees if other != path]))


def python_argv(
    module: str, *arguments: str, bare: bool = False, interpreter: str = "", path: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The command line that runs `main` of a module of ours. `bare`: without the installed packages, which is faster.

    Isolated from the environment and the working directory, and finds this very copy of our package; after it the
    directories of `path`. Another `interpreter` than this one is always bare.
    """
    home = str(Path(filewright.__file__).resolve().parent.parent)
    more = f"sys.path += {list(path)!r}; " if path else ""
    boot = f"import sys; sys.path.insert(0, {home!r}); {more}from {module} import main; main()"
    bare = bare or bool(interpreter)
    return (interpreter or sys.executable, "-I", *(("-S",) if bare else ()), "-c", boot, *arguments)


def readable_paths() -> tuple[str, ...]:
    """All of the above, for where there is no file system of its own to put together."""
    etc = (f"/etc/{name}" for name in ETC)
    return (*TREES, *etc, *CACHES, *PROCESS_FACTS, *python_trees())


def is_readable(path: Path) -> bool:
    """Whether every program may read it anyway."""
    return _covered(path, [Path(tree) for tree in (*TREES, *python_trees())])


def search_path() -> str:
    """PATH as a sandboxed program gets it: the system's, then the scripts that came with this Python's packages."""
    return f"{PATH}:{Path(sys.prefix) / 'bin'}"


def _covered(path: Path, trees: list[Path]) -> bool:
    return any(path.is_relative_to(tree) for tree in trees)
