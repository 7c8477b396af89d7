"""The engines that Filewright brings, as one list that can be read from top to bottom.

An engine that is not installed here still stands in the list: `check()` says so, the registry leaves its routes out
and `filewright doctor` prints the line that installs it. So importing an engine's module never imports its library.
"""

from __future__ import annotations

from collections.abc import Sequence

from filewright.converter.engines.archives import ARCHIVES, BSDTAR
from filewright.converter.engines.drawings import DRAWINGS
from filewright.converter.engines.exactdoc import EXACTDOC
from filewright.converter.engines.ffmpeg import FFmpeg
from filewright.converter.engines.fonts import FONTS
from filewright.converter.engines.ghostscript import Ghostscript
from filewright.converter.engines.high_range import OPENEXR
from filewright.converter.engines.libreoffice import LibreOffice
from filewright.converter.engines.mail import Mail
from filewright.converter.engines.meshes import MESHES
from filewright.converter.engines.office2pdf import OFFICE2PDF
from filewright.converter.engines.pandoc import Pandoc
from filewright.converter.engines.pdfium import PDFIUM
from filewright.converter.engines.pillow import PILLOW
from filewright.converter.engines.plaintext import PlainText
from filewright.converter.engines.poppler import Poppler
from filewright.converter.engines.port import Engine
from filewright.converter.engines.pyogrio import PYOGRIO
from filewright.converter.engines.resvg import RESVG
from filewright.converter.engines.stills import Stills
from filewright.converter.engines.structured_text import STRUCTURED_TEXT
from filewright.converter.engines.subtitles import SUBTITLES
from filewright.converter.engines.tables import POLARS
from filewright.converter.engines.typst import Typst
from filewright.converter.engines.vector import VECTOR
from filewright.converter.engines.vips import VIPS
from filewright.converter.engines.weasyprint import WeasyPrint


def standard_engines() -> Sequence[Engine]:
    """Every engine, in the order in which `doctor` shows them. Among equal routes the one listed first is taken."""
    return (
        # office
        LibreOffice(),
        OFFICE2PDF,
        # documents and mark-up
        Pandoc(),
        Typst(),
        WeasyPrint(),
        PlainText(),
        # PDF
        PDFIUM,
        EXACTDOC,
        Poppler(),
        Ghostscript(),
        # images and drawings
        PILLOW,
        VIPS,
        RESVG,
        VECTOR,
        OPENEXR,
        Stills(),
        # audio and video
        FFmpeg(),
        # data, sheets and geography
        POLARS,
        STRUCTURED_TEXT,
        PYOGRIO,
        # archives and e-mail
        ARCHIVES,
        BSDTAR,
        Mail(),
        # fonts, subtitles, meshes and technical drawings
        FONTS,
        SUBTITLES,
        MESHES,
        DRAWINGS,
    )
