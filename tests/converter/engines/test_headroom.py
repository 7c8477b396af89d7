"""What a parent does with its memory before it forks."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's own")

PARENT = """
    import ctypes, os, resource
    from filewright.converter.engines.inside.office import headroom

    library = ctypes.CDLL(None)
    library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    blocks = [library.malloc(2000) for _ in range(20_000)]
    for block in blocks:
        library.memset(block, 1, 2000)
    for block in blocks[::2]:  # 20 MB of holes
        library.free(block)

    def faults_of_a_child():
        if os.fork() == 0:
            for _ in range(8_000):
                library.memset(library.malloc(1500), 2, 1500)
            os._exit(0)
        _, status, usage = os.wait3(0)
        assert status == 0
        return usage.ru_minflt

    before = faults_of_a_child()
    headroom.leave_room()
    print(before, faults_of_a_child())
"""


def large_pages_are_to_be_had() -> bool:
    try:
        return "[never]" not in Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text(encoding="ascii")
    except OSError:
        return False


def test_a_child_takes_its_memory_from_the_end_of_the_heap_and_copies_little_of_its_parents():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PARENT)], check=True, capture_output=True, text=True, timeout=60
    )
    before, after = map(int, done.stdout.split())
    assert before > 3_000, "each of the holes is a page of the parent's to copy"
    assert after < before / (3 if large_pages_are_to_be_had() else 1)
