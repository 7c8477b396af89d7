"""LibreOffice in this very process: open a document, write another. For the warm parent and the children it forks.

Speaks UNO, whose Python names come out of LibreOffice itself when it runs; hence the `Any`. Does what `soffice
--convert-to` does, with the same filters and options.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from filewright.chassis.sandbox.child import Report

FONT_PACK = "FILEWRIGHT_FONT_PACK"
"""In the environment: a directory of fonts that this conversion has besides."""

_held: dict[str, Any] = {}
"""Once `enter` was called: `uno`, `desktop`, `add_font`, in `scratch` the names of directories that LibreOffice works
in, and as `frame` one that waits for a document, if there is one."""


def enter(add_font: Callable[[Path], None]) -> None:
    """Get hold of the LibreOffice that runs in this process. Once, in the parent. `add_font` is for children."""
    uno: Any = importlib.import_module("uno")
    context = uno.getComponentContext()
    desktop = context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)
    _held.update(uno=uno, context=context, desktop=desktop, add_font=add_font)
    _forget_the_locale()
    _held["scratch"] = tuple(entry.name for entry in Path("tmp").iterdir() if entry.is_dir())


def enter_at(pipe: str) -> None:
    """Get hold of a LibreOffice that runs beside this process and listens there. Raises while it does not yet."""
    uno: Any = importlib.import_module("uno")
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", local)
    context = resolver.resolve(f"uno:pipe,name={pipe};urp;StarOffice.ComponentContext")
    desktop = context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)
    _held.update(uno=uno, context=context, desktop=desktop, scratch=())


def _forget_the_locale() -> None:
    """LibreOfficeKit sets one, and with it the paper of documents that name none: letter, where from cold it is A4."""
    where = _value("nodepath", "/org.openoffice.Setup/L10N")
    access = _configuration().createInstanceWithArguments(
        "com.sun.star.configuration.ConfigurationUpdateAccess", (where,)
    )
    access.setPropertyValue("ooSetupSystemLocale", "")
    access.commitChanges()


def settle() -> None:
    """Have the configuration written down now; else a thread would be waiting to do it, and would miss in children."""
    _configuration().flush()


def have_a_frame() -> None:
    """Have a frame wait for the next document."""
    _held["frame"] = _new_frame()


def _new_frame() -> Any:
    """As LibreOffice would make one itself to open a document in, but without toolbars, which nobody would see: they
    take a fifth of the time of a small document.
    """
    wanted = {"ParentFrame": _held["desktop"], "MakeVisible": False}
    arguments = tuple(_filled("com.sun.star.beans.NamedValue", *item) for item in wanted.items())
    maker = _held["context"].ServiceManager.createInstanceWithContext(
        "com.sun.star.frame.TaskCreator", _held["context"]
    )
    frame = maker.createInstanceWithArguments(arguments)
    frame.LayoutManager = None
    return frame


def _configuration() -> Any:
    return _held["context"].getByName("/singletons/com.sun.star.configuration.theDefaultProvider")


def open_document(document: Path, import_filter: str) -> Any:
    """The document once it is open; None when the filter does not take it."""
    # As a command line does it, and no macro or link besides: the profile says so too.
    wanted = {
        "FilterName": import_filter,
        "Hidden": True,
        "ReadOnly": True,
        "OpenNewView": True,
        "Silent": True,
        "Referer": "private:OpenEvent",
        "MacroExecutionMode": 0,
        "UpdateDocMode": 0,
    }
    refused = (_exception("com.sun.star.lang.IllegalArgumentException"), _exception("com.sun.star.io.IOException"))
    frame = _held.pop("frame", None) or _new_frame()
    opened = None
    try:
        opened = frame.loadComponentFromURL(_url(document), "_self", 0, _values(wanted))
        return opened
    except refused:
        return None
    finally:
        if opened is None:
            frame.close(True)


def store(opened: Any, product: Path, export_filter: str, options: str = "") -> str:
    """Write it down. What LibreOffice has to say against it, or nothing."""
    wanted: dict[str, Any] = {"FilterName": export_filter, "Overwrite": True}
    if options.startswith("{"):
        wanted["FilterData"] = _any("[]com.sun.star.beans.PropertyValue", _values(_filter_data(options)))
    elif options:
        wanted["FilterOptions"] = options
    try:
        opened.storeToURL(_url(product), _values(wanted))
    except _exception("com.sun.star.uno.Exception") as error:
        return str(error) or "it could not be written"
    return ""


def convert(
    *, report: Report, document: str, import_filter: str, product: str, export_filter: str, options: str
) -> dict[str, Any]:
    """One conversion, in a child: `opened`, and what there was to `complain` of.

    `has_fonts` is false, and nothing done, when this LibreOffice does not take the fonts that there are besides.
    """
    move_in()
    if not _has_fonts():
        return {"has_fonts": False}
    opened = open_document(Path(document), import_filter)
    if opened is None:
        return {"opened": False}
    complaint = store(opened, Path(product), export_filter, options)
    ctypes.CDLL(None).fflush(None)  # what filters print, which the end of this process would lose
    return {"opened": True, "complaint": complaint[:1000]}


def carry_out(*, document: str, import_filter: str, product: str, export_filter: str, options: str) -> dict[str, Any]:
    """One conversion of several, for `helper`: nothing of the document stays open."""
    opened = open_document(Path(document), import_filter)
    if opened is None:
        return {"opened": False}
    complaint = store(opened, Path(product), export_filter, options)
    opened.close(True)
    return {"opened": True, "complaint": complaint[:1000]}


def move_in() -> None:
    """The temporary directories that LibreOffice made in the parent, here: it goes by `/proc/self/cwd/tmp`."""
    for name in _held["scratch"]:
        Path("tmp", name).mkdir(exist_ok=True)


def _has_fonts() -> bool:
    """Take them. They can only be taken into what the parent found when it started, and seen by their families."""
    folder = os.environ.get(FONT_PACK)  # noqa: TID251 - the sandbox's own
    if folder is None:
        return True
    before = _fonts()
    for font in sorted(Path(folder).iterdir()):
        _held["add_font"](font)
    return _fonts() > before


def _fonts() -> int:
    """How many LibreOffice knows."""
    toolkit = _held["context"].ServiceManager.createInstanceWithContext("com.sun.star.awt.Toolkit", _held["context"])
    return len(toolkit.createScreenCompatibleDevice(1, 1).getFontDescriptors())


def _url(path: Path) -> str:
    return (Path.cwd() / path).as_uri()


def _values(wanted: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(_value(name, content) for name, content in wanted.items())


def _value(name: str, content: Any) -> Any:
    return _filled("com.sun.star.beans.PropertyValue", name, content)


def _filled(struct: str, name: str, content: Any) -> Any:
    made = _held["uno"].createUnoStruct(struct)
    made.Name, made.Value = name, content
    return made


def _filter_data(options: str) -> dict[str, Any]:
    return dict(_typed(json.loads(options)))


def _typed(data: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, Any]]:
    """From LibreOffice's JSON, where each value is a string beside the name of its type."""
    for name, given in data.items():
        kind, word = given["type"], given["value"]
        yield name, word == "true" if kind == "boolean" else _any("long", int(word)) if kind == "long" else word


def _any(kind: str, content: Any) -> Any:
    return _held["uno"].Any(kind, content)


def _exception(name: str) -> type[Exception]:
    found: type[Exception] = _held["uno"].getClass(name)
    return found
