"""A LibreOffice that has started, has converted a document of each kind, and forks a child for every job.

It is loaded into this process as a library, in the way that LibreOfficeKit calls `unipoll`: no thread of its own, and
its event loop asks a function of ours what to do next. That function never comes back: it warms LibreOffice up, looks
at what came out, and serves. Parts of this are no promised interface of LibreOffice (`setActive`, that one thread is
all there is), so every start is a test: whatever is not as expected is told as a failure, and the owner goes by
`soffice.bin` as ever (see docs/adr).

Runs in the Python that LibreOffice's `uno` was built for; imports the standard library and a few modules of ours only.
Arguments: the descriptor of the owner's socket, a private directory, and where LibreOffice is.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from filewright.chassis.sandbox import warm_parent
from filewright.converter.engines.inside.office import desktop
from filewright.converter.engines.inside.office.samples import LEAST, SAMPLES, Sample
from filewright.converter.engines.libreoffice_installation import Installation, installed_at, write_profile

_PLACE_OF_RUN_LOOP = 13
"""In the table of functions of LibreOfficeKit, which only ever grows at its end."""
_PLACE_OF_SET_OPTION = 15
_SET_ACTIVE = "_ZN10comphelper14LibreOfficeKit9setActiveEb"
_SETTLE_SECONDS = 10.0
_SMALLEST_PDF = 500

_POLL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
_WAKE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_SET_OPTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)
_RUN_LOOP = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


class NotAsExpected(Exception):
    """This LibreOffice can not be driven like this, or does not convert as it should."""


def main() -> NoReturn:
    """Start, warm up, then serve until the owner hangs up."""
    control = socket.socket(fileno=int(sys.argv[1]))
    os.chdir(sys.argv[2])

    def serve(kit: int) -> NoReturn:
        warm_parent.serve(control, failed=_failure_of(lambda: _warm_up(kit)))

    failed = _failure_of(lambda: _run(Path(sys.argv[3]), serve))
    warm_parent.serve(control, failed=failed or "LibreOffice ended its event loop")


def _failure_of(attempt: Callable[[], None]) -> str:
    try:
        attempt()
    except Exception as error:  # noqa: BLE001 - UNO has exceptions of its own, and any of them means the same
        traceback.print_exc()
        return f"{type(error).__name__}: {error}"[:500]
    return ""


def _run(root: Path, serve: Callable[[int], NoReturn]) -> None:
    """Load LibreOffice and let it run; the first time that its event loop asks, it is `serve` that goes on."""
    found = installed_at(root)
    if found is None:
        raise NotAsExpected(f"there is no LibreOffice at {root}")
    _surroundings(found)
    library = ctypes.CDLL(str(root / "program" / "libmergedlo.so"), mode=ctypes.RTLD_GLOBAL | os.RTLD_NOW)
    set_active = library[_SET_ACTIVE]  # an error now rather than later when it is not there
    set_active.argtypes = [ctypes.c_bool]
    kit = _started(library, root)
    busy = False

    def asked(_: Any, __: int) -> int:
        nonlocal busy
        if busy:  # it asks while it loads a document, too
            return 0
        busy = True
        try:
            set_active(False)  # from here on it is an ordinary office without a window, and no server of tiles
            serve(kit)
        except BaseException:  # noqa: BLE001 - nobody above would hear of it
            traceback.print_exc()
        os._exit(1)

    poll, wake = _POLL(asked), _WAKE(lambda _: None)
    # Without a last argument that is something, it would never ask.
    _run_loop(kit)(kit, ctypes.cast(poll, ctypes.c_void_p), ctypes.cast(wake, ctypes.c_void_p), ctypes.c_void_p(1))


def _surroundings(found: Installation) -> None:
    """Set before LibreOffice looks. `/proc/self/cwd` is here now, and in a child its own workspace."""
    Path("tmp").mkdir()
    write_profile(Path("profile"), found)
    os.environ.update(  # noqa: TID251 - the process's own, for a library
        HOME=str(Path.cwd()),
        TMPDIR="/proc/self/cwd/tmp",
        SAL_LOK_OPTIONS="unipoll",
        SAL_USE_VCLPLUGIN="svp",
        SAL_DISABLE_PRINTERLIST="1",
        SAL_DISABLE_OPENCL="1",
    )


def _started(library: ctypes.CDLL, root: Path) -> int:
    hook = library.libreofficekit_hook_2
    hook.restype, hook.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]
    kit = hook(os.fsencode(root / "program"), Path("profile").absolute().as_uri().encode())
    if not kit:
        raise NotAsExpected("LibreOfficeKit does not start")
    return int(kit)


def _run_loop(kit: int) -> Any:
    address = _function(kit, _PLACE_OF_RUN_LOOP)
    if address is None:
        raise NotAsExpected("LibreOfficeKit has no runLoop")
    return _RUN_LOOP(address)


def _function(kit: int, place: int) -> int | None:
    """Where the function is that stands there in LibreOfficeKit's table."""
    table = ctypes.cast(ctypes.c_void_p(kit), ctypes.POINTER(ctypes.POINTER(ctypes.c_size_t)))[0]
    return table[place] if table[0] > place * ctypes.sizeof(ctypes.c_size_t) else None


def _font_taker(kit: int) -> Callable[[Path], None]:
    """What makes a font known to this process; a version that can not is found out by whoever needs it."""
    address = _function(kit, _PLACE_OF_SET_OPTION)
    set_option = None if address is None else _SET_OPTION(address)

    def add(font: Path) -> None:
        if set_option is not None:
            set_option(kit, b"addfont", font.as_uri().encode())

    return add


def _warm_up(kit: int) -> None:
    """Each sample out of its flat form into the usual one, and from that to PDF. Leaves the usual ones in `samples`.

    The last one is next to nothing, because LibreOffice keeps what it last drew on: of a document with many fonts that
    are some megabytes, which each child would copy only to let go of them.
    """
    desktop.enter(_font_taker(kit))
    Path("samples").mkdir()
    for sample in (*SAMPLES, *SAMPLES, LEAST):  # what is made the second time is what every document needs
        _convert(sample)
    desktop.have_a_frame()
    desktop.settle()
    _demand_single_thread()


def _convert(sample: Sample) -> None:
    flat, usual, pdf = (Path("samples", f"{sample.name}.{end}") for end in ("xml", sample.extension, "pdf"))
    flat.write_text(sample.document, encoding="utf-8")
    for source, import_filter, product, export_filter in (
        (flat, sample.flat, usual, sample.filter),
        (usual, sample.filter, pdf, sample.pdf),
    ):
        opened = desktop.open_document(source, import_filter)
        if opened is None:
            raise NotAsExpected(f"{source.name} could not be opened")
        complaint = desktop.store(opened, product, export_filter)
        if complaint:
            raise NotAsExpected(f"{product.name} could not be written: {complaint}")
        opened.close(True)
    made = pdf.read_bytes()
    if len(made) < _SMALLEST_PDF or not made.startswith(b"%PDF-") or b"%%EOF" not in made[-32:]:
        raise NotAsExpected(f"{pdf.name} is no PDF")


def _demand_single_thread() -> None:
    """A fork has one thread only; what another one holds at that moment would be held in the child for ever."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while threads := warm_parent.other_threads():
        if time.monotonic() > deadline:
            raise NotAsExpected(f"it has threads: {', '.join(threads)}")
        time.sleep(0.01)


if __name__ == "__main__":
    main()
