"""Runs in the sandbox: make a PowerPoint show of what LibreOffice wrote for one.

It writes a show as a plain presentation under another name, so that PowerPoint would open it for editing, or refuse
it. The two differ by one media type in the package's list.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from filewright.chassis.sandbox.child import Report

_LIST = "[Content_Types].xml"
_PRESENTATION = b"application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
_SHOW = b"application/vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml"


def mark(show: str, report: Report) -> None:
    """Say in the package that it is a show."""
    path, marked = Path(show), Path(show).with_suffix(".marked")
    with zipfile.ZipFile(path) as package, zipfile.ZipFile(marked, "w", zipfile.ZIP_DEFLATED) as copy:
        for entry in package.infolist():
            data = package.read(entry)
            copy.writestr(entry, data.replace(_PRESENTATION, _SHOW) if entry.filename == _LIST else data)
    marked.replace(path)
