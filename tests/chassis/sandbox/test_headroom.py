"""What a parent does with its memory before it forks."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's own")

PARENT = """
    import ctypes, os, re, sys
    from pathlib import Path
    from filewright.chassis.sandbox import headroom

    size, count = map(int, sys.argv[1:])
    library = ctypes.CDLL(None)
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    blocks = [library.malloc(size) for _ in range(count)]
    for block in blocks:
        library.memset(block, 1, size)
    for block in blocks[::2]:
        library.free(block)

    def faults_of_a_child():
        if os.fork() == 0:
            for _ in range(2 * count // 5):
                library.memset(library.malloc(size - size // 4), 2, size - size // 4)
            os._exit(0)
        _, status, usage = os.wait3(0)
        assert status == 0
        return usage.ru_minflt

    def in_large_pages():
        heaps = re.findall(r"\\[heap\\].*?AnonHugePages: *(\\d+) kB", Path("/proc/self/smaps").read_text(), re.DOTALL)
        return sum(map(int, heaps))

    before = faults_of_a_child()
    headroom.leave_room()
    after = faults_of_a_child()
    assert all(ctypes.string_at(block, size) == bytes([1]) * size for block in blocks[1::2])
    print(before, after, in_large_pages())
"""
KINDS_OF_LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def parent(size: int, count: int) -> tuple[int, int, int]:
    """Page faults of a child before and after, and KiB of the heap that lie in large pages, in a parent with as many
    holes as there are blocks of that size.
    """
    code = textwrap.dedent(PARENT)
    argv = [sys.executable, "-c", code, str(size), str(count)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)
    before, after, large = map(int, done.stdout.split())
    return before, after, large


def large_pages_are_to_be_had() -> bool:
    try:
        return "[never]" not in KINDS_OF_LARGE_PAGES.read_text(encoding="ascii")
    except OSError:
        return False


def test_a_child_takes_its_memory_from_the_end_of_the_heap_and_copies_little_of_its_parents():
    before, after, _ = parent(2000, 20_000)
    assert before > 3_000, "each of the holes is a page of the parent's to copy"
    assert after < before / (3 if large_pages_are_to_be_had() else 1)


def test_the_smallest_holes_are_filled_too():
    before, after, _ = parent(24, 400_000)
    assert after < before - 1_000, "the holes lie in 3,000 pages; Python's own objects are as many as ever"


@pytest.mark.skipif(not large_pages_are_to_be_had(), reason="this system has none")
def test_what_a_parent_has_lies_in_large_pages_that_a_fork_copies_in_one_step():
    _, _, large = parent(2000, 20_000)
    assert large >= 30 << 10
