"""Memory that a parent has ready for its children, so that they touch little of its own.

A forked child shares every page with its parent until it writes to it, and then pays for a copy of 4 KiB. Of the
pages that a conversion of a letter copied, most were holes in the parent's heap, which `malloc` fills before it takes
anything new. So the holes are filled here, once, and what children ask for comes from the end of the heap: untouched,
and where the system has large pages, 2 MiB at a time. The heap before that is put into large pages too: a fork copies
one entry of them for 512 small ones, and who reads there finds its way faster.

Measured for a letter of one page, when it was first done: 6,700 page faults became 4,400, and 83 ms of a processor 74;
and with holes of every size, an end that begins where nothing was before, and the large pages: 2,900, and 58.

For glibc; elsewhere nothing is done. Imports the standard library only: it runs inside the sandbox.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path

READY_BYTES = 64 << 20
"""At the heap's end. It costs addresses only until a child writes there."""
_SPARE_BYTES = 64 << 10
"""For the parent itself: where it writes, no child gets a large page."""
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -2, -3, -4
_MMAP_MAX = 65536
"""As it is unless told otherwise."""
_MAPPED_BYTES = 4 << 20
"""A single block as large as this comes from outside of the heap, and goes back when it is let go of."""
_LARGEST_HOLE, _LARGEST_BIN, _SMALLEST_BIN = 8 << 20, 1032, 24
_BIN_STEP, _SHRINK = 16, 0.9
_HEADER, _SIZE = 16, 8
"""What stands before a block, and how much of that belongs to it alone."""
_LARGE_PAGE = 2 << 20
_MADV_DONTNEED, _MADV_HUGEPAGE, _MADV_COLLAPSE = 4, 14, 25
_START_OF_HEAP = 44
"""In `/proc/self/stat`, counted from the state."""


class _Figures(ctypes.Structure):
    """`struct mallinfo2`."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


def leave_room() -> None:
    """Fill the holes and have the end of the heap ready. Once, just before the first fork."""
    with contextlib.suppress(AttributeError):  # of a C library that has none of this
        _Heap(ctypes.CDLL(None)).leave_room()


class _Heap:
    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        library.free.argtypes = [ctypes.c_void_p]
        library.sbrk.restype, library.sbrk.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
        library.mallinfo2.restype = _Figures
        library.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]

    def leave_room(self) -> None:
        start, used = _start(), self._end()
        for what, limit in (
            (_M_MMAP_THRESHOLD, _MAPPED_BYTES),
            (_M_TRIM_THRESHOLD, 2 * READY_BYTES),
            (_M_TOP_PAD, READY_BYTES),
            (_M_MMAP_MAX, 0),  # what is asked for here comes from the heap, however large it is
        ):
            self._library.mallopt(what, limit)
        self._fill_holes()
        spare = self._library.malloc(_SPARE_BYTES)
        ready = _rounded_up(used + 2 * _HEADER)  # up to `used` it may have been in small pages, and remains so
        last = self._go_on_from(ready)
        self._library.free(spare)
        self._library.mallopt(_M_MMAP_MAX, _MMAP_MAX)
        if last is not None:
            self._advise(ready, self._end() // _LARGE_PAGE * _LARGE_PAGE, _MADV_HUGEPAGE)
            self._advise(_rounded_up(start), _rounded_up(last), _MADV_COLLAPSE)
            self._advise(_rounded_up(last), ready - _LARGE_PAGE, _MADV_DONTNEED)

    def _fill_holes(self) -> None:
        last = self._end() - self._library.mallinfo2().keepcost
        for size in _sizes():
            while self._fill(size, last):
                continue

    def _fill(self, size: int, last: int) -> bool:
        """Whether there was a hole of that size before the block at the heap's end, which begins at `last`."""
        block = self._library.malloc(size)
        if block is not None and last - (1 << 31) < block < last:
            return True
        self._library.free(block)
        return False

    def _go_on_from(self, ready: int) -> int | None:
        """Have that be the address of the next block that is not in a hole; where it would have been until now. None,
        and nothing is changed, when the heap does not go on there.
        """
        before = self._end()
        block = self._library.malloc(READY_BYTES + _LARGE_PAGE + ready - min(before, ready))
        self._library.free(block)
        if block is None or not before - (1 << 31) < block < ready - _HEADER:
            return None
        self._library.malloc(ready - block - _HEADER - _SIZE)  # and never let go of
        return int(block)

    def _advise(self, start: int, end: int, advice: int) -> None:
        """No more than a hint: a system without large pages has none."""
        if start < end:
            self._library.madvise(start, end - start, advice)

    def _end(self) -> int:
        return int(self._library.sbrk(0))


def _start() -> int:
    """Where the heap begins."""
    return int(Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()[_START_OF_HEAP])


def _rounded_up(address: int) -> int:
    return -(-address // _LARGE_PAGE) * _LARGE_PAGE


def _sizes() -> Iterator[int]:
    """Of holes, from the largest on: roughly while they lie in their order, then as `malloc` sorts them."""
    size = _LARGEST_HOLE
    while size > _LARGEST_BIN:
        yield size
        size = int(size * _SHRINK)
    yield from range(_LARGEST_BIN, _SMALLEST_BIN - 1, -_BIN_STEP)
